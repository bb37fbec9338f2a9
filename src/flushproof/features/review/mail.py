"""Letters: the text of each mail of a file, decoded, with line numbers where they can be told.

In: the bytes of a patch, a mail or an mbox. Out: a `Letter` for each mail, a plain patch being one.
"""

from __future__ import annotations

import codecs
import email
import email.policy
import re
from collections.abc import Iterator
from email.errors import MessageDefect
from email.message import EmailMessage
from itertools import pairwise
from typing import ClassVar

from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.support.source import Span

_SEPARATOR = re.compile(rb"^From \S+ .*\d{4}\s*$", re.MULTILINE)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*:\s")
_DAMAGE = ("Base64", "Boundary")
_MARKS = frozenset({"from", "subject", "date", "message-id", "content-type"})
_SLOW = re.compile(r"(subject|mime-version|content-[a-z-]*)\s*:", re.IGNORECASE)
_NO_TEXT = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
"""Encodings that Python knows and no mail has; some take time that is quadratic."""
LONGEST = 4000
"""How many characters a header that is read may have; real ones have a few hundred."""
SUBJECT = 400
"""How many characters of a subject are kept."""


class DamagedMail(Diagnostic, frozen=True, kw_only=True):
    """A mail that ends too early or is not encoded as it says."""

    CODE: ClassVar[str] = "FP0810"
    TITLE: ClassVar[str] = "the mail in `{path}` is damaged or cut off: {reason}"
    path: str
    reason: str


class Letter(Record, frozen=True):
    """One mail: `first` is the number in its file of the first line, None where that is unknown.

    Lines of a letter with no such number are counted from 1, as decoded.
    """

    path: str
    subject: str
    lines: tuple[str, ...]
    first: int | None

    def number(self, at: int) -> int:
        """Return the number of the line at a position."""
        return at + (self.first or 1)

    def span(self, at: int) -> Span | None:
        """Return the place of a line, None where the file does not show it as it is."""
        if self.first is None:
            return None
        number = self.number(at)
        return Span(self.path, number, 1, number, max(2, len(self.lines[at]) + 1))


def split_letters(path: str, data: bytes) -> tuple[Letter, ...]:
    """Split a file into its letters and decode them.

    Raises:
        InputError: a mail is damaged.
    """
    try:
        return _split(path, data.replace(b"\r\n", b"\n"))
    except RecursionError:
        raise _damaged(path, "its parts or comments stand in each other too deeply") from None


def _split(path: str, data: bytes) -> tuple[Letter, ...]:
    starts = [m.start() for m in _SEPARATOR.finditer(data)]
    if not starts or data[: starts[0]].strip():
        return tuple(_letters(path, data, 0))
    return tuple(_mails(path, data, starts))


def _mails(path: str, data: bytes, starts: list[int]) -> Iterator[Letter]:
    """Read each mail of an mbox, without its separator line."""
    before = line = 0
    for start, end in pairwise([*starts, len(data)]):
        begin = data.find(b"\n", start, end) + 1 or end
        line += data.count(b"\n", before, begin)
        before = begin
        yield from _letters(path, data[begin:end], line)


def _letters(path: str, data: bytes, before: int) -> Iterator[Letter]:
    text = data.decode("utf-8", "replace")
    if not _is_mail(text):
        lines = tuple(text.split("\n"))
        yield Letter(path, _first_words(lines)[:SUBJECT], lines, before + 1)
        return
    _require_short(path, text)
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    subject = " ".join(str(message.get("subject", "")).split())[:SUBJECT]
    _require_whole(path, message.defects)
    for part in message.walk():
        body = _body(path, part)
        if body is not None:
            at = text.find(body)
            first = None if at < 0 else before + text[:at].count("\n") + 1
            yield Letter(path, subject, tuple(body.split("\n")), first)


def _is_mail(text: str) -> bool:
    """Tell whether a text begins with the header of a mail."""
    names: set[str] = set()
    for line in text.lstrip("\n").split("\n"):
        if not line.strip():
            break
        if _HEADER.match(line):
            names.add(line.partition(":")[0].lower())
        elif not line.startswith((" ", "\t")):
            return False
    return len(names & _MARKS) >= 2


def _first_words(lines: tuple[str, ...]) -> str:
    first = next((x.strip() for x in lines if x.strip()), "")
    return "" if first.startswith(("diff ", "--- ", "Index: ")) else first


def _body(path: str, part: EmailMessage) -> str | None:
    kind = part.get_content_type()
    patch = kind.endswith(("patch", "diff"))
    if part.is_multipart() or not (part.get_content_maintype() == "text" or patch):
        return None
    if kind == "text/html":
        return None
    payload = part.get_payload(decode=True)
    _require_whole(path, part.defects)
    if not isinstance(payload, bytes):
        return None
    charset = part.get_content_charset("utf-8")
    return _decoded(payload, charset).replace("\r\n", "\n")


def _decoded(payload: bytes, charset: str) -> str:
    """Return a payload as text, as UTF-8 where the encoding named is not known."""
    try:
        name = codecs.lookup(charset).name.replace("-", "_")
        return payload.decode("utf-8" if name in _NO_TEXT else charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")


def _require_short(path: str, text: str) -> None:
    """Refuse headers, of parts too, that the standard library would take long to read."""
    length = 0
    for line in text.split("\n"):
        starts = _SLOW.match(line) is not None
        goes_on = bool(length) and line.startswith((" ", "\t"))
        length = len(line) + (length if goes_on else 0) if starts or goes_on else 0
        if length > LONGEST:
            raise _damaged(path, f"a header has more than {LONGEST} characters")


def _require_whole(path: str, defects: list[MessageDefect]) -> None:
    names = [type(d).__name__ for d in defects]
    bad = [n for n in names if any(word in n for word in _DAMAGE)]
    if bad:
        what = "base64 text" if "Base64" in bad[0] else "parts"
        raise _damaged(path, f"its {what} do not end properly")


def _damaged(path: str, reason: str) -> InputError:
    return InputError(DamagedMail(span=None, path=path, reason=reason))

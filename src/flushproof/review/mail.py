"""Letters: the text of each mail of a file, decoded, with line numbers where they can be told.

In: the bytes of a patch, a mail or an mbox. Out: a `Letter` for each mail, a plain patch being one.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageDefect
from email.message import EmailMessage
from typing import ClassVar

from flushproof.diagnostics import Diagnostic, InputError
from flushproof.source import Span

_SEPARATOR = re.compile(rb"^From \S+ .*\d{4}\s*$", re.MULTILINE)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*:\s")
_DAMAGE = ("Base64", "Boundary")
_MARKS = frozenset({"from", "subject", "date", "message-id", "content-type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedMail(Diagnostic):
    """A mail that ends too early or is not encoded as it says."""

    TITLE: ClassVar[str] = "the mail in `{path}` is damaged or cut off: {reason}"
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Letter:
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


def letters(path: str, data: bytes) -> tuple[Letter, ...]:
    """Split a file into its letters and decode them.

    Raises:
        InputError: a mail is damaged.
    """
    data = data.replace(b"\r\n", b"\n")
    starts = [m.start() for m in _SEPARATOR.finditer(data)]
    if not starts or data[: starts[0]].strip():
        return tuple(_letters(path, data, 0))
    ends = [*starts[1:], len(data)]
    return tuple(
        letter
        for start, end in zip(starts, ends, strict=True)
        for letter in _mail(path, data, start, end)
    )


def _mail(path: str, data: bytes, start: int, end: int) -> Iterator[Letter]:
    """Read one mail of an mbox, without its separator line."""
    begin = data.index(b"\n", start) + 1 if b"\n" in data[start:end] else end
    yield from _letters(path, data[begin:end], data[:begin].count(b"\n"))


def _letters(path: str, data: bytes, before: int) -> Iterator[Letter]:
    text = data.decode("utf-8", "replace")
    if not _is_mail(text):
        lines = tuple(text.split("\n"))
        yield Letter(path, _first_words(lines), lines, before + 1)
        return
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    subject = " ".join(str(message.get("subject", "")).split())
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
    try:
        return payload.decode(charset, "replace").replace("\r\n", "\n")
    except LookupError:
        return payload.decode("utf-8", "replace").replace("\r\n", "\n")


def _require_whole(path: str, defects: list[MessageDefect]) -> None:
    names = [type(d).__name__ for d in defects]
    bad = [n for n in names if any(word in n for word in _DAMAGE)]
    if bad:
        what = "base64 text" if "Base64" in bad[0] else "parts"
        raise InputError(
            DamagedMail(span=None, path=path, reason=f"its {what} do not end properly")
        )

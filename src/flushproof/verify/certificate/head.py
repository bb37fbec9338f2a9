"""The head of a certificate: what was proved, by which program, and from which files.

In: a `Head`. Out: its lines, a key and a value in JSON each. And back, in the same order and with
nothing left over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar, NoReturn, TypeVar

from msgspec import ValidationError, convert, to_builtins

from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.support.source import Source, Span
from flushproof.verify.certificate.files_read import KINDS, ReadWith, Seen

FORMAT = 2
BEGINS = "; flushproof certificate"
"""How every certificate begins."""

EXPECTED = "; invariants that prove claims, for `flushproof recheck` to decide"
SEAL = "; sha256 of the head: "
"""How the last line of a head begins: the digest of all lines before it."""

Value = TypeVar("Value")


class Headless(Diagnostic, frozen=True, kw_only=True):
    """A file without the head of a certificate."""

    CODE: ClassVar[str] = "FP0910"
    TITLE: ClassVar[str] = "`{path}` is no certificate: it has not the head of one"
    LABEL: ClassVar[str] = f"`{BEGINS}` and nothing else is expected in this line"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes one"

    path: str


class Foreign(Diagnostic, frozen=True, kw_only=True):
    """A certificate of another version."""

    CODE: ClassVar[str] = "FP0911"
    TITLE: ClassVar[str] = "the certificate is of {theirs}, and this is {ours}"
    HELP: ClassVar[str] = "ask that version, or prove the claims again"

    theirs: str
    ours: str


class DamagedHead(Diagnostic, frozen=True, kw_only=True):
    """A line of the head that is not as any is written."""

    CODE: ClassVar[str] = "FP0912"
    TITLE: ClassVar[str] = "the head of the certificate is damaged"
    LABEL: ClassVar[str] = "`{expected}` is expected"
    HELP: ClassVar[str] = "`flushproof prove FILE --certificate OUT` writes it anew"

    expected: str


class ProvedClaim(Record, frozen=True):
    """A claim that was proved, what the proof covers and assumes, and how many facts it claims."""

    name: str
    scope: str
    assumptions: tuple[str, ...]
    facts: int


class Head(Record, frozen=True):
    """What a certificate says of itself; `subject` is the name of the file proved."""

    version: str
    subject: str
    read_as: str
    read_with: ReadWith
    claims: tuple[ProvedClaim, ...]
    seen: tuple[Seen, ...]

    @property
    def facts(self) -> int:
        """The number of facts in all."""
        return sum(c.facts for c in self.claims)


def head_lines(head: Head) -> list[str]:
    """Return the lines of a head, but for the digests of the whole."""
    lines = [BEGINS, EXPECTED, _line("format", FORMAT), _line("flushproof", head.version)]
    lines += [_line("about", head.subject), _line("read as", head.read_as)]
    lines += [_line("read with", to_builtins(head.read_with))]
    for c in head.claims:
        lines += [_line("proves", c.name), _line("scope", c.scope)]
        lines += [_line("assuming", c.assumptions), _line("facts", c.facts)]
    lines += [_line(x.kind, (x.answer, x.path)) for x in head.seen]
    return [*lines, _line("all facts", head.facts)]


def digest_line(part: str, digest: str) -> str:
    """Return the line that says which digest a part has."""
    return _line(f"sha256 of the {part}", digest)


def read_head(lines: Source, version: str) -> tuple[Head, str]:
    """Return the head in these lines, and the digest of the body that ends them.

    Raises:
        InputError: they are not as a head is written, or for a version other than this one.
    """
    reader = _HeadReader(lines)
    reader.begin()
    form = reader.take("format", int)
    if form != FORMAT:
        reader.foreign(f"format {form}", f"format {FORMAT}")
    theirs = reader.take("flushproof", str)
    if theirs != version:
        reader.foreign(f"flushproof {theirs}", f"flushproof {version}")
    subject, read_as = reader.take("about", str), reader.take("read as", str)
    read_with = reader.take("read with", ReadWith)
    claims = tuple(_claims(reader))
    head = Head(theirs, subject, read_as, read_with, claims, tuple(_seen(reader)))
    reader.exact("all facts", head.facts)
    body = reader.take("sha256 of the body", str)
    reader.end()
    return head, body


def _claims(reader: _HeadReader) -> Iterator[ProvedClaim]:
    while reader.has("proves"):
        name, scope = reader.take("proves", str), reader.take("scope", str)
        assumptions = reader.take("assuming", tuple[str, ...])
        yield ProvedClaim(name, scope, assumptions, reader.take("facts", int))


def _seen(reader: _HeadReader) -> Iterator[Seen]:
    while kind := next((k for k in KINDS if reader.has(k)), None):
        answer, path = reader.take(kind, tuple[str, str])
        yield Seen(kind, path, answer)


def line_span(source: Source, number: int) -> Span:
    """Return where a line of a certificate stands, as much of it as a message shows."""
    length = min(len(source.line(number)), 40)
    return Span(source.name, number, 1, number, length + 1)


def _line(key: str, value: object) -> str:
    return f"; {key}: {json.dumps(value)}"


class _HeadReader:
    """Takes one line after the other, each by its key."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.at = 1
        """The number of the next line."""

    def begin(self) -> None:
        """Take the first lines, by which a certificate is known."""
        if self.source.line(1) != BEGINS:
            raise InputError(Headless(span=line_span(self.source, 1), path=self.source.name))
        self.at = 2
        if self.source.line(2) != EXPECTED:
            self._damaged(EXPECTED)
        self.at = 3

    def has(self, key: str) -> bool:
        """Tell whether the next line has this key."""
        return self.source.line(self.at).startswith(f"; {key}: ")

    def take(self, key: str, kind: type[Value]) -> Value:
        """Take a line with this key, and return its value; there is one way to write each."""
        written = self.source.line(self.at)
        try:
            found: Value = convert(json.loads(written.removeprefix(f"; {key}: ")), kind)
        except (ValueError, RecursionError, ValidationError):
            self._damaged(f"; {key}: ")
        if written != _line(key, to_builtins(found)):
            self._damaged(f"; {key}: ")
        self.at += 1
        return found

    def exact(self, key: str, value: int) -> None:
        """Take a line that can say only one thing."""
        if self.source.line(self.at) != _line(key, value):
            self._damaged(_line(key, value))
        self.at += 1

    def end(self) -> None:
        """Tell that all lines are taken."""
        if self.at <= len(self.source.lines):
            self._damaged(SEAL)

    def foreign(self, theirs: str, ours: str) -> NoReturn:
        """Refuse what the line before says."""
        span = line_span(self.source, self.at - 1)
        raise InputError(Foreign(span=span, theirs=theirs, ours=ours))

    def _damaged(self, expected: str) -> NoReturn:
        span = line_span(self.source, min(self.at, len(self.source.lines)))
        raise InputError(DamagedHead(span=span, expected=expected.strip()))

"""The diffs in a letter, quoted or not, and what its message says.

A quoted diff is read at the depth of its own marks; what stands at a lesser depth between its lines
was written by somebody else and is skipped. Archives take blanks away: a context line without its
leading blank is taken for what it was meant to be, since applying the hunk compares it anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from flushproof.features.review.mail import Letter
from flushproof.results.review import PatchLine, Statement
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record

_MARKS = re.compile(r"(?:> ?)*")
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@", re.ASCII)
_COUNTS = re.compile(
    r"\s*\d{1,6} files? changed"
    r"(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?\s*",
    re.ASCII,
)
_NOTHING = re.compile(
    r"\bno[\s>]+functional[\s>]+changes?\b(?:[\s>]+(?:is|are)\b)?(?:[\s>]+(?:intended|expected)\b)?"
    r"|\bNFCI?\b",
    re.IGNORECASE,
)


class CutOff(Diagnostic, frozen=True, kw_only=True):
    """A hunk with fewer lines than its head says."""

    CODE: ClassVar[str] = "FP0806"
    TITLE: ClassVar[str] = (
        "hunk {number} of `{file}` is cut off: {missing} of its lines are missing"
    )
    HELP: ClassVar[str] = "is the mail complete?"
    number: int
    file: str
    missing: int


class LeftOff(Diagnostic, frozen=True, kw_only=True):
    """A mail that holds less than its own statistics count."""

    CODE: ClassVar[str] = "FP0811"
    TITLE: ClassVar[str] = (
        "the patch is cut off: it adds {adds} and deletes {deletes} lines, fewer than its mail says"
    )
    HELP: ClassVar[str] = "is the mail complete? without the line of the counts it is not compared"
    adds: int
    deletes: int


class BadDiff(Diagnostic, frozen=True, kw_only=True):
    """A diff that cannot be read."""

    CODE: ClassVar[str] = "FP0807"
    TITLE: ClassVar[str] = "the diff cannot be read: {reason}"
    reason: str


class DiffLine(Record, frozen=True):
    """One line of a hunk: its sign, its text, and its position in the letter."""

    sign: str
    text: str
    at: int


class Hunk(Record, frozen=True):
    """A hunk: its number in its file, the first old line, its lines, its head's position."""

    number: int
    start: int
    lines: tuple[DiffLine, ...]
    at: int

    @property
    def old(self) -> tuple[DiffLine, ...]:
        """The lines that the old file has."""
        return tuple(x for x in self.lines if x.sign != "+")

    @property
    def new(self) -> tuple[DiffLine, ...]:
        """The lines that the new file has."""
        return tuple(x for x in self.lines if x.sign != "-")


class FileDiff(Record, frozen=True):
    """The hunks for one file; `whole` is set where it is created or deleted."""

    path: str
    hunks: tuple[Hunk, ...]
    whole: bool = False


class Patch(Record, frozen=True):
    """A letter with its diffs; `quoted` tells whether these are somebody else's words."""

    letter: Letter
    files: tuple[FileDiff, ...]
    statement: Statement | None
    quoted: bool


def patch_of(letter: Letter) -> Patch | None:
    """Return the patch in a letter, None where there is no diff.

    Raises:
        InputError: a hunk is cut off or cannot be read.
    """
    found = _DiffReader(letter)
    files = tuple(found.files())
    if not files:
        return None
    return Patch(letter, files, _statement(letter, found), found.depth > 0)


def require_all(patch: Patch) -> None:
    """Refuse a diff with fewer lines than the counts below the message say.

    Raises:
        InputError: lines are missing, in a mail of its own or in what a reply quotes of it.
    """
    letter = patch.letter
    signs = [x.sign for f in patch.files for h in f.hunks for x in h.lines]
    adds, deletes = signs.count("+"), signs.count("-")
    for at, marked in enumerate(letter.lines):
        line = _unquoted(marked)[1] if patch.quoted else marked
        if line.startswith(("diff ", "--- ", "@@")):
            return
        said = _COUNTS.fullmatch(line)
        if said and (adds < int(said[1] or 0) or deletes < int(said[2] or 0)):
            raise InputError(LeftOff(span=letter.span(at), adds=adds, deletes=deletes))


class _DiffReader:
    """One letter's diff lines, without quote marks, in the form that the library reads."""

    def __init__(self, letter: Letter) -> None:
        self.letter = letter
        self.depth = 0
        self.first = len(letter.lines)
        self.clean: list[str] = []
        self.where: list[int] = []
        self.file = ""
        self.hunks = 0

    def files(self) -> Iterator[FileDiff]:
        self._collect()
        try:
            patch_set = PatchSet("".join(f"{x}\n" for x in self.clean))
        except UnidiffParseError as error:
            reason = str(error).splitlines()[0].lower()
            raise InputError(BadDiff(span=None, reason=reason)) from error
        for file in patch_set:
            hunks = tuple(
                Hunk(
                    number,
                    hunk.source_start,
                    tuple(
                        DiffLine(x.line_type, x.value.rstrip("\n"), self.where[x.diff_line_no - 1])
                        for x in hunk
                        if x.line_type in "+- " and x.diff_line_no is not None
                    ),
                    self.where[min(x.diff_line_no for x in hunk if x.diff_line_no) - 2],
                )
                for number, hunk in enumerate(file, 1)
            )
            whole = file.is_added_file or file.is_removed_file
            yield FileDiff(file.path, hunks, whole)

    def _collect(self) -> None:
        lines = self.letter.lines
        at = 0
        while at < len(lines):
            depth, text = _unquoted(lines[at])
            if text.startswith("--- ") and self._names_follow(at, depth):
                at = self._head(at, depth)
            elif self.clean and _HUNK.match(text) and depth == self.depth:
                at = self._hunk(at, text)
            else:
                at += 1

    def _names_follow(self, at: int, depth: int) -> bool:
        """Tell whether the next two lines of this depth are `+++ ...` and a hunk's head."""
        after = [self._at(k, depth) for k in (at + 1, at + 2)]
        return after[0].startswith("+++ ") and _HUNK.match(after[1]) is not None

    def _at(self, at: int, depth: int) -> str:
        lines = self.letter.lines
        return _strip(lines[at], depth) or "" if at < len(lines) else ""

    def _head(self, at: int, depth: int) -> int:
        if not self.clean:
            self.first = at
        self.depth = depth
        self.hunks = 0
        for k in (at, at + 1):
            self._keep(self._at(k, depth).rstrip(), k)
        self.file = self._at(at + 1, depth)[4:].split("\t")[0].strip().removeprefix("b/")
        return at + 2

    def _hunk(self, at: int, head: str) -> int:
        found = _HUNK.match(head)
        assert found is not None
        old, new = (1 if n is None else int(n) for n in (found[2], found[4]))
        self.hunks += 1
        self._keep(head, at)
        start = at
        while old > 0 or new > 0:
            at += 1
            text = self._next(at, last=old == new == 1)
            if at >= len(self.letter.lines) or (text is not None and _ends(text)):
                span = self.letter.span(start)
                missing = max(old, new)
                raise InputError(
                    CutOff(span=span, number=self.hunks, file=self.file, missing=missing)
                )
            if text is None:
                continue
            line = _signed(text)
            old -= line[0] in "- "
            new -= line[0] in "+ "
            self._keep(line, at)
        return at + 1

    def _next(self, at: int, *, last: bool) -> str | None:
        """Return a line of the diff, None for what others wrote between its lines.

        Whoever answers below a hunk often leaves one mark off its last line, if that is empty.
        """
        lines = self.letter.lines
        if at >= len(lines):
            return None
        text = _strip(lines[at], self.depth)
        empty = last and text is None and not _unquoted(lines[at])[1].strip()
        return "" if empty else text

    def _keep(self, text: str, at: int) -> None:
        self.clean.append(text)
        self.where.append(at)


def _unquoted(line: str) -> tuple[int, str]:
    found = _MARKS.match(line)
    assert found is not None
    return found[0].count(">"), line[found.end() :]


def _strip(line: str, depth: int) -> str | None:
    """Take off so many quote marks, None where there are fewer."""
    for _ in range(depth):
        if not line.startswith(">"):
            return None
        line = line[1:].removeprefix(" ")
    return line


def _signed(text: str) -> str:
    """Return a line of a hunk with its sign."""
    return text if text[:1] in ("+", "-", " ", "\\") and text else f" {text}"


def _ends(text: str) -> bool:
    """Tell whether a hunk cannot go on with this line."""
    return text in ("-- ", "--") or bool(_HUNK.match(text)) or text.startswith("diff --git ")


# The message -------------------------------------------------------------------------------------


def _statement(letter: Letter, reader: _DiffReader) -> Statement | None:
    """Return the line before the diff, by whoever wrote that, that says that nothing changes."""
    lines = letter.lines[: reader.first]
    own = (x if _unquoted(x)[0] == reader.depth else "" for x in lines)
    message = "\n".join(own)
    found = _NOTHING.search(message)
    if found is None:
        return _in_subject(letter)
    at = message[: found.start()].count("\n")
    text = " ".join(_MARKS.sub("", x) for x in found[0].split("\n"))
    line = PatchLine(letter.path, letter.number(at), decoded=letter.first is None)
    return Statement(" ".join(text.split()), line)


def _in_subject(letter: Letter) -> Statement | None:
    found = _NOTHING.search(letter.subject)
    return None if found is None else Statement(found[0], None)


def statement_in(text: str) -> Statement | None:
    """Return what a commit message says about nothing changing."""
    found = _NOTHING.search(text)
    return None if found is None else Statement(" ".join(found[0].split()), None)

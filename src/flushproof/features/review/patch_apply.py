"""A file's diff applied to its text: each hunk where its old lines stand, the nearest such place.

Blanks are compared exactly first; where no place fits, only what stands between them, as archives
change them. Context lines keep the blanks of the file.
"""

from __future__ import annotations

from typing import ClassVar

from flushproof.features.review.diff import DiffLine, FileDiff, Hunk
from flushproof.features.review.mail import Letter
from flushproof.support.diagnostics import Diagnostic, InputError, Note
from flushproof.support.record import Record, replace
from flushproof.support.source import Source, Span


class DoesNotApply(Diagnostic, frozen=True, kw_only=True):
    """A hunk whose old lines do not stand in the file."""

    CODE: ClassVar[str] = "FP0804"
    TITLE: ClassVar[str] = "hunk {number} of `{file}` does not apply to `{base}`{hint}"
    HELP: ClassVar[str] = "--base names the file as it is before the patch"
    number: int
    file: str
    base: str
    hint: str = ""


class NoChange(Diagnostic, frozen=True, kw_only=True):
    """A file that the patch creates or deletes."""

    CODE: ClassVar[str] = "FP0805"
    TITLE: ClassVar[str] = "the patch creates or deletes `{file}`, so it cannot change `{base}`"
    file: str
    base: str


class TextLine(Record, frozen=True):
    """A line of the text: the line of the patch that shows it, its number before the patch."""

    text: str
    shown: DiffLine | None
    number: int | None


class Applied(Record, frozen=True):
    """The new lines."""

    lines: tuple[TextLine, ...]
    notes: tuple[str, ...]


class Target(Record, frozen=True):
    """What hunks are applied to: the file as the user named it, and the letter they are in."""

    base: str
    letter: Letter


_Text = list[TextLine]


def apply_hunks(diff: FileDiff, before: Applied, target: Target) -> Applied:
    """Apply all hunks of one file.

    Raises:
        InputError: a hunk does not apply.
    """
    if diff.whole:
        raise InputError(NoChange(span=None, file=diff.path, base=target.base))
    text: _Text = list(before.lines)
    notes = list(before.notes)
    shift = 0
    least = 0
    for hunk in diff.hunks:
        expected = shift + (max(0, hunk.start - 1) if hunk.old else hunk.start)
        at = _find(text, hunk.old, expected, least)
        if at is None:
            raise InputError(_complaint(diff, hunk, text, expected, target))
        if at != expected:
            notes.append(f"hunk {hunk.number} of {diff.path} was found at line {at + 1}")
        shift += at - expected + len(hunk.new) - len(hunk.old)
        new = _replacement(hunk, text, at)
        text[at : at + len(hunk.old)] = new
        least = at + len(new)
    return Applied(tuple(text), tuple(notes))


def unchanged_source(source: Source) -> Applied:
    """Return a file to which nothing is applied yet."""
    lines = (TextLine(line, None, number) for number, line in enumerate(source.lines, 1))
    return Applied(tuple(lines), ())


def _replacement(hunk: Hunk, text: _Text, at: int) -> _Text:
    out: _Text = []
    for line in hunk.lines:
        if line.sign == "+":
            out.append(TextLine(line.text, line, None))
            continue
        if line.sign == " ":
            out.append(replace(text[at], shown=line))
        at += 1
    return out


def _find(text: _Text, old: tuple[DiffLine, ...], expected: int, least: int) -> int | None:
    places = range(least, len(text) - len(old) + 1)
    nearest = sorted(places, key=lambda p: (abs(p - expected), p))
    for same in (_exactly, _but_for_blanks):
        for p in nearest:
            if all(same(text[p + k].text, line.text) for k, line in enumerate(old)):
                return p
    return None


def _exactly(a: str, b: str) -> bool:
    return a.rstrip() == b.rstrip()


def _but_for_blanks(a: str, b: str) -> bool:
    return a.split() == b.split()


# Where it fails ----------------------------------------------------------------------------------


def _complaint(
    diff: FileDiff, hunk: Hunk, text: _Text, expected: int, target: Target
) -> DoesNotApply:
    applied = _find(text, hunk.new, expected, 0) is not None and hunk.new != hunk.old
    return DoesNotApply(
        span=target.letter.span(hunk.at),
        number=hunk.number,
        file=diff.path,
        base=target.base,
        hint=": it seems to be applied already" if applied else "",
        notes=() if applied else _nearest_miss(hunk, text, expected, target),
    )


def _nearest_miss(hunk: Hunk, text: _Text, expected: int, target: Target) -> tuple[Note, ...]:
    """Point at the first line that is otherwise, where most lines of the hunk are as they are."""
    best = max(
        range(max(1, len(text))),
        key=lambda p: (_alike(hunk, text, p), -abs(p - expected)),
    )
    if _alike(hunk, text, best) == 0:
        return ()
    for k, line in enumerate(hunk.old):
        if best + k >= len(text):
            return (Note(f"`{target.base}` ends before the hunk does"),)
        here, number = text[best + k].text, text[best + k].number
        if not _but_for_blanks(here, line.text):
            end = max(2, len(here) + 1)
            where = None if number is None else Span(target.base, number, 1, number, end)
            what = f"`{line.text.strip()}`" if line.text.strip() else "an empty line"
            note = Note(f"the patch has {what} here", where)
            return (note, Note("this line of the patch", target.letter.span(line.at)))
    return ()


def _alike(hunk: Hunk, text: _Text, p: int) -> int:
    lines = enumerate(hunk.old)
    return sum(
        p + k < len(text) and bool(x.text.strip()) and _but_for_blanks(text[p + k].text, x.text)
        for k, x in lines
    )

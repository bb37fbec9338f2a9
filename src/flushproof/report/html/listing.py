"""The stretches of source that a trace goes through, ready to be shown beside it.

In: a `Trace` and the sources by name. Out: a `CodeListing` for each file: lines, gaps between
them, and the places that the trace rests on marked within their line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.results.trace import Blame, Trace
from flushproof.support.record import Record
from flushproof.support.source import Source, Span

AROUND = 4
"""So many lines are shown before and after each line of interest."""
CLOSE = 3
"""Gaps of no more lines than this are shown."""


class LinePiece(Record, frozen=True):
    """A stretch of a line; `kind` is "main" or "note" where the trace rests on it, else ""."""

    text: str
    kind: str = ""


class ListingLine(Record, frozen=True):
    """One line of source, and what is said about it; `gap` where lines before it are left out."""

    number: int
    pieces: tuple[LinePiece, ...]
    notes: tuple[tuple[str, str], ...]
    gap: bool


class CodeListing(Record, frozen=True):
    """What is shown of one file."""

    file: str
    lines: tuple[ListingLine, ...]


def code_listings(trace: Trace, sources: Mapping[str, Source]) -> tuple[CodeListing, ...]:
    """Return the source that a trace goes through, the file of the main place first."""
    spans = [*(b.span for b in trace.blame), *(s.span for s in trace.steps if s.span is not None)]
    files = dict.fromkeys(s.file for s in spans)
    return tuple(
        CodeListing(file, tuple(_lines(sources[file], spans, trace.blame)))
        for file in files
        if file in sources
    )


def _lines(source: Source, spans: list[Span], blame: tuple[Blame, ...]) -> Iterator[ListingLine]:
    before = 0
    for number in _numbers(source, [s for s in spans if s.file == source.name]):
        here = [
            (k, b)
            for k, b in enumerate(blame)
            if (b.span.file, b.span.line) == (source.name, number)
        ]
        notes = tuple((_kind(k), b.text) for k, b in here if b.text)
        marks = [(_columns(b.span, source), _kind(k)) for k, b in here]
        yield ListingLine(number, _pieces(source.line(number), marks), notes, number > before + 1)
        before = number


def _numbers(source: Source, spans: list[Span]) -> list[int]:
    wanted: set[int] = set()
    last = len(source.lines)
    for span in spans:
        wanted.update(range(max(1, span.line - AROUND), min(last, span.line + AROUND) + 1))
    out: list[int] = []
    for number in sorted(wanted):
        if out and number - out[-1] - 1 <= CLOSE:
            out.extend(range(out[-1] + 1, number))
        out.append(number)
    return out


def _kind(position: int) -> str:
    return "main" if position == 0 else "note"


def _columns(span: Span, source: Source) -> tuple[int, int]:
    end = span.end_column if span.end_line == span.line else len(source.line(span.line)) + 1
    return span.column - 1, max(end - 1, span.column)


def _pieces(text: str, marks: list[tuple[tuple[int, int], str]]) -> tuple[LinePiece, ...]:
    """Cut a line at its marks; where marks overlap the first one wins."""
    kinds = [""] * len(text)
    for (start, end), kind in marks:
        for at in range(start, min(end, len(text))):
            kinds[at] = kinds[at] or kind
    out: list[LinePiece] = []
    for letter, kind in zip(text, kinds, strict=True):
        if out and out[-1].kind == kind:
            out[-1] = LinePiece(out[-1].text + letter, kind)
        else:
            out.append(LinePiece(letter, kind))
    return tuple(out)

"""One line of source with carets under a span of it.

In: a span and the sources by name. Out: lines of plain ASCII within the width, tabs expanded,
control characters made visible, long lines cut to the stretch around the carets. Leading blanks of
the source line are dropped, since the excerpt has an indentation of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from flushproof.report.plain import escape_unprintable, pack_pieces
from flushproof.support.source import Source, Span

TAB = 8
CUT = "..."


def excerpt_lines(
    span: Span, label: str, sources: Mapping[str, Source], indent: int, width: int
) -> list[str]:
    """Return the line of code, the carets and the label beside them (beneath where too long).

    Without the source only the label remains.
    """
    source = sources.get(span.file)
    if source is None:
        return _beneath(label, indent, width)
    code, carets = underline_columns(
        source.line(span.line), *_columns(span, source), width - indent
    )
    return [_indented(indent, code), *_labelled(_indented(indent, carets), label, indent, width)]


def underline_columns(line: str, start: int, end: int, width: int) -> tuple[str, str]:
    """Return the line as shown and its carets for columns `start` up to `end` (from 1)."""
    cells = _cells(line)
    edges = [0, *accumulate(len(c) for c in cells)]
    first = edges[min(start - 1, len(cells))]
    last = max(first + 1, edges[min(end - 1, len(cells))])
    shown = "".join(cells)
    lead = min(len(shown) - len(shown.lstrip(" ")), first)
    return _window(shown[lead:], first - lead, last - lead, width)


def _columns(span: Span, source: Source) -> tuple[int, int]:
    if span.end_line == span.line:
        return span.column, span.end_column
    return span.column, len(source.line(span.line)) + 1


def _cells(line: str) -> tuple[str, ...]:
    """Return what is shown for each character: blanks up to the next stop for a tab."""
    cells: list[str] = []
    at = 0
    for character in line:
        cell = " " * (TAB - at % TAB) if character == "\t" else escape_unprintable(character)
        cells.append(cell)
        at += len(cell)
    return tuple(cells)


def _window(text: str, first: int, last: int, width: int) -> tuple[str, str]:
    text = text.ljust(first + 1)
    if len(text) <= width:
        return text.rstrip(), " " * first + "^" * (min(last, len(text)) - first)
    left = max(0, min(first - width // 3, len(text) - width))
    right = left + width
    carets = " " * (first - left) + "^" * (min(last, right) - first)
    return _marked(text, left, right).rstrip(), carets


def _marked(text: str, left: int, right: int) -> str:
    shown = text[left:right]
    if left > 0:
        shown = CUT + shown[len(CUT) :]
    if right < len(text):
        shown = shown[: -len(CUT)] + CUT
    return shown


def _labelled(carets: str, label: str, indent: int, width: int) -> list[str]:
    beside = f"{carets} {escape_unprintable(label)}".rstrip()
    if len(beside) <= width:
        return [beside]
    return [carets, *_beneath(label, indent, width)]


def _beneath(label: str, indent: int, width: int) -> list[str]:
    return [_indented(indent, t) for t in pack_pieces(label.split(), width - indent) if t]


def _indented(indent: int, text: str) -> str:
    return (" " * indent + text).rstrip()

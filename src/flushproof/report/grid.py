"""A table of plain ASCII that never overflows: columns shrink and their cells wrap.

In: titles and rows of cells. Out: lines, or None where the columns cannot be shrunk any further.
"""

from __future__ import annotations

from dataclasses import dataclass

from flushproof.report.plain import pack

INDENT = 2
GAP = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell.

    `pieces` are wrapped between, not within; `bar` stands before the first line and `tail` before
    the others, as a lock's bar does.
    """

    pieces: tuple[str, ...] = ()
    bar: str = ""
    tail: str = ""
    right: bool = False

    def lines(self, width: int, gutter: int) -> list[str]:
        """Return the lines of the cell, the bar in a gutter of its own."""
        first, *rest = pack(self.pieces, width - gutter)
        if self.right:
            first = first.rjust(width - gutter)
        return [f"{self.bar:<{gutter}}{first}", *(f"{self.tail:<{gutter}}{r}" for r in rest)]

    def natural(self, gutter: int) -> int:
        """Return the width that needs no wrapping."""
        return gutter + len(pack(self.pieces, 10_000)[0])


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, the least width it may be shrunk to, and its cells from the top."""

    title: str
    least: int
    cells: tuple[Cell, ...]

    @property
    def gutter(self) -> int:
        """The room for lock bars: none, one sign, or two signs (`[]`) and a blank."""
        longest = max((len(c.bar) for c in self.cells), default=0)
        return longest + 1 if longest else 0

    @property
    def natural(self) -> int:
        """The width at which nothing wraps."""
        return max(len(self.title), *(c.natural(self.gutter) for c in self.cells))


def draw(columns: tuple[Column, ...], width: int) -> list[str] | None:
    """Return the table within `width`, or None where even the least widths do not fit."""
    widths = _fit(columns, width - INDENT - GAP * (len(columns) - 1))
    if widths is None:
        return None
    titles = [pack((c.title,), w) for c, w in zip(columns, widths, strict=True)]
    lines = [*_row(titles, widths), *_row([["-" * w] for w in widths], widths)]
    for at in range(len(columns[0].cells)):
        cells = [c.cells[at].lines(w, c.gutter) for c, w in zip(columns, widths, strict=True)]
        lines += _row(cells, widths)
    return lines


def fits(columns: tuple[Column, ...], width: int) -> bool:
    """Tell whether the table needs no shrinking."""
    return sum(c.natural for c in columns) <= width - INDENT - GAP * (len(columns) - 1)


def _fit(columns: tuple[Column, ...], room: int) -> list[int] | None:
    """Take from the widest column that can still give, until all fit."""
    widths = [c.natural for c in columns]
    while sum(widths) > room:
        giving = [
            (w, -at) for at, (w, c) in enumerate(zip(widths, columns, strict=True)) if w > c.least
        ]
        if not giving:
            return None
        widths[-max(giving)[1]] -= 1
    return widths


def _row(cells: list[list[str]], widths: list[int]) -> list[str]:
    height = max(len(c) for c in cells)
    return [_line([c[at] if at < len(c) else "" for c in cells], widths) for at in range(height)]


def _line(texts: list[str], widths: list[int]) -> str:
    padded = (f"{text:<{width}}" for text, width in zip(texts, widths, strict=True))
    return (" " * INDENT + (" " * GAP).join(padded)).rstrip()

"""A table of plain ASCII that never overflows: columns shrink and their cells wrap.

In: titles and rows of cells. Out: lines, or None where the columns cannot be shrunk any further.
"""

from __future__ import annotations

from flushproof.report.plain import pack_pieces
from flushproof.support.record import Record

INDENT = 2
GAP = 2


class GridCell(Record, frozen=True):
    """What stands in one cell.

    `pieces` are wrapped between, not within; `bar` stands in the gap before the first line and
    `tail` before the others, as a lock's bar does. Such a gap is wider by one.
    """

    pieces: tuple[str, ...] = ()
    bar: str = ""
    tail: str = ""
    right: bool = False

    def lines(self, width: int) -> list[str]:
        """Return the lines of the cell."""
        first, *rest = pack_pieces(self.pieces, width)
        return [first.rjust(width) if self.right else first, *rest]

    @property
    def natural(self) -> int:
        """The width that needs no wrapping."""
        return len(pack_pieces(self.pieces, 10_000)[0])

    def bars(self, height: int) -> list[str]:
        """Return what stands in the gap before each line of a row that is so many lines high."""
        return [self.bar, *[self.tail] * (height - 1)]


class Column(Record, frozen=True):
    """One column: its title, the least width it may be shrunk to, and its cells from the top."""

    title: str
    least: int
    cells: tuple[GridCell, ...]

    @property
    def natural(self) -> int:
        """The width at which nothing wraps."""
        return max(len(self.title), *(c.natural for c in self.cells))

    @property
    def broken(self) -> int:
        """The width at which no piece is broken."""
        return max((len(p) for c in self.cells for p in c.pieces), default=0)

    @property
    def gap(self) -> int:
        """The room before the column, where it is not the first."""
        return GAP + any(c.bar for c in self.cells)

    def height(self, width: int) -> int:
        """Return the lines of the tallest cell at a width."""
        return max((len(c.lines(width)) for c in self.cells), default=1)


def draw_grid(columns: tuple[Column, ...], width: int, indent: int = INDENT) -> list[str] | None:
    """Return the table within `width`, or None where even the least widths do not fit."""
    widths = _fit(columns, _room(columns, width, indent))
    if widths is None:
        return None
    form = [
        (c.gap if at else indent, w) for at, (c, w) in enumerate(zip(columns, widths, strict=True))
    ]
    blank = [GridCell()] * len(columns)
    titles = [pack_pieces((c.title,), w) for c, w in zip(columns, widths, strict=True)]
    lines = [*_row(blank, titles, form), *_row(blank, [["-" * w] for w in widths], form)]
    for at in range(len(columns[0].cells)):
        cells = [c.cells[at] for c in columns]
        texts = [c.lines(w) for c, w in zip(cells, widths, strict=True)]
        lines += _row(cells, texts, form)
    return lines


def fits_width(columns: tuple[Column, ...], width: int) -> bool:
    """Tell whether the table needs no shrinking."""
    return sum(c.natural for c in columns) <= _room(columns, width, INDENT)


def _room(columns: tuple[Column, ...], width: int, indent: int) -> int:
    return width - indent - sum(c.gap for c in columns[1:])


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


_Form = list[tuple[int, int]]
"""For each column the room before it and its width."""


def _row(cells: list[GridCell], texts: list[list[str]], form: _Form) -> list[str]:
    height = max(len(t) for t in texts)
    bars = [c.bars(height) for c in cells]
    return [
        _line([b[at] for b in bars], [t[at] if at < len(t) else "" for t in texts], form)
        for at in range(height)
    ]


def _line(bars: list[str], texts: list[str], form: _Form) -> str:
    parts = (
        f"{f'{bar} ' if bar else '':>{gap}}{text:<{width}}"
        for bar, text, (gap, width) in zip(bars, texts, form, strict=True)
    )
    return "".join(parts).rstrip()

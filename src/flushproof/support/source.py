"""Source texts and places in them. Lines and columns count from 1; ends are exclusive."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import cached_property

from flushproof.support.record import Record


class Span(Record, frozen=True, order=True):
    """A stretch of one file, from (line, column) up to but not including (end_line, end_column)."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __post_init__(self) -> None:
        line, column = self.line, self.column
        more = self.end_line - line
        if line < 1 or column < 1 or more < 0 or (more == 0 and self.end_column < column):
            raise ValueError(f"not a span: {self}")

    def to(self, other: Span) -> Span:
        """Return the span from the start of this one to the end of `other` (same file)."""
        if other.file != self.file or (other.end_line, other.end_column) < (self.line, self.column):
            return self
        return Span(self.file, self.line, self.column, other.end_line, other.end_column)


class Source(Record, frozen=True, dict=True):
    """The text of one input file under the name the user gave it."""

    name: str
    text: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(self.text.split("\n"))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """The offsets of the lines, and of what would be one after the last."""
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return tuple(starts)

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and a column in the text."""
        return self._starts[line - 1] + column - 1

    def stretch(self, span: Span) -> tuple[int, int]:
        """Return the offsets of the start and the end of a span in the text."""
        start = self.offset(span.line, span.column)
        return start, self.offset(span.end_line, span.end_column)

    def place(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset in the text."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    @property
    def sha256(self) -> str:
        """The digest of the text as UTF-8, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def line(self, number: int) -> str:
        """Return line `number` (from 1), or an empty string past the end."""
        return self.lines[number - 1] if 1 <= number <= len(self.lines) else ""

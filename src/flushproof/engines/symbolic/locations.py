"""Where a value is in a symbolic state: a field, and which of its cells.

A lock has a cell for who holds it alone, and where it has readers one for each thread that may be
one, which counts how many times it is.
"""

from __future__ import annotations

from typing import assert_never

from flushproof.support.record import Record


class SharedCell(Record, frozen=True):
    """The cell of what there is once: a field of the VM, or who holds a lock alone."""


class OwnCell(Record, frozen=True):
    """What belongs to one of the vCPUs or threads that have cells, by its place among these.

    Of a lock it is how many times that one is a reader.
    """

    number: int


class FlusherReads(Record, frozen=True):
    """How many times the flusher is a reader, where only vCPUs are numbered.

    As far as vCPUs are concerned it is shared.
    """


class ElsewhereReads(Record, frozen=True):
    """What is said of a lock's readers that have no cell of their own."""


class UnseenCell(Record, frozen=True):
    """What a vCPU without a cell of its own held, when a step looked at it for the n-th time."""

    number: int


Cell = SharedCell | OwnCell | FlusherReads | ElsewhereReads | UnseenCell
Location = tuple[str, Cell]
"""A field's name, and which of its cells."""

SHARED = SharedCell()
BY_FLUSHER = FlusherReads()
ELSEWHERE = ElsewhereReads()


def is_shared(cell: Cell) -> bool:
    """Tell whether a cell is no vCPU's own."""
    match cell:
        case SharedCell() | FlusherReads() | ElsewhereReads():
            return True
        case OwnCell() | UnseenCell():
            return False
        case other:
            assert_never(other)


def location_name(where: Location) -> str:
    """Return a name for a location in terms; nothing is read off it."""
    return f"{where[0]}[{_number(where[1])}]"


def location_order(where: Location) -> tuple[str, int]:
    """Return what locations are sorted by."""
    return where[0], _number(where[1])


def _number(cell: Cell) -> int:
    match cell:
        case FlusherReads():
            return -3
        case ElsewhereReads():
            return -2
        case SharedCell():
            return -1
        case OwnCell(number):
            return number
        case UnseenCell(number):
            return _UNSEEN + number
        case other:
            assert_never(other)


_UNSEEN = 1000
"""The names of cells with greater numbers are of unseen ones."""

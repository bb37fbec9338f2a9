"""Who holds a lock as a reader, where any number of vCPUs may.

Cells count how many times the flusher and each tracked vCPU are readers, and in a step of another
vCPU how many times that one is. Of the rest nothing is kept: what they hold is an unknown of each
step, the cell `ELSEWHERE`, which no predicate has. So a lock that none of the cells holds may be
free or not, as suits a step best, and no invariant can rest on who else is a reader.

Lemma L18 of docs/soundness.md.
"""

from __future__ import annotations

import z3

from flushproof.engines.symbolic.locations import (
    BY_FLUSHER,
    ELSEWHERE,
    SHARED,
    Cell,
    Location,
    OwnCell,
)
from flushproof.engines.symbolic.step import Readers, World
from flushproof.ir.code import Field, FieldScope
from flushproof.ir.types import LockWord


def tracked_readers(flusher: z3.ArithRef, others: tuple[z3.ArithRef, ...]) -> Readers:
    """Return the cells for the tracked flusher and for other threads, each by its number."""
    own = ((OwnCell(k), number) for k, number in enumerate(others))
    return Readers(((BY_FLUSHER, flusher), *own), rest=True)


def tracked_locations(world: World, f: Field) -> tuple[Location, ...]:
    """Return the locations of a field that a state has: of a lock's readers those with a cell."""
    return tuple(where for where in world.places(f) if where[1] != ELSEWHERE)


def is_reader_count(f: Field, cell: Cell) -> bool:
    """Tell whether a cell of a field counts how many times somebody is a reader of a lock.

    The cell of a lock that each vCPU has is who holds that of the vCPU.
    """
    return isinstance(f.type, LockWord) and f.scope is FieldScope.VM and cell != SHARED

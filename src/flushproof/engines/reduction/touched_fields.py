"""Which shared fields the code of a step may touch, as far as a look at its text tells.

In: code, where a step begins and where it ends at the latest. Out: names of fields, or that it may
be any. What a step reads and writes once it has been executed is among these, so that two steps
need not be executed to know that they have nothing to do with each other.
"""

from __future__ import annotations

from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.def_use import fields_of, mentions_locks, operand_expressions
from flushproof.ir.code import Access, Available, Every, Holds, Instr, Read
from flushproof.support.record import Record


class Touched(Record, frozen=True):
    """The fields that a step may touch, and those among them that it may write.

    With `locks` it looks at all locks there are, whatever their names.
    """

    fields: frozenset[str]
    written: frozenset[str]
    locks: bool

    def meets(self, other: Touched) -> bool:
        """Tell whether one of two steps may write what the other touches."""
        if self.locks or other.locks:
            return True
        return not (self.written.isdisjoint(other.fields) and other.written.isdisjoint(self.fields))


READING = (Read, Access, Available, Holds, Every)
"""What only looks at the fields that it names; all else is taken to write them."""


def list_touched_fields(code: tuple[Instr, ...], start: int, ends: frozenset[int]) -> Touched:
    """Return what the step from `start`, which ends at the latest at `ends`, may touch."""
    step = [code[at] for at in (start, *reachable_positions(code, start, ends))]
    return Touched(
        frozenset(f.name for i in step for f in fields_of(i)),
        frozenset(f.name for i in step if not isinstance(i, READING) for f in fields_of(i)),
        any(mentions_locks(e) for i in step for e in operand_expressions(i)),
    )

"""Loops that surely end because they count: for these a look at the code is enough.

Each round moves one local by one towards what it is compared with. Between two moves it is less
than something (or more, where it goes down), so it does not wrap around, but for the first time.

Lemma L10 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.def_use import defined_local
from flushproof.ir.analysis.weak_topological_order import TopologicalOrder, order_code
from flushproof.ir.code import Assign, Binary, BinaryOp, Branch, Const, Instr, Jump, Local, Var
from flushproof.support.record import Record

Code = tuple[Instr, ...]

TOWARDS = {"<": "+", ">": "-"}
"""Which way a local goes that is compared with its bound."""

TURNED: Mapping[str, BinaryOp] = {"<=": ">", ">=": "<"}
"""What holds where a comparison does not."""


class Loop(Record, frozen=True):
    """A loop of some code, by its head; `inside` are its positions, inner loops' included."""

    code: Code
    shape: TopologicalOrder
    head: int
    inside: frozenset[int]

    @property
    def own(self) -> frozenset[int]:
        """The positions that are in no loop within this one."""
        loops = self.shape.loops
        return frozenset(at for at in self.inside if loops[at] == loops[self.head])

    def goes_round_without(self, position: int) -> bool:
        """Tell whether there is a round that does not come to a position."""
        if position == self.head:
            return False
        outside = frozenset(range(len(self.code))) - self.inside | {position}
        return self.head in reachable_positions(self.code, self.head, outside)


@lru_cache(maxsize=256)
def loops_of(code: Code) -> tuple[Loop, ...]:
    """Return the loops of some code, inner ones included."""
    shape = order_code(code)
    return tuple(loop_at(code, shape, at) for at in range(len(code)) if shape.is_head(at))


def loop_at(code: Code, shape: TopologicalOrder, head: int) -> Loop:
    """Return the loop with a head."""
    inside = frozenset(at for at in range(len(code)) if head in shape.loops[at])
    return Loop(code, shape, head, inside)


def claim_heads(code: Code) -> frozenset[int]:
    """Return the heads of the loops in claims' handlers."""
    return frozenset(loop.head for loop in loops_of(code) if _of_a_claim(loop))


def _of_a_claim(loop: Loop) -> bool:
    """Tell whether all that a loop does was woven in for a claim."""
    does = [loop.code[at] for at in loop.inside if not isinstance(loop.code[at], Jump)]
    return bool(does) and all(i.from_claim for i in does)


def counting_local(loop: Loop) -> tuple[Local, BinaryOp] | None:
    """Return the local that each round moves by one, having compared it with a bound, and how."""
    found = (_moved_by_one(loop, at) for at in sorted(loop.own))
    return next((x for x in found if x is not None), None)


def _moved_by_one(loop: Loop, at: int) -> tuple[Local, BinaryOp] | None:
    match loop.code[at]:
        case Branch(Binary(op, Var(counter), _), then, otherwise) if op in ("<", ">"):
            leaves = otherwise not in loop.inside and then in loop.inside
        case Branch(Binary(op, Var(counter), _), then, otherwise) if op in ("<=", ">="):
            op = TURNED[op]
            leaves = then not in loop.inside and otherwise in loop.inside
        case _:
            return None
    if not leaves or loop.goes_round_without(at):
        return None
    sets = [k for k in loop.inside if defined_local(loop.code[k]) == counter]
    if len(sets) != 1 or sets[0] not in loop.own or loop.goes_round_without(sets[0]):
        return None
    match loop.code[sets[0]]:
        case Assign(_, Binary(step, Var(same), Const(1))):
            return (counter, step) if same == counter and step == TOWARDS[op] else None
        case _:
            return None

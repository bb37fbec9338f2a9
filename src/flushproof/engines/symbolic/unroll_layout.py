"""The shape of an operation's code for unrolling: which instance of a position comes when."""

from __future__ import annotations

from functools import lru_cache

from flushproof.ir.analysis.weak_topological_order import TopologicalOrder, order_code
from flushproof.ir.code import Instr, Local
from flushproof.ir.passes.cleanup import live_locals
from flushproof.ir.program import Operation
from flushproof.support.record import Record

Instance = tuple[int, tuple[int, ...]]
"""A position and the iteration counts of the loops around it."""


class UnrollLayout(Record, frozen=True):
    """What is computed once for an operation's code."""

    operation: Operation
    order: TopologicalOrder
    live: tuple[frozenset[Local], ...]
    boundaries: frozenset[int]

    def key(self, instance: Instance) -> tuple[int, ...]:
        """Return the place of an instance in the order of exploration."""
        at, counts = instance
        key: list[int] = []
        for head, count in zip(self.order.loops[at], counts, strict=True):
            key += [self.order.rank[head], count]
        return (*key, self.order.rank[at])

    def go(self, instance: Instance, to: int) -> Instance:
        """Return the instance that a jump reaches: a head that is reached again counts on."""
        at, counts = instance
        old, new = self.order.loops[at], self.order.loops[to]
        shared = 0
        while shared < min(len(old), len(new)) and old[shared] == new[shared]:
            shared += 1
        kept = list(counts[:shared])
        if self.order.is_head(to) and shared == len(new):
            kept[-1] += 1
        return to, (*kept, *([0] * (len(new) - shared)))


def layout_operation(operation: Operation, boundaries: frozenset[int]) -> UnrollLayout:
    """Prepare an operation for execution."""
    return UnrollLayout(operation, *_shape(operation.code), boundaries)


@lru_cache(maxsize=64)
def _shape(code: tuple[Instr, ...]) -> tuple[TopologicalOrder, tuple[frozenset[Local], ...]]:
    """Return what does not depend on boundaries: problems of all sizes ask for it again."""
    return order_code(code), live_locals(code)

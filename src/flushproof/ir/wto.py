"""A weak topological order of code (Bourdoncle, FMPA 1993): loops nest, and heads are known.

The order assigns every position a path through the loop nest. With an iteration count after each
loop head, comparing paths lexicographically visits unrolled code in an order in which everything
that can reach an instance comes before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from flushproof.ir.code import Instr
from flushproof.ir.flow import successors


@dataclass(frozen=True, slots=True)
class Order:
    """For each position: its rank, and the heads of the loops around it, outermost first.

    A head counts as inside its own loop.
    """

    rank: tuple[int, ...]
    loops: tuple[tuple[int, ...], ...]

    def is_head(self, at: int) -> bool:
        """True for the head of a loop."""
        return bool(self.loops[at]) and self.loops[at][-1] == at


def order(code: tuple[Instr, ...]) -> Order:
    """Compute a weak topological order of code from position 0."""
    return _Search(code).run()


class _Search:
    """Tarjan's components, nested: a component's head is removed and its inside searched again."""

    def __init__(self, code: tuple[Instr, ...]) -> None:
        self.next = [successors(code, at) for at in range(len(code))]
        self.rank = [0] * len(code)
        self.loops: list[tuple[int, ...]] = [()] * len(code)
        self.count = 0

    def run(self) -> Order:
        self._level(frozenset(range(len(self.next))), [0], ())
        return Order(tuple(self.rank), tuple(self.loops))

    def _level(self, within: frozenset[int], starts: list[int], around: tuple[int, ...]) -> None:
        for component in reversed(self._components(within, starts)):
            head = component[-1]
            looping = len(component) > 1 or head in self.next[head]
            inner = (*around, head) if looping else around
            self.rank[head] = self.count
            self.loops[head] = inner
            self.count += 1
            if len(component) > 1:
                rest = frozenset(component) - {head}
                self._level(rest, [t for t in self.next[head] if t in rest], inner)

    def _components(self, within: frozenset[int], starts: list[int]) -> list[list[int]]:
        """Strongly connected components in reverse topological order; the entry comes last."""
        index: dict[int, int] = {}
        low: dict[int, int] = {}
        stack: list[int] = []
        done: set[int] = set()
        found: list[list[int]] = []
        for begin in starts:
            if begin in index or begin not in within:
                continue
            work: list[tuple[int, int]] = [(begin, 0)]
            while work:
                at, edge = work.pop()
                if edge == 0:
                    index[at] = low[at] = len(index)
                    stack.append(at)
                targets = [t for t in self.next[at] if t in within]
                if edge < len(targets):
                    work.append((at, edge + 1))
                    target = targets[edge]
                    if target not in index:
                        work.append((target, 0))
                    elif target not in done:
                        low[at] = min(low[at], index[target])
                    continue
                if low[at] == index[at]:
                    component = []
                    while True:
                        node = stack.pop()
                        done.add(node)
                        component.append(node)
                        if node == at:
                            break
                    found.append(component)
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[at])
        return found

"""A weak topological order of code (Bourdoncle, FMPA 1993): loops nest, and heads are known.

The order assigns every position a path through the loop nest. With an iteration count after each
loop head, comparing paths lexicographically visits unrolled code in an order in which everything
that can reach an instance comes before it.

Lemma L16 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.code import Instr
from flushproof.support.record import Record


class TopologicalOrder(Record, frozen=True):
    """For each position: its rank, and the heads of the loops around it, outermost first.

    A head counts as inside its own loop.
    """

    rank: tuple[int, ...]
    loops: tuple[tuple[int, ...], ...]

    def is_head(self, at: int) -> bool:
        """Tell whether a position is the head of a loop."""
        return bool(self.loops[at]) and self.loops[at][-1] == at


def order_code(code: tuple[Instr, ...]) -> TopologicalOrder:
    """Compute a weak topological order of code from position 0."""
    return _ComponentSearch(code).run()


def loop_heads(code: tuple[Instr, ...]) -> frozenset[int]:
    """Return the heads of loops."""
    shape = order_code(code)
    return frozenset(at for at in range(len(code)) if shape.is_head(at))


class _ComponentSearch:
    """Tarjan's components, nested: a component's head is removed and its inside searched again."""

    def __init__(self, code: tuple[Instr, ...]) -> None:
        self.next = [successor_positions(code, at) for at in range(len(code))]
        self.rank = [0] * len(code)
        self.loops: list[tuple[int, ...]] = [()] * len(code)
        self.count = 0

    def run(self) -> TopologicalOrder:
        self._level(frozenset(range(len(self.next))), [0], ())
        return TopologicalOrder(tuple(self.rank), tuple(self.loops))

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
        search = _Components({at: [t for t in self.next[at] if t in within] for at in within})
        for begin in starts:
            if begin in within and begin not in search.index:
                search.visit(begin)
        return search.found


class _Components:
    """Strongly connected components in reverse topological order; the entry of each comes last."""

    def __init__(self, following: dict[int, list[int]]) -> None:
        self.following = following
        self.index: dict[int, int] = {}
        self.low: dict[int, int] = {}
        self.stack: list[int] = []
        self.done: set[int] = set()
        self.found: list[list[int]] = []

    def visit(self, begin: int) -> None:
        """Search from a position in depth first; `work` stands for the calls of a recursion."""
        work: list[tuple[int, int]] = [(begin, 0)]
        while work:
            at, edge = work.pop()
            if edge == 0:
                self._open(at)
            if edge < len(self.following[at]):
                target = self.following[at][edge]
                work.append((at, edge + 1))
                if target not in self.index:
                    work.append((target, 0))
                elif target not in self.done:
                    self.low[at] = min(self.low[at], self.index[target])
                continue
            if self.low[at] == self.index[at]:
                self._close(at)
            if work:
                parent = work[-1][0]
                self.low[parent] = min(self.low[parent], self.low[at])

    def _open(self, at: int) -> None:
        self.index[at] = self.low[at] = len(self.index)
        self.stack.append(at)

    def _close(self, head: int) -> None:
        """Take the component that was entered at `head` off the stack."""
        size = len(self.stack) - self.stack.index(head)
        component = [self.stack.pop() for _ in range(size)]
        self.done.update(component)
        self.found.append(component)

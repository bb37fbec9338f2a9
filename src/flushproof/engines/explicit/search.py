"""The state graph of one program: which states there are, and every move between them.

A state is a tuple: cells (witnesses first), then each thread's point and number of calls left,
then the number of roots in use. Roots are named in the order of their first use, so a state stands
for all that differ from it by a renaming of roots.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.explicit.accesses import touch_of_access
from flushproof.engines.explicit.boundaries import list_written_fields, step_boundaries
from flushproof.engines.explicit.domains import (
    MANY,
    ROOTS,
    Touch,
    ValueSets,
    enumerate_arguments,
    witness_groups,
)
from flushproof.engines.explicit.steps import IDLE, UNSET, ExplicitSteps, Leaf, State
from flushproof.engines.interpreter import interpreter
from flushproof.engines.interpreter.interpreter import Location
from flushproof.ir.program import BYSTANDERS, Program, Role
from flushproof.support.record import Record


class Sizes(Record, frozen=True):
    """How many vCPUs, loads a vCPU, flushes a flusher, and flushers; and which values there are."""

    vcpus: int
    loads: int = 1
    flushes: int = 2
    flushers: int = 1
    values: ValueSets = MANY

    @property
    def acting(self) -> int:
        """The number of threads that make calls."""
        return self.vcpus + self.flushers

    @property
    def roots(self) -> int:
        """How many different roots loads can bring in."""
        return min(self.vcpus * self.loads, len(ROOTS))


class Move(Record, frozen=True):
    """One step: of which thread, from which point, with what choices, and the states around it.

    `begins`: the step begins a call. In `before` the witnesses are chosen that it looks at. A
    bystander's step has the number of its own thread.
    """

    thread: int
    point: int
    begins: bool
    choices: tuple[int, ...]
    leaf: Leaf
    before: State
    after: State


class Graph:
    """The states of a program made by `Machine.with_claims((claim,))`."""

    def __init__(
        self, program: Program, sizes: Sizes, claim: str | None, accesses: tuple[Touch, ...]
    ) -> None:
        self.program = program
        self.sizes = sizes
        groups = witness_groups(
            program, sizes.vcpus, sizes.acting, sizes.roots, accesses, sizes.values
        )
        self.memory, self.positions = self._lay_out(claim)
        self.controls = len(self.memory)
        self.witnesses = {
            self.cells[f.name, None]: tuple(
                (self.cells[g.fields[0].name, None], *v) for v in g.values
            )
            for g in groups
            for f in g.fields
        }
        self.starts = [self._starts(t) for t in range(sizes.acting)]
        self.bystanders = {r: self._bystander(r) for r in BYSTANDERS}

    def _lay_out(self, claim: str | None) -> tuple[list[int], dict[str, frozenset[int]]]:
        """Give the cells numbers, witnesses first; return what they hold and where steps begin."""
        memory = interpreter.boot_memory(self.program, self.sizes.vcpus)
        changing = list_written_fields(self.program)
        witnesses: list[Location] = [(f.name, None) for f in self.program.witnesses]
        others = [x for x in memory if x[0] in changing and x not in witnesses]
        self.cells: dict[Location, int] = {x: k for k, x in enumerate((*witnesses, *others))}
        fixed = {x: v for x, v in memory.items() if x not in self.cells}
        positions = {o.name: step_boundaries(o, changing) for o in self.program.operations}
        positions |= {o.name: frozenset({0}) for r in BYSTANDERS for o in self.program.of(r)}
        vcpus, values = self.sizes.vcpus, self.sizes.values
        self.steps = ExplicitSteps(self.program, vcpus, self.cells, fixed, positions, claim, values)
        return [UNSET] * len(witnesses) + [memory[x] for x in others], positions

    def _starts(self, thread: int) -> list[tuple[int, int]]:
        """Return the points where a thread's calls begin, and how many roots are in use then."""
        role = Role.LOAD if thread < self.sizes.vcpus else Role.FLUSH
        return [
            (self.steps.point(thread, k, 0, given), used)
            for k, o in enumerate(self.program.operations)
            if o.role is role
            for given, used in enumerate_arguments(o, thread, self.sizes.vcpus, self.sizes.values)
        ]

    def _bystander(self, role: Role) -> int:
        """Return the point of a pseudo-operation, IDLE where there is none."""
        present = self.present
        for k, o in enumerate(self.program.operations):
            if o.role is role:
                return self.steps.point(self.sizes.acting + present.index(role), k, 0, {})
        return IDLE

    @property
    def present(self) -> list[Role]:
        """The pseudo-operations that there are."""
        return [r for r in BYSTANDERS if self.program.of(r)]

    def accesses(self) -> tuple[Touch, ...]:
        """Return every access that any step made so far."""
        found = {touch_of_access(self.program, t, h, held) for t, h, held in self.steps.accesses}
        return tuple(sorted(found))

    # Moves -----------------------------------------------------------------------------------

    @property
    def boot(self) -> State:
        """The state before anything happens."""
        calls = [self.sizes.loads] * self.sizes.vcpus + [self.sizes.flushes] * self.sizes.flushers
        return (*self.memory, *(x for left in calls for x in (IDLE, left)), 0)

    def cost(self, state: State) -> tuple[int, int]:
        """Return how many calls and roots it takes to get to a state; no move lowers it."""
        left = sum(state[self.controls + 1 : -1 : 2])
        return -left, state[-1]

    def is_over(self, state: State) -> bool:
        """Tell whether every thread is between calls."""
        return all(point == IDLE for point in state[self.controls : -1 : 2])

    def looks(self, role: Role, state: State) -> Iterator[Move]:
        """Yield what a bystander does; it changes no more than claims' own variables."""
        point = self.bystanders[role]
        if point == IDLE:
            return
        thread = self.sizes.acting + self.present.index(role)
        for leaf, base, choices in self.steps.outcomes(point, state, self.witnesses):
            after = _written(base, leaf)
            yield Move(thread, point, True, choices, leaf, base, after)  # noqa: FBT003

    def moves(self, state: State) -> list[Move]:
        """Return every step of every thread, and the end of a state in which all wait."""
        out: list[Move] = []
        inside: list[Move] = []
        for thread in range(self.sizes.acting):
            at = self.controls + 2 * thread
            if state[at] == IDLE:
                out += self._calls(state, thread, at)
                continue
            inside += self._steps(state, thread, at, state[at], begins=False)
        out += inside
        if inside and all(m.leaf.blocked for m in inside):
            out += self.looks(Role.DEADLOCK, state)
        return out

    def _calls(self, state: State, thread: int, at: int) -> list[Move]:
        """Begin a call: the next root that is new is always the first one not in use."""
        left, roots = state[at + 1], state[-1]
        if left == 0:
            return []
        out: list[Move] = []
        for point, used in self.starts[thread]:
            if used <= roots + 1:
                begun = (*state[: at + 1], left - 1, *state[at + 2 : -1], max(roots, used))
                out += self._steps(begun, thread, at, point, begins=True)
        return out

    def _steps(self, state: State, thread: int, at: int, point: int, *, begins: bool) -> list[Move]:
        return [
            Move(thread, point, begins, choices, leaf, base, _written(base, leaf, (at, leaf.point)))
            for leaf, base, choices in self.steps.outcomes(point, state, self.witnesses)
        ]


def _written(state: State, leaf: Leaf, *more: tuple[int, int]) -> State:
    new = list(state)
    for cell, value in (*leaf.writes, *more):
        new[cell] = value
    return tuple(new)

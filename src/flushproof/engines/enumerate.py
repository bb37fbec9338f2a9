"""The enumerator: every interleaving of every visible instruction, state by state. No solver.

In: an instrumented program and how many threads and calls there are. Out: whether the claim fails
in some reachable state. It shares the IR and the interpreter with the other engines and nothing
else, so that agreement with them means something.

Nothing is abstracted but values: roots, ranges, results and witnesses come from the small sets of
`explicit/domains.py`. A witness is chosen when something first looks at it, which is no different
from choosing it beforehand: until then it has had no effect.
"""

from __future__ import annotations

from dataclasses import dataclass

from flushproof.engines import concrete
from flushproof.engines.concrete import Location
from flushproof.engines.explicit.boundaries import boundaries, written
from flushproof.engines.explicit.domains import (
    ROOTS,
    Touch,
    arguments,
    has_access,
    witness_groups,
)
from flushproof.engines.explicit.steps import IDLE, UNSET, Leaf, State, Steps
from flushproof.ir.code import Access, Exchange, Mode, Read, Write
from flushproof.ir.program import BYSTANDERS, Program, Role
from flushproof.machine.instrument import PLACE_STRIDE


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many vCPUs, loads a vCPU, flushes a flusher, and flushers."""

    vcpus: int
    loads: int = 1
    flushes: int = 2
    flushers: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in `states` states; the search ends at the first violation.

    `undefined` describes undefined behaviour that was met; executions are not followed past it.
    """

    found: bool
    states: int
    undefined: str | None


def enumerate_claim(program: Program, sizes: Sizes, claim: str) -> Outcome:
    """Explore all interleavings of a program made by `Machine.with_claims((claim,))`."""
    program.require(sizes.loads, sizes.flushes, sizes.flushers)
    accesses: tuple[Touch, ...] = ()
    if has_access(program):
        nobody = ((0, 0, 0, 0, 0),)
        scout = _Search(program, sizes, claim, nobody)
        first = scout.run()
        if first.found:
            return first
        accesses = scout.accesses()
    return _Search(program, sizes, claim, accesses).run()


class _Search:
    """One exploration.

    A state is a tuple: cells, then each thread's point and number of calls left, then the number
    of roots in use.
    """

    def __init__(
        self, program: Program, sizes: Sizes, claim: str, accesses: tuple[Touch, ...]
    ) -> None:
        self.program = program
        self.sizes = sizes
        self.claim = claim
        self.acting = sizes.vcpus + sizes.flushers
        roots = min(sizes.vcpus * sizes.loads, len(ROOTS))
        groups = witness_groups(program, sizes.vcpus, self.acting, roots, accesses)
        self.boot = self._lay_out()
        self.controls = len(self.boot)
        self.witnesses = {
            self.cells[f.name, -1]: tuple((self.cells[g.fields[0].name, -1], *v) for v in g.values)
            for g in groups
            for f in g.fields
        }
        self.starts = [self._starts(t) for t in range(self.acting)]
        self.end = self._bystander(Role.END)
        self.deadlock = self._bystander(Role.DEADLOCK)
        self.undefined: str | None = None
        self.found = False

    def _lay_out(self) -> list[int]:
        """Give each cell a number, witnesses first, and return what they hold at boot."""
        memory = concrete.boot_memory(self.program, self.sizes.vcpus)
        changing = written(self.program)
        witnesses = [(f.name, -1) for f in self.program.witnesses]
        others = [x for x in memory if x[0] in changing]
        self.cells: dict[Location, int] = {x: k for k, x in enumerate((*witnesses, *others))}
        fixed = {x: v for x, v in memory.items() if x not in self.cells}
        positions = {o.name: boundaries(o, changing) for o in self.program.operations}
        positions |= {o.name: frozenset({0}) for r in BYSTANDERS for o in self.program.of(r)}
        self.steps = Steps(self.program, self.sizes.vcpus, self.cells, fixed, positions, self.claim)
        return [UNSET] * len(witnesses) + [memory[x] for x in others]

    def _starts(self, thread: int) -> list[tuple[int, int]]:
        """Return the points where a thread's calls begin, each with the place of its root or -1."""
        role = Role.LOAD if thread < self.sizes.vcpus else Role.FLUSH
        return [
            (self.steps.point(thread, k, 0, given), root)
            for k, o in enumerate(self.program.operations)
            if o.role is role
            for given, root in arguments(o, thread)
        ]

    def _bystander(self, role: Role) -> int:
        """Return the point of a pseudo-operation, IDLE where there is none."""
        present = [r for r in BYSTANDERS if self.program.of(r)]
        if role not in present:
            return IDLE
        number = self.acting + present.index(role)
        for k, o in enumerate(self.program.operations):
            if o.role is role:
                return self.steps.point(number, k, 0, {})
        return IDLE

    def accesses(self) -> tuple[Touch, ...]:
        """Every access that was made."""
        shared = [f for f in self.program.fields if not f.ghost]
        out: set[Touch] = set()
        for thread, h, held in self.steps.accesses:
            assert h.location is not None
            assert isinstance(h.instr, (Read, Write, Exchange, Access))
            place = shared.index(h.instr.field) * PLACE_STRIDE + max(h.location[1], 0)
            once = isinstance(h.instr, Exchange) or h.instr.mode is Mode.ONCE
            write = h.instr.write if isinstance(h.instr, Access) else not isinstance(h.instr, Read)
            out.add((thread + 1, place, int(write), int(once), held))
        return tuple(sorted(out))

    # Search ----------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Explore depth first."""
        work = self._first_states()
        seen = set(work)
        while work and not self.found:
            state = work.pop()
            self._look(self.end, state)
            for after in self._successors(state):
                if after not in seen:
                    seen.add(after)
                    work.append(after)
        return Outcome(self.found, len(seen), self.undefined)

    def _first_states(self) -> list[State]:
        """Return the states after whoever observes the boot state."""
        calls = [self.sizes.loads] * self.sizes.vcpus + [self.sizes.flushes] * self.sizes.flushers
        state = (*self.boot, *(x for left in calls for x in (IDLE, left)), 0)
        observer = self._bystander(Role.OBSERVE)
        if observer == IDLE:
            return [state]
        return [
            _written(base, leaf)
            for leaf, base in self.steps.outcomes(observer, state, self.witnesses)
            if self._goes_on(leaf)
        ]

    def _look(self, bystander: int, state: State) -> None:
        """Let a bystander look at a state, which changes nothing; any state may be the last one."""
        if bystander != IDLE:
            for leaf, _ in self.steps.outcomes(bystander, state, self.witnesses):
                self._goes_on(leaf)

    def _goes_on(self, leaf: Leaf) -> bool:
        """Take note of what happened in a step; False where nothing follows."""
        self.found |= leaf.violated
        if leaf.undefined and self.undefined is None:
            self.undefined = leaf.undefined
        return not leaf.blocked and not leaf.undefined

    def _successors(self, state: State) -> list[State]:
        out: list[State] = []
        leaves: list[Leaf] = []
        for thread in range(self.acting):
            at = self.controls + 2 * thread
            if state[at] == IDLE:
                out += self._calls(state, thread, at)
                continue
            for leaf, base in self.steps.outcomes(state[at], state, self.witnesses):
                leaves.append(leaf)
                if self._goes_on(leaf):
                    out.append(_after(base, leaf, at))
        if leaves and all(leaf.blocked for leaf in leaves):
            self._look(self.deadlock, state)
        return out

    def _calls(self, state: State, thread: int, at: int) -> list[State]:
        """Begin a call: the next root that is new is always the first one not in use."""
        left, roots = state[at + 1], state[-1]
        if left == 0:
            return []
        out: list[State] = []
        for point, root in self.starts[thread]:
            if root > roots:
                continue
            begun = (*state[: at + 1], left - 1, *state[at + 2 : -1], max(roots, root + 1))
            for leaf, base in self.steps.outcomes(point, begun, self.witnesses):
                if self._goes_on(leaf):
                    out.append(_after(base, leaf, at))
        return out


def _written(state: State, leaf: Leaf) -> State:
    new = list(state)
    for cell, value in leaf.writes:
        new[cell] = value
    return tuple(new)


def _after(state: State, leaf: Leaf, at: int) -> State:
    new = list(state)
    for cell, value in leaf.writes:
        new[cell] = value
    new[at] = leaf.point
    return tuple(new)

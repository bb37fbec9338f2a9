"""Whether a step of one thread can be moved past a step of another, asked of z3.

Steps are taken from arbitrary local states and started in an arbitrary shared state in which each
thread holds the locks that it surely holds at that point, as far as nobody else frees them, and in
which no `step` handler of a claim objects (such a state has been reported when it was reached).
Moving must keep the state and every failure of a claim.

Lemma L7, Lemma L12 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import or_

import z3

from flushproof.engines.reduction.touched_fields import Touched, list_touched_fields
from flushproof.engines.smt import terms as t
from flushproof.engines.smt.term_constructors import Substitution, add_constraints, is_same_term
from flushproof.engines.symbolic.effects import After, apply_step, start_state, unknown_value
from flushproof.engines.symbolic.execute import Executor
from flushproof.engines.symbolic.locations import SHARED, Location, OwnCell
from flushproof.engines.symbolic.locks import facts_of_held_lock
from flushproof.engines.symbolic.step import Readers, SymbolicStep, World
from flushproof.engines.symbolic.unroll_layout import layout_operation
from flushproof.engines.symbolic.values import Value
from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.dataflow import solve_forward
from flushproof.ir.analysis.held_locks import are_exclusive, surely_held
from flushproof.ir.analysis.weak_topological_order import loop_heads
from flushproof.ir.code import Local
from flushproof.ir.program import MOST_VCPUS, Operation, Role
from flushproof.ir.types import VCPU
from flushproof.support.record import Record, replace


class Site(Record, frozen=True):
    """A position of an operation where a step may begin."""

    operation: str
    at: int


class ThreadCounts(Record, frozen=True):
    """How many vCPUs there are, None for any number, and how many flushers."""

    vcpus: int | None
    flushers: int


class CommuteResult(Record, frozen=True):
    """Whether one step can be moved right past another (`ab` to `ba`), and left (`ba` to `ab`)."""

    right: bool
    left: bool


EFFORT = 2_000_000
"""The solver's own steps that one question may take; without an answer nothing moves."""
FIRST = 100_000
"""So many it takes at first; what it has learned from other questions can lead it astray."""

FREELY = CommuteResult(right=True, left=True)


class WitnessCase(Record, frozen=True):
    """Whether the two threads are vCPUs that a claim's witness names; None leaves it open."""

    a: bool | None = None
    b: bool | None = None

    @property
    def swapped(self) -> WitnessCase:
        """The same with the threads exchanged."""
        return WitnessCase(self.b, self.a)


ANYONE = WitnessCase()


class _TwoSteps(Record, frozen=True):
    """Two steps in one order: what each did, and the state at the end."""

    a: After
    b: After
    end: dict[Location, Value]

    @property
    def claims(self) -> frozenset[str | None]:
        return frozenset(name for x in (self.a, self.b) for name, _ in x.failures)

    def failing(self, claim: str | None) -> t.Bool:
        return t.or_(self.a.failing(claim), self.b.failing(claim))


class Moves:
    """Answers for one program, cut into steps at `cuts` (and at loop heads)."""

    def __init__(
        self,
        world: World,
        population: ThreadCounts,
        cuts: Mapping[str, frozenset[int]],
    ) -> None:
        self.program = program = world.program
        self.algebra = world.algebra
        self.population = population
        self.operations = {o.name: o for o in program.operations}
        self.cuts = cuts
        self.fields = {f.name: f for f in program.fields}
        self.layouts = {
            name: layout_operation(o, _with_heads(o, cuts)) for name, o in self.operations.items()
        }
        self.held = surely_held(program.operations)
        self.threads = (z3.Int("thread.a"), z3.Int("thread.b"))
        readers = Readers(tuple((OwnCell(k), x) for k, x in enumerate(self.threads)), rest=True)
        self.world = replace(world, readers=readers)
        self.solver = z3.Solver()
        self.solver.set("rlimit", FIRST)
        self.constraints: list[z3.BoolRef] = []
        self._told = 0
        if isinstance(world.count, z3.ArithRef):
            most = MOST_VCPUS if population.vcpus is None else population.vcpus
            self.constraints += [world.count >= 1, world.count <= most]
        self._steps: dict[tuple[Site, int], SymbolicStep] = {}
        self._touching: dict[Site, Touched] = {}
        self._answers: dict[tuple[Site, Site, WitnessCase], CommuteResult] = {}
        self.witnesses = tuple(f for f in program.witnesses if f.type == VCPU)
        self.observers = tuple(self._step(Site(o.name, 0), 0) for o in program.of(Role.OBSERVE))
        if self.observers and not self._reported():
            self.observers = ()

    def meet(self, a: str, b: str) -> bool:
        """Return true when two threads may run these operations at the same time."""
        roles = {self.operations[a].role, self.operations[b].role}
        if roles == {Role.LOAD}:
            return self.population.vcpus != 1
        return roles != {Role.FLUSH} or self.population.flushers > 1

    def passing(self, a: Site, b: Site, standing: WitnessCase = ANYONE) -> CommuteResult:
        """Whether a step at `a` can be moved past a step at `b` of another thread."""
        if (a, b, standing) not in self._answers:
            found = self._passing(a, b, standing)
            self._answers[a, b, standing] = found
            self._answers[b, a, standing.swapped] = CommuteResult(
                right=found.left, left=found.right
            )
        return self._answers[a, b, standing]

    def _passing(self, a: Site, b: Site, standing: WitnessCase) -> CommuteResult:
        # Both are where they surely hold one lock: there is no state to ask about (L7).
        if self._excluded(a, b):
            return FREELY
        # Nothing that one writes is touched by the other, so both orders do the same. Most pairs
        # are like that, which mostly shows before a step is executed.
        if not self._touched(a).meets(self._touched(b)):
            return FREELY
        x, y = self._step(a, 0), self._step(b, 1)
        if not _overlap(x, y):
            return FREELY
        start = start_state(self.world, (x, y, *self.observers))
        a_first = apply_step(self.algebra, x, start)
        b_second = apply_step(self.algebra, y, a_first.state)
        b_first = apply_step(self.algebra, y, start)
        a_second = apply_step(self.algebra, x, b_first.state)
        ab = _TwoSteps(a_first, b_second, b_second.state)
        ba = _TwoSteps(a_second, b_first, a_second.state)
        goals = self._unmatched(ab, ba), self._unmatched(ba, ab)
        with self._assuming(start, (a, b), standing):
            # Most pairs move both ways: one question for those, in place of two.
            if not self._possible(t.or_(*goals)):
                return FREELY
            right, left = (not self._possible(g) for g in goals)
        return CommuteResult(right=right, left=left)

    def _unmatched(self, old: _TwoSteps, new: _TwoSteps) -> t.Bool:
        """Return that a run in the old order has no like in the new one, failures included."""
        equal = self.algebra.equal
        # Free choices are shared by the two runs, which is enough: the new one only has to exist.
        like = [new.a.enabled, new.b.enabled]
        like += [equal(v, new.end[w]) for w, v in old.end.items()]
        # The state alone is too little: a thread must also go on at the same place with the same
        # locals, else what it does next is another run.
        known = (*old.a.known, *old.b.known), (*new.a.known, *new.b.known)
        for (guard, values), (other, others) in zip(*known, strict=True):
            same = (equal(v, w) for v, w in zip(values, others, strict=True))
            like += [t.equal_bool(guard, other), t.implies(guard, t.and_(*same))]
        # Every failure of the old order must be one of the new: a claim that objects to "a before
        # b" would else be lost with the order. More failures do no harm (L7).
        like += [
            t.implies(old.failing(c), new.failing(c))
            for c in sorted(old.claims, key=lambda c: c or "")
        ]
        return t.and_(old.a.enabled, old.b.enabled, t.not_(t.and_(*like)))

    def stale(self, site: Site) -> frozenset[int]:
        """Return the assertions of a step that fail only where something was wrong before.

        The step is looked at as far as to the first head of a loop. What stands behind one may be
        reached from a state in which something went wrong in this very step, so it is kept.
        """
        step = self._step(site, 0)
        if not self.observers:
            return frozenset()
        start = start_state(self.world, (step, *self.observers))
        failures = apply_step(self.algebra, step, start).failures
        later = _behind_heads(self.operations[site.operation], self.cuts, site.at)
        with self._assuming(start, (site,)):
            return frozenset(
                c.at
                for c, (_, broken) in zip(step.claimed, failures, strict=False)
                if c.at not in later and not self._possible(broken)
            )

    def _reported(self) -> bool:
        """Whether no state to which a `step` handler objects is reached without that being told.

        A handler runs after some accesses only, as the thread that made them. It must take no
        notes and be of one mind in all threads, and what leads to its objection must tell it.
        """
        objections = [c.broken for o in self.observers for c in o.claimed]
        if any(o.outputs for o in self.observers) or any(map(self._of_a_thread, objections)):
            return False
        acting = (o.name for o in self.program.operations if o.role in (Role.LOAD, Role.FLUSH))
        sites = (Site(name, at) for name in acting for at in self.layouts[name].boundaries)
        return all(map(self._reports, sites))

    def _of_a_thread(self, condition: t.Bool) -> bool:
        """Whether a condition names the thread, as it does where it asks what that one holds."""
        if isinstance(condition, bool):
            return False
        return not is_same_term(condition, Substitution([self.threads])(condition))

    def _reports(self, site: Site) -> bool:
        """Whether a step tells of each objection to what it leaves behind."""
        step = self._step(site, 0)
        if not any(step.outputs.keys() & o.inputs.keys() for o in self.observers):
            return True
        start = start_state(self.world, (step, *self.observers))
        done = apply_step(self.algebra, step, start)
        untold = (
            t.and_(done.enabled, broken, t.not_(done.failing(claim)))
            for o in self.observers
            for claim, broken in apply_step(self.algebra, o, done.state).failures
        )
        with self._assuming(start, (site,)):
            return not any(self._possible(u) for u in untold)

    def _possible(self, condition: t.Bool) -> bool:
        if isinstance(condition, bool):
            return condition
        with _level(self.solver):
            add_constraints(self.solver, (condition,))
            answer = self.solver.check()
            # What was learned from other questions can lead the solver astray: it is asked alone.
            # Still no answer counts as possible, so that nothing moves and steps are only cut more
            # often.
            if answer == z3.unknown:
                alone = z3.Solver()
                alone.set("rlimit", EFFORT)
                add_constraints(alone, self.solver.assertions())
                answer = alone.check()
            return bool(answer != z3.unsat)

    def _excluded(self, a: Site, b: Site) -> bool:
        """Return true when two threads cannot be there at the same time, because of a lock."""
        return are_exclusive(self.held[a.operation][a.at], self.held[b.operation][b.at])

    # Assumptions -----------------------------------------------------------------------------

    @contextmanager
    def _assuming(
        self, start: dict[Location, Value], at: tuple[Site, ...], standing: WitnessCase = ANYONE
    ) -> Iterator[None]:
        """Let the solver take for granted what holds when threads are about to step from `start`.

        What is known of unknowns stays in the solver for later questions.
        """
        unobjected = (
            t.not_(f)
            for o in self.observers
            for _, f in apply_step(self.algebra, o, start).failures
        )
        assumed = [*self._known(at, start), *self._standing(standing), *unobjected]
        add_constraints(self.solver, self.constraints[self._told :])
        self._told = len(self.constraints)
        with _level(self.solver):
            add_constraints(self.solver, (*self.algebra.axioms(), *map(t.z3_bool, assumed)))
            yield

    def _known(self, at: tuple[Site, ...], start: dict[Location, Value]) -> Iterator[t.Bool]:
        # Any state in which locks are held as they surely are there: to ask of reachable states
        # alone would take the invariant that is looked for.
        x, y = self.threads
        yield x != y
        for site, number in zip(at, self.threads, strict=False):
            yield self._among(self.operations[site.operation].role, number)
            for hold in sorted(self.held[site.operation][site.at]):
                yield from facts_of_held_lock(
                    self.world, partial(unknown_value, self.world), hold, number
                )
        for where, value in start.items():
            yield from self.algebra.limits(value, self.fields[where[0]].type, self.world.count)

    def _standing(self, standing: WitnessCase) -> Iterator[t.Bool]:
        for number, wanted in zip(self.threads, (standing.a, standing.b), strict=True):
            if wanted is not None:
                is_named = witness_condition(self.world, number)
                yield is_named if wanted else t.not_(is_named)

    def _among(self, role: Role, number: z3.ArithRef) -> t.Bool:
        n = self.world.count
        low, high = (0, n) if role is Role.LOAD else (n, n + self.population.flushers)
        return t.and_(number >= low, number < high)

    # Steps -----------------------------------------------------------------------------------

    def _touched(self, site: Site) -> Touched:
        if site not in self._touching:
            shape = self.layouts[site.operation]
            found = list_touched_fields(shape.operation.code, site.at, shape.boundaries)
            self._touching[site] = found
        return self._touching[site]

    def _step(self, site: Site, side: int) -> SymbolicStep:
        key = (site, side)
        if key not in self._steps:
            shape = self.layouts[site.operation]
            executor = Executor(self.world, self.threads[side], lambda _: False)
            live = sorted(shape.live[site.at], key=lambda x: x.name)
            locals_ = {x: self._local(shape.operation, x, site, side) for x in live}
            self._steps[key] = executor.alone(shape, site.at, locals_, f"side{side}")
            self.constraints += executor.constraints
        return self._steps[key]

    def _local(self, operation: Operation, x: Local, site: Site, side: int) -> Value:
        if operation.role is Role.LOAD and x == operation.parameters.vcpu:
            return self.threads[side]
        kind = self.algebra.kinds.local(operation.name, x)
        value = self.algebra.fresh(f"{x.name}@{site.operation}.{site.at}.{side}", x.type, kind)
        self.constraints += self.algebra.limits(value, x.type, self.world.count)
        return value


@contextmanager
def _level(solver: z3.Solver) -> Iterator[None]:
    """Forget at the end what the solver was told in between."""
    solver.push()
    try:
        yield
    finally:
        solver.pop()


def witness_condition(world: World, number: t.Number) -> t.Bool:
    """Return the condition that a witness of a claim is this vCPU."""
    words = (world.fixed[f.name, SHARED] for f in world.program.witnesses if f.type == VCPU)
    return t.or_(*(world.algebra.equal(w, number) for w in words))


def _overlap(a: SymbolicStep, b: SymbolicStep) -> bool:
    writes = a.outputs.keys() & (b.inputs.keys() | b.outputs.keys())
    return bool(writes or b.outputs.keys() & a.inputs.keys())


def _with_heads(operation: Operation, cuts: Mapping[str, frozenset[int]]) -> frozenset[int]:
    return cuts.get(operation.name, frozenset({0})) | loop_heads(operation.code)


def _behind_heads(
    operation: Operation, cuts: Mapping[str, frozenset[int]], start: int
) -> frozenset[int]:
    """Return the positions that one step may come to behind the head of a loop within it."""
    code = operation.code
    ends = cuts.get(operation.name, frozenset({0}))
    inner = loop_heads(code) - ends

    def flow(at: int, behind: bool) -> Iterator[tuple[int, bool]]:  # noqa: FBT001 - a fact
        for to in successor_positions(code, at):
            if to not in ends:
                yield to, behind or to in inner

    found = solve_forward(False, flow, or_, start)  # noqa: FBT003
    return frozenset(at for at, behind in found.items() if behind)

"""One bounded question: these operations, these claims, this many vCPUs, as a z3 problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import z3

from flushproof.engines.bounded.flusher_symmetry import choose_callers
from flushproof.engines.bounded.round_schedule import LoadPass, slots_for
from flushproof.engines.bounded.scheduler_encoding import Wired, Wiring
from flushproof.engines.bounded.threads import Counts, Unroller, argument_key
from flushproof.engines.outcome import NoCounterexample, Outcome, Undecided
from flushproof.engines.reduction.atomicity import LoadOrder
from flushproof.engines.reduction.commutativity import Site, witness_condition
from flushproof.engines.reduction.step_plan import StepPlan
from flushproof.engines.smt import terms as t
from flushproof.engines.smt.isolated_solver import IsolatedSolver
from flushproof.engines.smt.proof_tactic import is_contradiction
from flushproof.engines.symbolic.boot import make_boot_state
from flushproof.engines.symbolic.step import SymbolicStep, ThreadSteps
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.ir.analysis.representation import PAGE_BITS
from flushproof.ir.program import Program, Role
from flushproof.ir.types import VCPU
from flushproof.support.record import Record
from flushproof.support.source import Span

EFFORT = 500_000_000
"""The solver's own steps that one question may take, about a minute's worth."""


class Failure(Record, frozen=True):
    """A way for one step to go wrong, which it does if `condition` holds.

    `span` is where something undefined is.
    """

    thread: int
    step: int
    condition: t.Bool
    text: str
    span: Span | None = None


class BoundedQuery:
    """The unrolled, scheduled system: its constraints, and a solver that holds them.

    `calls_only` says that of a counterexample only the number of calls is to be small.
    """

    def __init__(
        self,
        program: Program,
        plan: StepPlan,
        counts: Counts,
        rounds: int | None,
        among: Mapping[str, range] | None,
        effort: int,
        proofs: z3.Context,
        *,
        calls_only: bool,
    ) -> None:
        self.proofs = proofs
        self.program = program
        self.plan = plan
        self.counts = counts
        self.effort = effort
        self.calls_only = calls_only
        self.algebra = Algebra(plan.kinds)
        self.among = among or {}
        everyone = range(1, counts.vcpus + counts.flushers + 1)
        chosen = {
            **{f.name: everyone for f in program.threads},
            **choose_callers(program, counts.vcpus, counts.flushers),
            **self.among,
        }
        start = make_boot_state(
            program, self.algebra, counts.vcpus, counts.vcpus, counts.flushers, chosen
        )
        self.world = start.world
        self.witnesses = start.witnesses
        self.threads = Unroller(self.world, counts, plan.boundaries, self._feasible).threads()
        self.turns = slots_for(self.threads, self._windows(), rounds)
        self.wired: Wired = Wiring(self.algebra, self.threads, self.turns.slots, start.memory).run()
        self.constraints = [
            *start.constraints,
            *(c for thread in self.threads for c in thread.constraints),
            *self.wired.constraints,
            *self.algebra.axioms(),
        ]

    @cached_property
    def solver(self) -> IsolatedSolver:
        """The constraints in a solver, made when it is asked for."""
        return IsolatedSolver(self.constraints, self.effort)

    def excludes(self, failures: Sequence[Failure]) -> bool:
        """Return true if it is quickly shown that nothing of this can happen."""
        goal = t.or_(*(f.condition for f in failures))
        if goal is False:
            return True
        effort = max(1, self.effort // 4)
        parts = self._slot_by_slot(failures)
        return is_contradiction(
            self.constraints, t.z3_bool(goal), effort, self.proofs, parts if len(parts) > 1 else ()
        )

    def _slot_by_slot(self, failures: Sequence[Failure]) -> list[z3.BoolRef]:
        """Return for each slot that something fails in it, in order."""
        here: dict[tuple[int, int], list[t.Bool]] = {}
        for f in failures:
            here.setdefault((f.thread, f.step), []).append(f.condition)
        slots: dict[int, list[t.Bool]] = {}
        for placed in self.wired.placed:
            for condition in here.get((placed.thread, placed.step), ()):
                slots.setdefault(placed.slot, []).append(t.and_(placed.here, condition))
        goals = (t.or_(*slots[slot]) for slot in sorted(slots))
        return [t.z3_bool(goal) for goal in goals if goal is not False]

    @property
    def open_loop(self) -> Undecided | None:
        """Say which loop was not followed to its end, so that what it leads to is open."""
        cuts = (c for thread in self.threads for c in thread.cut)
        return next((Undecided(c.words()) for c in cuts), None)

    def unless_open(self, outcome: Outcome) -> Outcome:
        """Return an outcome; that nothing fails is open where a loop was not followed."""
        if isinstance(outcome, NoCounterexample):
            return self.open_loop or outcome
        return outcome

    def _windows(self) -> tuple[LoadPass, ...]:
        """Return the loads that may be taken together, in an order that loses nothing."""
        everyone = tuple(self.counts.loading)
        match LoadOrder.ANY if len(everyone) == 1 else self.plan.order:
            case LoadOrder.ANY:
                return (LoadPass(tuple((v, True) for v in everyone)),)
            case LoadOrder.NAMED_FIRST:
                first = [(v, self._named(v)) for v in everyone]
                rest = tuple((v, t.not_(c)) for v, c in first)
                return (LoadPass(tuple(first)), LoadPass(rest))
            case LoadOrder.NONE:
                return ()

    def _named(self, vcpu: int) -> t.Bool:
        """Return the condition that a witness is this vCPU."""
        names = (f.name for f in self.program.witnesses if f.type == VCPU)
        everyone = range(self.counts.vcpus)
        if all(vcpu not in self.among.get(name, everyone) for name in names):
            return False
        return witness_condition(self.world, vcpu)

    def _feasible(self, condition: t.Bool) -> bool | None:
        solver = z3.Solver()
        solver.set("rlimit", self.effort)
        solver.add(*self.algebra.axioms(), t.z3_bool(condition))
        answer = solver.check()
        return None if answer == z3.unknown else bool(answer == z3.sat)

    # Questions -------------------------------------------------------------------------------

    def steps(self) -> Iterator[tuple[int, int, SymbolicStep, t.Bool]]:
        """Every step with its thread position, number, and whether it happens."""
        for position, thread in enumerate(self.threads):
            for number, step in enumerate(thread.steps):
                yield position, number, step, self.wired.executed[position][number]

    def failures(self, claim: str) -> list[Failure]:
        """Every way for a claim to fail."""
        return [
            Failure(p, k, t.and_(happens, c.broken), c.claim)
            for p, k, step, happens in self.steps()
            for c in step.claimed
            if c.claim == claim and c.at not in self._stale(step)
        ]

    def _stale(self, step: SymbolicStep) -> frozenset[int]:
        return self.plan.stale.get(Site(step.operation, step.at), frozenset())

    def faults(self, *, from_claim: bool | None = None) -> list[Failure]:
        """Every way to run into undefined behaviour, in claims' handlers or the code, or both."""
        return [
            Failure(p, k, t.and_(happens, f.broken), f.text, f.instr.span)
            for p, k, step, happens in self.steps()
            for f in step.faults
            if from_claim is None or f.instr.from_claim is from_claim
        ]

    def calls(self) -> list[t.Bool]:
        """For each call of each thread, whether it is begun."""
        return [
            happens
            for position, thread in enumerate(self.threads)
            if thread.role in (Role.LOAD, Role.FLUSH)
            for happens in self.begun(position)
        ]

    def begun(self, position: int) -> list[t.Bool]:
        """Return for each call of one thread whether it is begun."""
        executed = self.wired.executed[position]
        return [executed[k] for k in _first_steps(self.threads[position])]

    def roots(self) -> list[tuple[t.Bool, Value]]:
        """Return the root of each load, and whether the load is begun."""
        out: list[tuple[t.Bool, Value]] = []
        for position, thread in enumerate(self.threads):
            begun = self.begun(position)
            for call, given in enumerate(thread.arguments):
                for name, value in given.items():
                    if self._is_root(name):
                        out.append((begun[call], value))
        return out

    def root_name(self, number: int) -> Value:
        """Return one of the values to which the roots of loads may be narrowed."""
        if self.algebra.kinds.exact_roots:
            return self.algebra.fresh_root(f"root{number}")
        return z3.BitVecVal((number + 1) << PAGE_BITS, 64)

    def _is_root(self, name: str) -> bool:
        operation, parameter = name.split("/", 1)
        return any(
            o.name == operation
            and o.parameters.root is not None
            and o.parameters.root.name == parameter
            for o in self.program.operations
        )

    def switches(self) -> list[t.Bool]:
        """For each slot, whether a thread acts in it that is not the one that acted last."""
        acted: dict[int, t.Bool] = {}
        out: list[t.Bool] = []
        for thread, acts in self._slots():
            out.append(t.and_(acts, t.not_(acted.get(thread, False))))
            acted = {
                x: t.and_(before, t.not_(acts)) for x, before in acted.items() if x != thread
            } | {thread: t.or_(acts, acted.get(thread, False))}
        return out

    def moments(self) -> list[t.Bool]:
        """Return for each step of a load or a flush whether it happens."""
        return [
            t.and_(happens, step.guard)
            for position, _, step, happens in self.steps()
            if self.threads[position].role in (Role.LOAD, Role.FLUSH)
        ]

    def _slots(self) -> list[tuple[int, t.Bool]]:
        """Return for each slot of a load or a flush the thread, and whether it does anything."""
        here: dict[int, list[t.Bool]] = {}
        threads: dict[int, int] = {}
        for placed in self.wired.placed:
            step = self.threads[placed.thread].steps[placed.step]
            if self.threads[placed.thread].role in (Role.LOAD, Role.FLUSH):
                here.setdefault(placed.slot, []).append(t.and_(placed.here, step.guard))
                threads[placed.slot] = placed.thread
        return [(threads[slot], t.or_(*acts)) for slot, acts in here.items()]

    def oddities(self) -> list[t.Bool]:
        """Return what a reader would rather not see without need: failures, partial ranges."""
        out = [
            t.and_(happens, c.guard, self.algebra.nonzero(c.value))
            for _, _, step, happens in self.steps()
            for c in step.choices
            if c.hypercall
        ]
        parameters = ((o.name, o.parameters.whole) for o in self.program.operations)
        whole = {argument_key(name, p) for name, p in parameters if p is not None}
        for position, thread in enumerate(self.threads):
            begun = self.begun(position)
            for call, given in enumerate(thread.arguments):
                out += [
                    t.and_(begun[call], t.not_(v))
                    for name, v in given.items()
                    if name in whole and isinstance(v, (bool, z3.BoolRef))
                ]
        return [x for x in out if x is not False]


def _first_steps(thread: ThreadSteps) -> list[int]:
    """Return the number of the first step of each call."""
    out: dict[int, int] = {}
    for k, step in enumerate(thread.steps):
        out.setdefault(step.call, k)
    return [out[c] for c in sorted(out)]

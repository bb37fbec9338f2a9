"""The bounded engine: the smallest counterexample, or none within the bounds.

It looks at one vCPU first, then two, and so on. A counterexample is made small within a budget
(`minimise.py`). Nothing is believed here:
the caller replays it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import assert_never

import z3

from flushproof.engines.bounded.decode_model import decode_schedule
from flushproof.engines.bounded.minimise import Minimiser, is_true
from flushproof.engines.bounded.query import EFFORT, BoundedQuery, Failure
from flushproof.engines.bounded.threads import Boundaries, Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.outcome import (
    NOTHING_FAILS,
    NoCounterexample,
    Outcome,
    Undecided,
    undefined_in_claim,
)
from flushproof.engines.reduction.atomicity import LoadOrder
from flushproof.engines.reduction.commutativity import ThreadCounts
from flushproof.engines.reduction.step_plan import StepPlan, make_plan
from flushproof.engines.schedule import Schedule
from flushproof.engines.second.cvc5_query import SolverAnswer
from flushproof.engines.second.second_solver import Second
from flushproof.engines.smt import terms as t
from flushproof.engines.smt.isolated_solver import IsolatedSolver
from flushproof.engines.smt.model_search import ModelSearch
from flushproof.engines.smt.smtlib import smtlib_script
from flushproof.engines.symbolic.values import NotExact
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.program import Program, Role
from flushproof.ir.types import VCPU
from flushproof.results.second_opinion import Opinion
from flushproof.support.process_pool import map_cases, share_range
from flushproof.support.record import Record, replace


class Settings(Record, frozen=True):
    """What a user may lower or fix: the number of rounds, and where steps begin.

    `plan` is one that was made before, for at least as many vCPUs. `effort` is how many of its own
    steps the solver may take for one question, and `second` is asked it again. With `calls_only` a
    counterexample has as few calls as one that is made small, and is otherwise any.
    """

    boundaries: Boundaries | None = None
    rounds: int | None = None
    plan: StepPlan | None = None
    effort: int = EFFORT
    second: Second | None = None
    calls_only: bool = False


class _Result(Record, frozen=True):
    """The answer for one case, and whether rounds were enough and roots page numbers.

    `opinions` are the second solver's.
    """

    answer: Outcome
    enough: bool
    exact_roots: bool
    opinions: tuple[Opinion, ...]


FEW = 4
"""Up to so many vCPUs one question with any witness is quicker than several."""

ACTIVE = 2
"""A counterexample among many vCPUs is looked for first with only so many that load."""

BUDGET = 4
"""A counterexample is made small with so many times the effort of one question, for all of it."""

Witnesses = Mapping[str, range]
_Question = Callable[[BoundedQuery, str, list[Failure], list[Failure]], Outcome]


class Bounded:
    """Decides one program's claims for one number of vCPUs after the other, up to `most`."""

    def __init__(self, program: Program, most: Counts, settings: Settings | None = None) -> None:
        self.program = program
        self.most = most
        self.settings = settings or Settings()
        self._cut: set[int] = set()
        self._looked: dict[str, int] = {}
        self.opinions: list[Opinion] = []
        self._proofs = z3.Context()
        population = ThreadCounts(most.vcpus, most.flushers)
        given = self.settings.plan
        self.plan = given or make_plan(program, population, self.settings.boundaries)

    @property
    def exact_roots(self) -> bool:
        """False where roots had to become bit-vectors."""
        return self.plan.kinds.exact_roots

    def every_interleaving(self, vcpus: int) -> bool:
        """Tell whether all that was asked for so many vCPUs had enough rounds."""
        return vcpus not in self._cut

    def problem(self, vcpus: int, among: Witnesses | None = None) -> BoundedQuery:
        """Return the question for a number of vCPUs, undefined behaviour not yet excluded."""
        p = self._problem(vcpus, among)
        if not p.turns.enough:
            self._cut.add(vcpus)
        return p

    def _problem(
        self, vcpus: int, among: Witnesses | None, active: int | None = None
    ) -> BoundedQuery:
        active = active if self.program.of(Role.LOAD) else 0
        counts = replace(self.most, vcpus=vcpus, active=active)
        own = self.settings
        asked = counts, own.rounds, among, own.effort, self._proofs
        try:
            return BoundedQuery(self.program, self.plan, *asked, calls_only=own.calls_only)
        except NotExact:
            kinds = infer_kinds(self.program, exact_roots=False)
            self.plan = replace(self.plan, kinds=kinds)
            return BoundedQuery(self.program, self.plan, *asked, calls_only=own.calls_only)

    def claim(self, name: str, vcpus: int) -> Outcome:
        """Decide a claim: the smallest counterexample, that there is none, or why neither is known.

        Executions with undefined behaviour do not count; `undefined` finds those.
        """
        fewer = self._looked.setdefault(name, vcpus) < vcpus
        # Only the first number asked for may hide a short counterexample among vCPUs that never
        # load; where fewer vCPUs have been looked at it would have been found there.
        if vcpus > FEW and not fewer:
            early = self._with_idle(name, vcpus)
            if early is not None:
                return early
        witness = self._witness(vcpus)
        if witness is None:
            return self._asked(name, vcpus, [{}], _decided)[0]
        shares = [{witness: share} for share in share_range(vcpus)]
        if all(a == NOTHING_FAILS for a in self._asked(name, vcpus, shares, _open)):
            return NOTHING_FAILS
        one_by_one = [{witness: range(v, v + 1)} for v in range(vcpus)]
        return _join_cases(self._asked(name, vcpus, one_by_one, _decided))

    def excludes(self, name: str, vcpus: int) -> bool:
        """Tell whether it is quickly shown that a claim does not fail."""
        return self._asked(name, vcpus, [{}], _open)[0] == NOTHING_FAILS

    def _with_idle(self, name: str, vcpus: int) -> Counterexample | None:
        """Look for a counterexample in which only the first vCPUs ever load.

        Where fewer vCPUs were looked at before there is hardly one. Little effort is spent on it.
        """
        for active in range(1, ACTIVE + 1) if self.program.of(Role.LOAD) else (0,):
            p = self._problem(vcpus, None, active)
            p.effort = max(1, p.effort // 20)
            failures = p.failures(name)
            p.constraints += _none_of(p.faults())
            found = find_smallest_counterexample(p, name, failures)
            if isinstance(found, Counterexample):
                self.opinions += self._opinions(p, f"`{name}`", failures, found)
                # That others idle was assumed, not shown: with more than one call there may be a
                # smaller one.
                return replace(found, least=found.calls <= 1)
        return None

    def _witness(self, vcpus: int) -> str | None:
        """Return the only vCPU witness, where knowing more of it helps to order loads."""
        witnesses = [f.name for f in self.program.witnesses if f.type == VCPU]
        few = vcpus <= FEW or self.plan.order is not LoadOrder.NAMED_FIRST
        return None if few or len(witnesses) != 1 else witnesses[0]

    def _asked(
        self, name: str, vcpus: int, cases: list[dict[str, range]], question: _Question
    ) -> list[Outcome]:
        """Return the answers to a question about a claim, for each case of its witness."""
        results = map_cases(lambda among: self._case(name, vcpus, among, question), cases)
        self.opinions += (o for r in results for o in r.opinions)
        if not all(r.enough for r in results):
            self._cut.add(vcpus)
        if not all(r.exact_roots for r in results):
            self.plan = replace(self.plan, kinds=infer_kinds(self.program, exact_roots=False))
        return [r.answer for r in results]

    def _case(self, name: str, vcpus: int, among: Witnesses, question: _Question) -> _Result:
        p = self.problem(vcpus, among)
        failures, own = p.failures(name), p.faults(from_claim=True)
        if failures or own:
            # The code proper is asked about apart (L6): with a fault in it "the claim may fail"
            # means nothing. What is undefined in the claim itself must not be taken for granted so.
            p.constraints += _none_of(p.faults(from_claim=False))
        answer = question(p, name, failures, own)
        asked = [*failures, *own] if isinstance(answer, NoCounterexample) else failures
        opinions = self._opinions(p, f"`{name}`", asked, answer)
        return _Result(p.unless_open(answer), p.turns.enough, self.exact_roots, opinions)

    def undefined(self, vcpus: int) -> Outcome:
        """Look for undefined behaviour in the same way."""
        p = self.problem(vcpus)
        answer = find_smallest_counterexample(p, None, p.faults())
        self.opinions += self._opinions(p, "undefined behaviour", p.faults(), answer)
        return p.unless_open(answer)

    def _opinions(
        self,
        p: BoundedQuery,
        what: str,
        failures: list[Failure],
        answer: Outcome,
    ) -> tuple[Opinion, ...]:
        """Put a question that has an answer to the second solver.

        Raises:
            InternalError: the two disagree.
        """
        second = self.settings.second
        goal = t.or_(*(f.condition for f in failures))
        if second is None or goal is False:
            return ()
        match answer:
            case Counterexample():
                first = SolverAnswer.SAT
            case NoCounterexample():
                first = SolverAnswer.UNSAT
            case Undecided():
                return ()
            case other:
                assert_never(other)
        about = f"{what} with {p.counts.vcpus} vCPUs"
        return (second.on(smtlib_script((*p.constraints, t.z3_bool(goal)), about), first, about),)


def print_smt2(p: BoundedQuery, claim: str) -> str:
    """Return the question whether a claim can fail, as SMT-LIB 2 text; unsat means it cannot."""
    goal = t.z3_bool(t.or_(*(f.condition for f in p.failures(claim))))
    return smtlib_script((*p.constraints, goal), f"{claim}: sat if the claim can fail")


def _none_of(failures: Sequence[Failure]) -> Iterator[z3.BoolRef]:
    return (t.z3_bool(t.not_(f.condition)) for f in failures)


def _join_cases(answers: list[Outcome]) -> Outcome:
    """Return the smallest counterexample of any case, else what is open, else that none is."""
    found = [a for a in answers if isinstance(a, Counterexample)]
    if found:
        return min(found, key=lambda f: (f.calls, f.roots))
    return next((a for a in answers if isinstance(a, Undecided)), NOTHING_FAILS)


def _open(p: BoundedQuery, claim: str, failures: list[Failure], own: list[Failure]) -> Outcome:
    """Return whether it is quickly shown that nothing fails."""
    shown = p.excludes((*failures, *own))
    return NOTHING_FAILS if shown else Undecided(f"`{claim}` may fail")


def _decided(p: BoundedQuery, claim: str, failures: list[Failure], own: list[Failure]) -> Outcome:
    """Return the smallest counterexample, that there is none, or why neither is known.

    What is undefined in the handlers of the claim (`own`) leaves it open, unless the claim fails in
    an execution without that.
    """
    if not own:
        return find_smallest_counterexample(p, claim, failures)
    if _open(p, claim, failures, own) == NOTHING_FAILS:
        return NOTHING_FAILS
    answer = find_smallest_counterexample(p, claim, failures, own)
    return _undefined(p, own) if isinstance(answer, NoCounterexample) else answer


def _undefined(p: BoundedQuery, own: list[Failure]) -> NoCounterexample | Undecided:
    """Describe something undefined that can happen in a claim's handlers, if anything can."""
    p.solver.push()
    p.solver.add(t.z3_bool(t.or_(*(f.condition for f in own))))
    answer = p.solver.check()
    outcome: NoCounterexample | Undecided = NOTHING_FAILS
    if answer == z3.sat:
        model = p.solver.model()
        found = next(f for f in own if is_true(model, f.condition))
        outcome = undefined_in_claim(found.text, found.span, p.counts.vcpus)
    elif answer != z3.unsat:
        outcome = _gave_up(p, p.solver)
    p.solver.pop()
    return outcome


def find_smallest_counterexample(
    p: BoundedQuery, claim: str | None, failures: list[Failure], own: Sequence[Failure] = ()
) -> Outcome:
    """Return the smallest counterexample, that there is none, or why neither is known.

    In it nothing of `own` happens.
    """
    if p.excludes(failures):
        return NOTHING_FAILS
    goal = t.z3_bool(t.or_(*(f.condition for f in failures)))
    asked = (*p.constraints, *_none_of(own), goal)
    match _find_model(p, asked):
        case z3.ModelRef() as model:
            return _make_small(p, claim, failures, asked, model)
        case outcome:
            return outcome


def _find_model(
    p: BoundedQuery, asked: Sequence[z3.BoolRef]
) -> z3.ModelRef | NoCounterexample | Undecided:
    """Return any model, that there is none, or why neither is known."""
    match ModelSearch(asked).find_model(p.effort // 4):
        case z3.ModelRef() as model:
            return model
        case False:
            return NOTHING_FAILS
    solver = IsolatedSolver(asked, p.effort)
    answer = solver.check()
    if answer == z3.sat:
        return solver.model()
    return NOTHING_FAILS if answer == z3.unsat else _gave_up(p, solver)


def _gave_up(p: BoundedQuery, solver: IsolatedSolver) -> Undecided:
    """Return why the solver has no answer; it calls the end of its steps by several names."""
    reason = solver.reason_unknown()
    stopped = "cancel" in reason or "resource" in reason
    why = f" after {p.effort:,} steps" if stopped else f": {reason}"
    return Undecided(f"the solver gave up{why}")


def _make_small(
    p: BoundedQuery,
    claim: str | None,
    failures: list[Failure],
    asked: Sequence[z3.BoolRef],
    model: z3.ModelRef,
) -> Counterexample:
    small = Minimiser(p, asked, model, p.effort * BUDGET)
    calls = small.run(calls_only=p.calls_only)
    plan = decode_schedule(p, small.model)
    text = next((f.text for f in failures if is_true(small.model, f.condition)), "")
    least = small.least and p.open_loop is None and not p.calls_only
    spent = 0 if small.least else small.budget
    return Counterexample(
        claim, plan, p.plan.boundaries, calls, _roots(p, plan), text, least, spent
    )


def _roots(p: BoundedQuery, plan: Schedule) -> int:
    """How many roots a schedule loads."""
    names = {
        o.name: o.parameters.root.name
        for o in p.program.operations
        if o.parameters.root is not None
    }
    calls = (call for thread in plan.plans for call in thread.calls)
    return len({c.arguments[names[c.operation]] for c in calls if c.operation in names})

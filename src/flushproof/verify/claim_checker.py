"""One claim being decided: by attempts, of which each decides it or leaves it to the next.

With few vCPUs a little effort often shows that a claim fails; then a proof for every number is
tried; what neither decides is looked at within the bounds.

Lemma L29, Lemma L30 of docs/soundness.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, assert_never
from zlib import crc32

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import ExplicitEngine
from flushproof.engines.interpreter.random_runs import Attack
from flushproof.engines.outcome import (
    NOTHING_FAILS,
    NoCounterexample,
    NoProof,
    Outcome,
    Undecided,
)
from flushproof.frontend.setup import Bounds
from flushproof.ir.program import Program
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult
from flushproof.support.errors import InternalError
from flushproof.support.record import Record, replace
from flushproof.support.wording import count_noun
from flushproof.verify.conclusion import Conclusion
from flushproof.verify.decision import (
    Decision,
    HoldsWithin,
    LeavesOpen,
    Ledger,
    Proves,
    Refutes,
)
from flushproof.verify.early_notice import EarlyNotice
from flushproof.verify.failing_lines import describe_failing_lines
from flushproof.verify.question import (
    LOOKING,
    Definedness,
    Question,
    engine_for,
    replay_to_end,
)
from flushproof.verify.unbounded_proofs import SEVERAL, Abstraction, Evidence, ForAll

if TYPE_CHECKING:
    from flushproof.engines.reduction.step_plan import StepPlan
    from flushproof.verify.question import Engine

FEW = 2
"""So many vCPUs are looked at before a proof for all is tried."""
SOME = 3
"""So many are looked at where the first attempt at one fails."""
MORE = 3
"""So many flushes of one vCPU are looked at there, whatever the bounds."""
GLANCE = 50
"""Before a proof for all is tried, questions may take this part of their usual effort."""
RUNS = 10
"""So many random runs are made after a proof."""


class PassedOn(Record, frozen=True):
    """What an attempt says that decided nothing: why there is no proof for every number, if so."""

    reason: str = ""


Attempt = Callable[[PassedOn], Decision | PassedOn]
"""Decides the claim or leaves it to the next, given what those before left."""


class ClaimChecker:
    """One claim being decided; what engines told of it is in the `ledger`."""

    def __init__(
        self,
        machine: Machine,
        question: Question,
        name: str,
        definedness: Definedness,
        forall: ForAll,
    ) -> None:
        self.machine = machine
        self.forall = forall.about(name)
        self.question = question
        self.name = name
        self.engine = question.engine_of(name)
        self.ledger = Ledger(definedness)
        self.started = time.monotonic()
        self.early = EarlyNotice(
            name, self.conclude, question, self.ledger, self.forall, self.started
        )

    @cached_property
    def program(self) -> Program:
        """The machine with the claim; states are enumerated whoever calls."""
        if self.question.engine == "enumerate" or self.machine.setup.bounds.flushers <= 1:
            return self.unnamed
        return self.machine.with_claim(self.name)

    @cached_property
    def unnamed(self) -> Program:
        """The machine with the claim, whose chosen calls may be any thread's."""
        return self.machine.with_claims((self.name,))

    @cached_property
    def plan(self) -> StepPlan | None:
        """Where steps begin with any number of vCPUs; None where each engine finds that out."""
        return None if isinstance(self.any_plan, NoProof) else self.any_plan

    @cached_property
    def any_plan(self) -> StepPlan | NoProof:
        """Where steps begin with any number of vCPUs, or why that is not asked."""
        if self.engine in LOOKING:
            return NoProof("it is not asked for every number of vCPUs")
        return self.forall.plan(self.program)

    @cached_property
    def coarser(self) -> Abstraction | None:
        """The machine with the claim, without what costs steps and may not matter, if anything."""
        return None if self.engine in LOOKING else self.forall.coarsen(self.program)

    def decide(self) -> Decision:
        """Go through the attempts until one decides the claim; the last one always does."""
        buffers = self.machine.buffers((self.name,))
        self.ledger.full_buffers = buffers is not None and buffers.full
        left = PassedOn()
        try:
            for attempt in self._attempts():
                outcome = attempt(left)
                if not isinstance(outcome, PassedOn):
                    return outcome
                left = outcome
        finally:
            self.early.end()
        raise AssertionError("the last attempt decides")

    def tell(self, decision: Decision) -> ClaimResult:
        """Return a decision as a result.

        Raises:
            InternalError: a counterexample does not replay.
        """
        told = self.conclude().tell(decision)
        return replace(told, seconds=time.monotonic() - self.started)

    def conclude(self) -> Conclusion:
        """Return what a result, or an early one, is made of."""
        program = self.program if self.machine.statable(self.name) else None
        return Conclusion(self.machine, self.question, self.name, program, self.ledger)

    def _attempts(self) -> tuple[Attempt, ...]:
        if self.engine in LOOKING:
            return (self._look_within_bounds,)
        if self.engine == "unbounded":
            return (self._prove_for_all, self._leave_open)
        return (self._glance_at_few, self._prove_for_all, self._look_within_bounds)

    # The attempts ----------------------------------------------------------------------------

    def _glance_at_few(self, left: PassedOn) -> Decision | PassedOn:
        """Look for a counterexample with few vCPUs and little effort, the smallest first."""
        low, high = self.question.bounds.vcpus
        return self.glance(range(low, min(high, FEW) + 1)) or left

    def _prove_for_all(self, _: PassedOn) -> Decision | PassedOn:
        """Look for a proof for every number of vCPUs, and attack what is found."""
        beyond = _BeyondFew(self)
        self.early.begin_proof()
        plan, few = (lambda: self.any_plan), (lambda: beyond.seen)
        match self.forall.prove_claim(self.name, self.program, plan, few):
            case Evidence() as evidence:
                self.ledger.opinions += evidence.opinions
                self._attack(evidence)
                return Proves(evidence)
            case NoProof(why):
                return beyond.decision or PassedOn(self._with_failing_lines(why))
            case other:
                assert_never(other)

    def _with_failing_lines(self, why: str) -> str:
        failing = describe_failing_lines(self.machine)
        return f"{why}; {failing}" if failing else why

    def _look_within_bounds(self, left: PassedOn) -> Decision:
        """Look at every number of vCPUs within the bounds, the smallest first."""
        engine = engine_for(self.program, self.question, self.plan)
        low, high = self.question.bounds.vcpus
        self.early.begin_looking()
        for n in range(low, high + 1):
            if n not in self.ledger.outcomes and not self._excludes(n):
                outcome = engine.claim(self.name, n)
                self.early.count_look()
                self.ledger.note_answer(engine, n, outcome)
            match self.ledger.outcomes[n]:
                case Counterexample() as found:
                    return Refutes(found)
                case Undecided(reason):
                    return LeavesOpen(reason, (low, n))
                case NoCounterexample():
                    pass
                case other:
                    assert_never(other)
            undefined = self.ledger.undefined_with(n)
            if isinstance(undefined, Undecided):
                return _leave_undefined(undefined, low, n)
            self.early.tell()
        unproved = f"not proved for every number of vCPUs: {left.reason}" if left.reason else ""
        return HoldsWithin(unproved)

    def _leave_open(self, left: PassedOn) -> Decision:
        """Leave a claim open for which only a proof was asked for."""
        return LeavesOpen(f"not proved for all: {left.reason}", None)

    # Few vCPUs, little effort ----------------------------------------------------------------

    def glance(self, counts: range) -> Decision | None:
        """Look with little effort, and note what is found; return what decides the claim."""
        engine: Engine | None = None
        for n in counts:
            if self._excludes(n, GLANCE):
                continue
            engine = engine or engine_for(self.program, self.question, self.plan, GLANCE)
            outcome = engine.claim(self.name, n)
            self.early.count_look()
            if not _is_final(outcome):
                outcome = self._within(self._smallest(n), GLANCE) or outcome
            if not isinstance(outcome, Undecided):
                self.ledger.note_answer(engine, n, outcome)
            if isinstance(outcome, Counterexample):
                return self.follow_up(outcome, n)
        self.early.tell()
        return None

    def _excludes(self, vcpus: int, part: int = 1) -> bool:
        """Tell whether nothing fails even if racy fields hold any value, and note it."""
        if self.coarser is None:
            return False
        coarser = self.coarser
        engine = engine_for(coarser.program, self.question, coarser.plan, part)
        assert not isinstance(engine, ExplicitEngine)
        if not engine.excludes(self.name, vcpus):
            return False
        self.ledger.note_answer(engine, vcpus, NOTHING_FAILS)
        return True

    def _smallest(self, vcpus: int) -> Bounds:
        """Return bounds with one load and one flush at most, none beyond those asked for."""
        own = self.question.bounds
        few = min(1, own.loads), min(1, own.flushes)
        return replace(own, vcpus=(vcpus, vcpus), loads=few[0], flushes=few[1])

    def follow_up(
        self, found: Counterexample, vcpus: int, bounds: Bounds | None = None
    ) -> Refutes | LeavesOpen:
        """Return what was found, unless something undefined happens with fewer vCPUs.

        `bounds` are those within which it was found, None for those asked for.
        """
        low, high = self.question.bounds.vcpus
        for n in range(low, min(vcpus, high + 1)):
            undefined = self.ledger.undefined_with(n)
            if isinstance(undefined, Undecided):
                return _leave_undefined(undefined, low, n)
        sure = all(n in self.ledger.outcomes for n in range(low, vcpus))
        return Refutes(replace(found, least=found.least and sure), bounds)

    def _within(self, bounds: Bounds, part: int) -> Counterexample | None:
        """Return a counterexample within other bounds, which may not be the least within ours."""
        question = replace(self.question, bounds=bounds, second=None)
        engine = engine_for(self.program, question, self.plan, part)
        found = engine.claim(self.name, bounds.vcpus[1])
        return replace(found, least=False) if isinstance(found, Counterexample) else None

    def failure_within(self, bounds: Bounds) -> Counterexample | None:
        """Return a counterexample that very little effort finds within other bounds, if any."""
        return self._within(bounds, 10 * GLANCE)

    # A proof, put to the test ----------------------------------------------------------------

    def _attack(self, evidence: Evidence) -> None:
        """Look for a counterexample to what has been proved, with little effort.

        Raises:
            InternalError: there is one.
        """
        bounds = replace(self.question.bounds, vcpus=(SOME, SOME), loads=1, flushes=1)
        if self.failure_within(bounds) is not None:
            self._contradicted(f"it fails with {count_noun(SOME, 'vCPU')}")
        flushers = max(SEVERAL, bounds.flushers) if evidence.claim.many else bounds.flushers
        attack = Attack(self.unnamed, flushers)
        first = crc32(self.name.encode())
        for seed in range(first, first + RUNS):
            found = attack.run(seed)
            if found is not None:
                self._contradicted(found.text)

    def _contradicted(self, found: str) -> None:
        text = f"`{self.name}` is proved for every number of vCPUs, and yet: {found}"
        raise InternalError(text)


class _BeyondFew:
    """A look at a few vCPUs more once a first attempt at a proof has failed.

    The search for a proof calls back, maybe in several attempts, so what is decided meanwhile is
    kept here, and found out once.
    """

    def __init__(self, checker: ClaimChecker) -> None:
        self.checker = checker
        self.decision: Decision | None = None

    @cached_property
    def seen(self) -> NoProof | None:
        """Why there is no proof for all, where a few vCPUs more show it.

        Beyond the bounds only a little is tried. What fails there refutes a claim that was asked
        for every number of vCPUs; of one asked within the bounds it is only a reason.
        """
        checker = self.checker
        if checker.engine != "auto":
            return None
        bounds = checker.question.bounds
        low, high = bounds.vcpus
        self.decision = checker.glance(range(max(low, FEW + 1), min(high, SOME) + 1))
        if self.decision is not None:
            return NoProof("it is decided with few", hopeless=True)
        for n in range(high + 1, SOME + 1):
            if self._fails(replace(bounds, vcpus=(n, n), loads=1, flushes=1)):
                return _fails_with(count_noun(n, "vCPU"))
        if bounds.flushes < MORE:
            more = replace(bounds, vcpus=(1, 1), loads=max(2, bounds.loads), flushes=MORE)
            if self._fails(more):
                return _fails_with(f"1 vCPU, {more.loads} loads and {MORE} flushes")
        return None

    def _fails(self, bounds: Bounds) -> bool:
        """Tell whether very little effort shows that the claim fails within other bounds."""
        checker = self.checker
        found = checker.failure_within(bounds)
        if found is None:
            return False
        if checker.name in checker.question.every_number:
            self.decision = checker.follow_up(found, found.schedule.vcpus, bounds)
        else:
            replay_to_end(checker.program, found)
        return True


def _fails_with(few: str) -> NoProof:
    return NoProof(f"it fails with {few}", hopeless=True)


def _leave_undefined(undefined: Undecided, low: int, vcpus: int) -> LeavesOpen:
    return LeavesOpen(f"undefined behaviour: {undefined.reason}", (low, vcpus))


def _is_final(outcome: Outcome) -> bool:
    """Tell whether more effort could not better an answer."""
    match outcome:
        case Counterexample(least=least):
            return least
        case NoCounterexample():
            return True
        case Undecided():
            return False
        case other:
            assert_never(other)

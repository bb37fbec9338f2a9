"""One claim being decided: a few vCPUs, a proof for every number, the bounds.

Lemma L29, Lemma L30 of docs/soundness.md.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, assert_never
from zlib import crc32

from flushproof.engines.counterexample import Counterexample, size_in_words
from flushproof.engines.explicit.enumerator import Sizes
from flushproof.engines.interpreter.random_runs import Attack
from flushproof.engines.outcome import NoCounterexample, NoProof, Outcome, Undecided
from flushproof.frontend.setup import Bounds
from flushproof.ir.program import Program
from flushproof.machine.build import CAPACITY, Machine
from flushproof.machine.store_buffers.apply import Buffered
from flushproof.results.second_opinion import Opinion, join_opinions
from flushproof.results.trace import Trace
from flushproof.results.verdict import ClaimResult, Verdict, VerdictScope
from flushproof.support.errors import InternalError
from flushproof.support.record import replace
from flushproof.support.wording import count_noun
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.question import (
    LOOKING,
    Definedness,
    Question,
    engine_for,
    replay_to_end,
    take_opinions,
)
from flushproof.verify.unbounded_proofs import Evidence, ForAll

if TYPE_CHECKING:
    from flushproof.engines.reduction.step_plan import StepPlan
    from flushproof.verify.question import Engine

EVERY = "every interleaving"
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


Range = tuple[int, int] | None
"""From how many to how many vCPUs; None for every number."""


class ClaimChecker:
    """One claim being decided."""

    def __init__(
        self,
        machine: Machine,
        question: Question,
        name: str,
        definedness: Definedness,
        forall: ForAll,
    ) -> None:
        self.machine = machine
        self.forall = forall
        self.question = question
        self.name = name
        self.engine = question.engine_of(name)
        self.definedness = definedness
        self.started = time.monotonic()
        self.exact_roots = True
        self.every_interleaving = True
        self.buffers: Buffered | None = None
        self.found: Counterexample | None = None
        self.opinions: list[Opinion] = []
        self.seen: dict[int, Outcome] = {}
        self.early: ClaimResult | None = None

    @cached_property
    def program(self) -> Program:
        """The machine with the claim."""
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

    def decide(self) -> ClaimResult:
        """Look at the smallest number of vCPUs first, and for a proof for all of them in time."""
        low, high = self.question.bounds.vcpus
        self.buffers = self.machine.buffers((self.name,))
        every = range(low, high + 1)
        if self.engine in LOOKING:
            return self._look(every) or self._bounded((low, high))
        if self.engine == "auto":
            found = self._glance(range(low, min(high, FEW) + 1))
            if found is not None:
                return found
        evidence = self.forall.prove(self.program, self.any_plan, self._hopeless)
        if self.early is not None:
            return self.early
        match evidence:
            case Evidence():
                self.opinions += evidence.opinions
                self.exact_roots = evidence.exact_roots
                self._attack()
                return self._result(Verdict.PROVED, None, evidence=evidence)
            case NoProof(why) if self.engine == "unbounded":
                return self.unknown(f"not proved for all: {why}", None)
            case NoProof(why):
                reason = f"not proved for every number of vCPUs: {why}"
                return self._look(every) or self._bounded((low, high), reason)
            case other:
                assert_never(other)

    def _glance(self, counts: range) -> ClaimResult | None:
        """Look with little effort, and note what is found; return what refutes the claim."""
        engine = engine_for(self.program, self.question, self.plan, GLANCE)
        for n in counts:
            answer = engine.claim(self.name, n)
            self._tell()
            if not _is_final(answer):
                answer = self._within(self._smallest(n), GLANCE) or answer
            if not isinstance(answer, Undecided):
                self._note(engine, n)
                self.seen[n] = answer
            if isinstance(answer, Counterexample):
                return self._followed_up(answer, n)
        return None

    def _smallest(self, vcpus: int) -> Bounds:
        """Return bounds with one load and one flush at most, none beyond those asked for."""
        own = self.question.bounds
        few = min(1, own.loads), min(1, own.flushes)
        return replace(own, vcpus=(vcpus, vcpus), loads=few[0], flushes=few[1])

    def _followed_up(
        self, found: Counterexample, vcpus: int, bounds: Bounds | None = None
    ) -> ClaimResult:
        """Return what was found, unless something undefined happens with fewer vCPUs.

        `bounds` are those within which it was found, None for those asked for.
        """
        low, high = self.question.bounds.vcpus
        for n in range(low, min(vcpus, high + 1)):
            undefined = self._undefined(n)
            if isinstance(undefined, Undecided):
                return self.unknown(f"undefined behaviour: {undefined.reason}", (low, n))
        sure = all(n in self.seen for n in range(low, vcpus))
        return self._refuted(replace(found, least=found.least and sure), bounds)

    def _hopeless(self) -> NoProof | None:
        """Return why there is no proof for all, where a few vCPUs more show it with little effort.

        Beyond the bounds only a little is tried. What fails there refutes a claim that was asked
        for every number of vCPUs; of one asked within the bounds it is only a reason.
        """
        if self.engine != "auto":
            return None
        bounds = self.question.bounds
        low, high = bounds.vcpus
        within = range(max(low, FEW + 1), min(high, SOME) + 1)
        self.early = self._glance(within)
        if self.early is not None:
            return NoProof("it is decided with few")
        for n in range(high + 1, SOME + 1):
            if self._fails(replace(bounds, vcpus=(n, n), loads=1, flushes=1)):
                return NoProof(f"it fails with {count_noun(n, 'vCPU')}")
        if bounds.flushes < MORE:
            more = replace(bounds, vcpus=(1, 1), loads=max(2, bounds.loads), flushes=MORE)
            if self._fails(more):
                return NoProof(f"it fails with 1 vCPU, {more.loads} loads and {MORE} flushes")
        return None

    def _fails(self, bounds: Bounds) -> bool:
        """Tell whether very little effort shows that the claim fails within other bounds."""
        found = self._within(bounds, 10 * GLANCE)
        if found is None:
            return False
        if self.name in self.question.every_number:
            self.early = self._followed_up(found, found.schedule.vcpus, bounds)
        else:
            replay_to_end(self.program, found)
        return True

    def _attack(self) -> None:
        """Look for a counterexample to what has been proved, with little effort.

        Raises:
            InternalError: there is one.
        """
        bounds = replace(self.question.bounds, vcpus=(SOME, SOME), loads=1, flushes=1)
        if self._fails(bounds):
            self._contradicted(f"it fails with {count_noun(SOME, 'vCPU')}")
        attack = Attack(self.program, bounds.flushers)
        first = crc32(self.name.encode())
        for seed in range(first, first + RUNS):
            found = attack.run(seed)
            if found is not None:
                self._contradicted(found.text)

    def _contradicted(self, found: str) -> None:
        text = f"`{self.name}` is proved for every number of vCPUs, and yet: {found}"
        raise InternalError(text)

    def _within(self, bounds: Bounds, part: int) -> Counterexample | None:
        """Return a counterexample within other bounds, which may not be the least within ours."""
        question = replace(self.question, bounds=bounds, second=None)
        found = engine_for(self.program, question, self.plan, part).claim(
            self.name, bounds.vcpus[1]
        )
        return replace(found, least=False) if isinstance(found, Counterexample) else None

    def _look(self, counts: range) -> ClaimResult | None:
        """Return what is found with so many vCPUs; None where the claim holds."""
        engine = engine_for(self.program, self.question, self.plan)
        low = self.question.bounds.vcpus[0]
        for n in counts:
            if n not in self.seen:
                self.seen[n] = engine.claim(self.name, n)
                self._tell()
                self._note(engine, n)
            match self.seen[n]:
                case Counterexample() as found:
                    return self._refuted(found)
                case Undecided(reason):
                    return self.unknown(reason, (low, n))
                case NoCounterexample():
                    pass
                case other:
                    assert_never(other)
            undefined = self._undefined(n)
            if isinstance(undefined, Undecided):
                return self.unknown(f"undefined behaviour: {undefined.reason}", (low, n))
        return None

    def _undefined(self, vcpus: int) -> NoCounterexample | Undecided:
        """Describe what is undefined with so many vCPUs, if anything is, or why that is open."""
        undefined = self.definedness.at(vcpus)
        self.opinions += self.definedness.opinions[vcpus]
        self.every_interleaving &= self.definedness.every_interleaving(vcpus)
        return undefined

    def _note(self, engine: Engine, n: int) -> None:
        self.opinions += take_opinions(engine)
        self.exact_roots = engine.exact_roots
        self.every_interleaving &= engine.every_interleaving(n)

    def _tell(self) -> None:
        if self.question.board is not None:
            self.question.board.look(self.question.claims.index(self.name))

    def _bounded(self, vcpus: Range, reason: str = "") -> ClaimResult:
        """Return that the claim holds within bounds, and why it is not proved beyond them."""
        return self._result(Verdict.BOUNDED, vcpus, reason=reason)

    def not_asked(self, reason: str) -> ClaimResult:
        """Return that the variant has not what the claim is about, so that nothing was asked."""
        return self._result(Verdict.NOT_ASKED, self.question.bounds.vcpus, reason=reason)

    def unknown(self, reason: str, vcpus: Range) -> ClaimResult:
        """Return that the claim is not decided, and why."""
        return self._result(Verdict.UNKNOWN, vcpus, reason=reason)

    def _refuted(self, found: Counterexample, bounds: Bounds | None = None) -> ClaimResult:
        from flushproof.verify.trace.build_trace import build_trace

        state = replay_to_end(self.program, found)
        self.found = found
        schedule = found.schedule
        claim = self.machine.setup.claim(self.name)
        assert claim is not None
        n = schedule.vcpus
        least = found.least and self.every_interleaving
        low = min(n, self.question.bounds.vcpus[0])
        smallest = size_in_words(found, low, least=least)
        trace = build_trace(self.machine, claim, self.program, schedule, state, smallest)
        return self._result(Verdict.REFUTED, (low, n), smallest=n, trace=trace, bounds=bounds)

    def _result(
        self,
        verdict: Verdict,
        vcpus: Range,
        *,
        smallest: int | None = None,
        trace: Trace | None = None,
        reason: str = "",
        evidence: Evidence | None = None,
        bounds: Bounds | None = None,
    ) -> ClaimResult:
        claim = self.machine.setup.claim(self.name)
        assert claim is not None
        return ClaimResult(
            claim=self.name,
            text=claim.text,
            verdict=verdict,
            scope=self._scope(vcpus, bounds or self.question.bounds),
            assumptions=self._assumptions(),
            seconds=time.monotonic() - self.started,
            smallest_vcpus=smallest,
            trace=trace,
            reason=reason,
            invariant=() if evidence is None else evidence.invariant,
            script="" if evidence is None else evidence.script,
            opinion=self._opinion(),
        )

    def _assumptions(self) -> tuple[str, ...]:
        stated = self.machine.statable(self.name)
        return list_assumptions(self.machine, self.program if stated else None)

    def _opinion(self) -> Opinion | None:
        second = self.question.second
        found = join_opinions(self.opinions)
        if second is None or found is not None:
            return found
        return Opinion(second.solver, 0, 0, "no question needed a solver")

    def _scope(self, vcpus: Range, bounds: Bounds) -> VerdictScope:
        rounds = None if self.every_interleaving else self.question.rounds
        full = self.buffers is not None and self.buffers.full
        return VerdictScope(
            vcpus=vcpus,
            loads=None if vcpus is None else bounds.loads,
            flushes=None if vcpus is None else bounds.flushes,
            flushers=bounds.flushers,
            interleavings=EVERY if rounds is None else _only(rounds),
            roots=self._roots(vcpus),
            rounds=rounds,
            memory=self.machine.setup.memory,
            buffer=CAPACITY if full else None,
        )

    def _roots(self, vcpus: Range) -> str:
        if self.engine == "enumerate" and vcpus is not None:
            sizes = Sizes(vcpus[1], self.question.bounds.loads)
            return f"{count_noun(sizes.roots, 'root')}, one range and one error code"
        return "uninterpreted" if self.exact_roots else "64-bit vectors"


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


def _only(rounds: int) -> str:
    return f"up to {count_noun(rounds, 'round')}, not every interleaving"

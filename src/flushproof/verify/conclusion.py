"""A decision of one claim told as a `ClaimResult`: with its scope, its trace and what it assumes.

Every counterexample is replayed here before it is told.

Lemma L29 of docs/soundness.md.
"""

from __future__ import annotations

from typing import assert_never

from flushproof.engines.counterexample import Counterexample, size_in_words
from flushproof.engines.explicit.enumerator import Sizes
from flushproof.frontend.setup import Bounds
from flushproof.ir.program import Operation, Program, Role
from flushproof.machine.build import CAPACITY, Machine
from flushproof.results.second_opinion import Opinion, join_opinions
from flushproof.results.trace import Trace
from flushproof.results.verdict import (
    CallWord,
    ClaimResult,
    EarlyVerdict,
    Verdict,
    VerdictScope,
    WrittenProof,
)
from flushproof.support.record import Record, replace
from flushproof.support.wording import count_noun
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.decision import (
    Decision,
    HoldsWithin,
    IsNotAsked,
    LeavesOpen,
    Ledger,
    Proves,
    Range,
    Refutes,
)
from flushproof.verify.question import Question, replay_to_end
from flushproof.verify.unbounded_proofs import Evidence

EVERY = "every interleaving"


class Conclusion(Record, frozen=True):
    """What a result is made of beside the decision: the claim, and what engines told of it.

    `program` is the machine with the claim, None where the claim cannot be stated.
    """

    machine: Machine
    question: Question
    name: str
    program: Program | None
    ledger: Ledger

    def tell(self, decision: Decision) -> ClaimResult:
        """Return a decision as a result.

        Raises:
            InternalError: a counterexample does not replay.
        """
        within = self.question.bounds.vcpus
        match decision:
            case Proves(evidence):
                result = self._result(Verdict.PROVED, None, exact_roots=evidence.exact_roots)
                if evidence.claim.many:
                    result = replace(result, scope=replace(result.scope, flushers=None))
                return replace(result, invariant=evidence.invariant, proof=self._written(evidence))
            case Refutes(found, bounds):
                low = min(found.schedule.vcpus, within[0])
                spread = (low, found.schedule.vcpus)
                trace = self._trace(found, low)
                result = self._result(Verdict.REFUTED, spread, bounds=bounds)
                return replace(result, smallest_vcpus=found.schedule.vcpus, trace=trace)
            case HoldsWithin(reason):
                return self._result(Verdict.BOUNDED, within, reason=reason)
            case LeavesOpen(reason, vcpus):
                return self._result(Verdict.UNKNOWN, vcpus, reason=reason)
            case IsNotAsked(reason):
                return self._result(Verdict.NOT_ASKED, within, reason=reason)
            case other:
                assert_never(other)

    @property
    def rests_on_code_alone(self) -> bool:
        """Tell whether it does not matter to a claim that holds what code outside may write."""
        setup = self.machine.setup
        return setup.undisturbed is None or not self.machine.looks_at_state(self.name)

    def tell_early(self, vcpus: int, since: float, *, proving: bool) -> EarlyVerdict:
        """Return that the claim holds for up to so many vCPUs, and no more than that."""
        bounds = self.question.bounds
        spread = (bounds.vcpus[0], vcpus)
        scope = self._scope(spread, bounds, exact_roots=self.ledger.exact_roots)
        assumptions = list_assumptions(self.machine, self.program)
        return EarlyVerdict(self.name, scope, assumptions, since, proving)

    def _written(self, evidence: Evidence) -> WrittenProof | None:
        """Return the claimed proofs as text, where what a proof rests on is asked for."""
        if not self.question.evidence:
            return None
        from flushproof.verify.certificate.proof_text import proof_to_text

        return WrittenProof(proof_to_text(evidence.code), proof_to_text(evidence.claim))

    def _trace(self, found: Counterexample, low: int) -> Trace:
        from flushproof.verify.trace.build_trace import build_trace

        claim = self.machine.setup.claim(self.name)
        assert claim is not None
        assert self.program is not None
        state = replay_to_end(self.program, found)
        least = found.least and self.ledger.every_interleaving
        smallest = size_in_words(found, low, least=least)
        return build_trace(self.machine, claim, self.program, found.schedule, state, smallest)

    def _result(
        self,
        verdict: Verdict,
        vcpus: Range,
        *,
        reason: str = "",
        bounds: Bounds | None = None,
        exact_roots: bool | None = None,
    ) -> ClaimResult:
        claim = self.machine.setup.claim(self.name)
        assert claim is not None
        exact = self.ledger.exact_roots if exact_roots is None else exact_roots
        return ClaimResult(
            claim=self.name,
            text=claim.text,
            verdict=verdict,
            scope=self._scope(vcpus, bounds or self.question.bounds, exact_roots=exact),
            assumptions=list_assumptions(self.machine, self.program),
            seconds=0,
            reason=reason,
            opinion=self._opinion(),
        )

    def _opinion(self) -> Opinion | None:
        second = self.question.second
        found = join_opinions(self.ledger.opinions)
        if second is None or found is not None:
            return found
        return Opinion(second.solver, 0, 0, "no question needed a solver")

    def _scope(self, vcpus: Range, bounds: Bounds, *, exact_roots: bool) -> VerdictScope:
        rounds = None if self.ledger.every_interleaving else self.question.rounds
        return VerdictScope(
            vcpus=vcpus,
            loads=None if vcpus is None else bounds.loads,
            flushes=None if vcpus is None else bounds.flushes,
            flushers=bounds.flushers,
            interleavings=EVERY if rounds is None else _only(rounds),
            roots=self._roots(vcpus, exact_roots=exact_roots),
            rounds=rounds,
            memory=self.machine.setup.memory,
            buffer=CAPACITY if self.ledger.full_buffers and vcpus is not None else None,
            on_vcpus=word_for_calls(self.machine.base.of(Role.LOAD), "load"),
            elsewhere=word_for_calls(self.machine.base.of(Role.FLUSH), "flush"),
        )

    def _roots(self, vcpus: Range, *, exact_roots: bool) -> str:
        if self.question.engine_of(self.name) == "enumerate" and vcpus is not None:
            sizes = Sizes(vcpus[1], self.question.bounds.loads)
            few = f"{count_noun(sizes.roots, 'root')}, one range and one error code"
            anything = any(not f.ghost for f in self.machine.base.witnesses)
            return f"{few}, some values at boot" if anything else few
        return "uninterpreted" if exact_roots else "64-bit vectors"


def word_for_calls(operations: tuple[Operation, ...], usual: CallWord) -> CallWord:
    """Return what calls of some operations are called, "" where there are none."""
    if not operations:
        return ""
    return "call" if any(o.named for o in operations) else usual


def _only(rounds: int) -> str:
    return f"up to {count_noun(rounds, 'round')}, not every interleaving"

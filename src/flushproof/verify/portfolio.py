"""Deciding claims about one setup, every counterexample replayed.

In: a `Machine` and what is asked of it. Out: a `ClaimResult` for each claim, in order of decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from flushproof.engines.counterexample import Counterexample
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.memory_limit import EXHAUSTED
from flushproof.support.process_pool import GONE, stream_answers
from flushproof.support.record import replace
from flushproof.verify.claim_checker import ClaimChecker
from flushproof.verify.decision import IsNotAsked, LeavesOpen, Refutes
from flushproof.verify.question import LOOKING, Definedness, Question
from flushproof.verify.unbounded_proofs import ForAll

__all__ = ["Groundwork", "Question", "decide_claims", "decide_with_counterexample"]


class Groundwork:
    """What claims about one machine rest on together: that its code is defined, found out once.

    Whatever claims the question names, it is the same for others that are asked for alike.
    """

    def __init__(self, machine: Machine, question: Question) -> None:
        self.machine = machine.within(question.bounds)
        self.definedness = Definedness(self.machine, question)
        self.forall = ForAll(
            self.machine,
            evidence=question.evidence,
            second=question.second,
            steps=question.steps,
        )


def decide_claims(
    machine: Machine, question: Question, ground: Groundwork | None = None
) -> Iterator[ClaimResult]:
    """Decide each claim in turn; `ground` is that of the machine, if it was laid before.

    Raises:
        InternalError: a counterexample does not replay.
        InputError: a claim or the variant is not accepted.
    """
    from flushproof.engines.smt.out_of_memory import raise_memory_error
    from flushproof.engines.smt.term_space import fresh_terms

    ground = ground or Groundwork(machine, question)
    machine, definedness, forall = ground.machine, ground.definedness, ground.forall
    if question.jobs > 1 and len(question.claims) > 1:
        with suppress(MemoryError), raise_memory_error():
            if all(question.engine_of(name) in LOOKING for name in question.claims):
                definedness.at(question.bounds.vcpus[0])
            else:
                _ = forall.defined

    def one(name: str) -> ClaimResult:
        claim = ClaimChecker(machine, question, name, definedness, forall)
        if why := machine.why_unstatable(name):
            return claim.tell(IsNotAsked(why))
        try:
            with raise_memory_error(), fresh_terms():
                found = outside_considered(claim.tell(claim.decide()), claim, machine, question)
                return found if question.doubt is None else question.doubt(found)
        except MemoryError as error:
            return claim.tell(LeavesOpen(str(error) or EXHAUSTED, unseen))

    def lost(name: str) -> ClaimResult:
        checker = ClaimChecker(machine, question, name, definedness, forall)
        return checker.tell(LeavesOpen(GONE, unseen))

    unseen = question.bounds.vcpus
    yield from stream_answers(
        one,
        question.claims,
        question.jobs,
        lost,
        apart=question.apart,
        weight=partial(_weight, machine),
    )


def outside_considered(
    found: ClaimResult, claim: ClaimChecker, machine: Machine, question: Question
) -> ClaimResult:
    """Return a result that does not rest on what code outside the setup may write.

    A proof holds whatever that code does, but for claims that look at the state themselves: they do
    not see it written. A counterexample counts if there is one, too, where it writes nothing.
    """
    setup = machine.setup
    if setup.undisturbed is None:
        return found
    why = f"it depends on what other code writes: {', '.join(setup.disturbers)}"
    if found.verdict.holds and not claim.conclude().rests_on_code_alone:
        return claim.tell(LeavesOpen(why, question.bounds.vcpus))
    if found.verdict is not Verdict.REFUTED:
        return found
    same = replace(
        setup.undisturbed,
        bounds=setup.bounds,
        memory=setup.memory,
        assumptions=setup.assumptions,
        exempt=setup.exempt,
        claims=setup.claims,
    )
    calm = build_machine(same)
    alone = replace(question, claims=(found.claim,), engine="bounded", board=None)
    forall = ForAll(calm, evidence=False)
    checker = ClaimChecker(calm, alone, found.claim, Definedness(calm, alone), forall)
    again = checker.tell(checker.decide())
    if again.verdict is Verdict.REFUTED:
        return replace(again, assumptions=found.assumptions)
    return claim.tell(LeavesOpen(why, question.bounds.vcpus))


def _weight(machine: Machine, name: str) -> int:
    """Return about how long a claim takes; those that look at every step take longest."""
    claim = machine.setup.claim(name)
    if claim is None:
        return 0
    looking = any(h.event == "step" for h in claim.handlers)
    return len(claim.handlers) + len(claim.witnesses) + 5 * looking


def decide_with_counterexample(
    machine: Machine, question: Question, name: str
) -> tuple[ClaimResult, Counterexample | None]:
    """Decide one claim; return also what refutes it, in the engines' own terms.

    Raises:
        InternalError: a counterexample does not replay.
        InputError: the claim or the variant is not accepted.
    """
    from flushproof.engines.smt.term_space import fresh_terms

    machine = machine.within(question.bounds)
    forall = ForAll(machine, evidence=False)
    claim = ClaimChecker(machine, question, name, Definedness(machine, question), forall)
    if why := machine.why_unstatable(name):
        return claim.tell(IsNotAsked(why)), None
    with fresh_terms():
        decision = claim.decide()
    found = decision.found if isinstance(decision, Refutes) else None
    return claim.tell(decision), found

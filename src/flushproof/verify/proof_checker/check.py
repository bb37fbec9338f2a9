"""Decides whether a claimed proof is one.

In: a program, and a claimed proof of it. Out: that it is one, or why it is not confirmed.

Lemma L31 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flushproof.ir.invariant import ClaimedProof, Position
from flushproof.ir.program import Program
from flushproof.support.record import Record
from flushproof.verify.proof_checker.cases import require_all_cases
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.conditions import CaseConditions
from flushproof.verify.proof_checker.local_facts import LocalConditions
from flushproof.verify.proof_checker.movers import MoverConditions
from flushproof.verify.proof_checker.same_code import trusted_positions
from flushproof.verify.proof_checker.solve import Ask, ask_z3
from flushproof.verify.proof_checker.terms import NotUnderstood, Script


class ProofConfirmed(Record, frozen=True):
    """The proof is one; `questions` were all answered.

    Of code without claims, `exact` are the positions at which no sum wraps around. With `many` it
    is about any number of flushers, else about one.
    """

    questions: int
    exact: frozenset[Position] = frozenset()
    many: bool = False


class ProofRefused(Record, frozen=True):
    """What keeps the proof from being confirmed; with `open` only that the solver gave up."""

    reason: str
    open: bool = False


Outcome = ProofConfirmed | ProofRefused
Asked = ParamSpec("Asked")


class DefinedProgram(Record, frozen=True):
    """A program without claims that was shown to do nothing undefined."""

    program: Program
    confirmed: ProofConfirmed


class NoAnswer(NotUnderstood):
    """The solver gave up, so that nothing is known of a condition."""


def _refuse_unknown(decide: Callable[Asked, Outcome]) -> Callable[Asked, Outcome]:
    """Have a decision be a refusal where there is no rule for something, or no answer."""

    @wraps(decide)
    def refusing(*args: Asked.args, **kwargs: Asked.kwargs) -> Outcome:
        try:
            return decide(*args, **kwargs)
        except NotUnderstood as error:
            return ProofRefused(str(error), isinstance(error, NoAnswer))

    return refusing


@_refuse_unknown
def check_defined(program: Program, proof: ClaimedProof, ask: Ask = ask_z3) -> Outcome:
    """Decide whether a proof shows that a program without claims does nothing undefined."""
    checked = CheckedProgram(program, proof)
    asked = _require_steps(checked, ask, None if proof.many else 1)
    return _require_cases(checked, proof, ask, asked)


@_refuse_unknown
def check_claims(
    program: Program, proof: ClaimedProof, base: DefinedProgram, ask: Ask = ask_z3
) -> Outcome:
    """Decide whether a proof shows the claims of a program whose own code is that of `base`."""
    if proof.many and not base.confirmed.many:
        raise NotUnderstood("the code itself was looked at with one flusher only")
    trusted = trusted_positions(base.program, program, base.confirmed.exact)
    checked = CheckedProgram(program, proof, trusted, defined=True)
    asked = _require_steps(checked, ask, None if proof.many else 1)
    return _require_cases(checked, proof, ask, asked)


@_refuse_unknown
def check_whole_calls(program: Program, proof: ClaimedProof, ask: Ask = ask_z3) -> Outcome:
    """Decide whether a proof shows the claims of a program whose calls are single steps.

    That they are is another matter: what they stand for is atomic (`check_atomic_calls`).
    """
    checked = CheckedProgram(program, proof)
    if proof.havocked:
        raise NotUnderstood("calls are compared with all that they write")
    for name, boundaries in checked.boundaries.items():
        if boundaries != {0}:
            raise NotUnderstood(f"a call of {name}() is more than one step")
    return _require_cases(checked, proof, ask, _require_local_facts(checked, ask))


@_refuse_unknown
def check_atomic_calls(
    program: Program, proof: ClaimedProof, flushers: int | None, ask: Ask = ask_z3
) -> Outcome:
    """Decide whether every call is one step, cut where a proof cuts loops.

    So many flushers may be at work at once, any number if None.
    """
    if proof.havocked:
        raise NotUnderstood("calls are compared with all that they write")
    return ProofConfirmed(_require_steps(CheckedProgram(program, proof), ask, flushers))


def _require_local_facts(checked: CheckedProgram, ask: Ask) -> int:
    local = LocalConditions(checked)
    local.ask_all()
    return _require_unsat(local.script, ask)


def _require_steps(checked: CheckedProgram, ask: Ask, flushers: int | None) -> int:
    asked = _require_local_facts(checked, ask)
    movers = MoverConditions(checked, ask, flushers=flushers)
    problem = movers.find_problem()
    if problem is not None:
        kind = NoAnswer if movers.open else NotUnderstood
        raise kind(f"a step would have to begin at {problem}")
    return asked + movers.asked


def _require_cases(checked: CheckedProgram, proof: ClaimedProof, ask: Ask, asked: int) -> Outcome:
    require_all_cases(checked.program, proof)
    exact: frozenset[Position] = frozenset()
    for case in proof.cases:
        conditions = CaseConditions(checked, case)
        conditions.ask_all()
        asked += _require_unsat(conditions.script, ask)
        if not checked.defined and len(proof.cases) == 1:
            answers = ask(conditions.script, [q for _, q in conditions.sums])
            sums = [(p, a) for (p, _), a in zip(conditions.sums, answers, strict=True)]
            exact = frozenset(p for p, _ in sums) - {p for p, a in sums if a != "unsat"}
    return ProofConfirmed(asked, exact, checked.many)


_ANSWERS = {"sat": "it does not follow", "unknown": "the solver gave up"}


def _require_unsat(script: Script, ask: Ask) -> int:
    """Return how many questions there are, all of which are unsatisfiable.

    Raises:
        NotUnderstood: one is not, or there is no answer.
    """
    answers = ask(script, script.questions)
    for q, answer in zip(script.questions, answers, strict=True):
        if answer != "unsat":
            kind = NotUnderstood if answer == "sat" else NoAnswer
            raise kind(f"{q.rule}: {q.text}: {_ANSWERS.get(answer, answer)}")
    return len(answers)

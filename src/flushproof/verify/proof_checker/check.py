"""Decides whether a claimed proof is one.

In: a program, and a claimed proof of it. Out: that it is one, or why it is not confirmed.

Lemma L31 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec

from flushproof.ir.invariant import ClaimedProof
from flushproof.ir.program import Program
from flushproof.support.record import Record
from flushproof.verify.proof_checker.cases import require_all_cases
from flushproof.verify.proof_checker.checked_program import CheckedProgram, make_checked
from flushproof.verify.proof_checker.code_paths import NotUnderstood
from flushproof.verify.proof_checker.conditions import CaseConditions
from flushproof.verify.proof_checker.local_facts import LocalConditions
from flushproof.verify.proof_checker.movers import MoverConditions
from flushproof.verify.proof_checker.same_code import trusted_positions
from flushproof.verify.proof_checker.script import Script
from flushproof.verify.proof_checker.solve import Ask, ask_z3


class ProofConfirmed(Record, frozen=True):
    """The proof is one; `questions` were all answered.

    Of code without claims, `exact` are the positions at which no sum wraps around. With `many` it
    is about any number of flushers, else about one.
    """

    questions: int
    exact: Mapping[str, frozenset[int]]
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
    return _check(make_checked(program, proof, {}, defined=False), proof, ask)


@_refuse_unknown
def check_claims(
    program: Program, proof: ClaimedProof, base: DefinedProgram, ask: Ask = ask_z3
) -> Outcome:
    """Decide whether a proof shows the claims of a program whose own code is that of `base`."""
    if proof.many and not base.confirmed.many:
        raise NotUnderstood("the code itself was looked at with one flusher only")
    trusted = trusted_positions(base.program, program, base.confirmed.exact)
    return _check(make_checked(program, proof, trusted, defined=True), proof, ask)


@_refuse_unknown
def check_whole_calls(program: Program, proof: ClaimedProof, ask: Ask = ask_z3) -> Outcome:
    """Decide whether a proof shows the claims of a program whose calls are single steps.

    That they are is another matter: what they stand for is atomic (`check_atomic_calls`).
    """
    checked = make_checked(program, proof, {}, defined=False)
    for o in program.operations:
        if checked.boundaries(o.name) != {0}:
            raise NotUnderstood(f"a call of {o.name}() is more than one step")
    return _check_cases(checked, proof, ask, _require_local_facts(checked, ask))


@_refuse_unknown
def check_atomic_calls(
    program: Program, proof: ClaimedProof, flushers: int | None, ask: Ask = ask_z3
) -> Outcome:
    """Decide whether every call is one step, cut where a proof cuts loops.

    So many flushers may be at work at once, any number if None.
    """
    checked = make_checked(program, proof, {}, defined=False)
    asked = _require_local_facts(checked, ask)
    return ProofConfirmed(asked + _require_steps(checked, ask, flushers), {})


def _check(checked: CheckedProgram, proof: ClaimedProof, ask: Ask) -> Outcome:
    asked = _require_local_facts(checked, ask) + _require_steps(
        checked, ask, None if checked.many else 1
    )
    return _check_cases(checked, proof, ask, asked)


def _require_local_facts(checked: CheckedProgram, ask: Ask) -> int:
    local = LocalConditions(checked)
    local.ask_all()
    return _require_unsat(local.script, ask)


def _require_steps(checked: CheckedProgram, ask: Ask, flushers: int | None) -> int:
    movers = MoverConditions(checked, ask, flushers=flushers)
    problem = movers.find_problem()
    if problem is not None:
        kind = NoAnswer if movers.open else NotUnderstood
        at = f"{problem.at.at} of {problem.at.operation}()"
        raise kind(f"a step would have to begin at {at}: {problem.text}")
    return movers.asked


def _check_cases(checked: CheckedProgram, proof: ClaimedProof, ask: Ask, asked: int) -> Outcome:
    require_all_cases(checked.program, proof)
    exact: Mapping[str, frozenset[int]] = {}
    for case in proof.cases:
        script = Script()
        conditions = CaseConditions(checked, case, script)
        conditions.ask_all()
        asked += _require_unsat(script, ask)
        if not checked.defined and len(proof.cases) == 1:
            exact = _exact_positions(script, conditions, ask)
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


def _exact_positions(
    script: Script, conditions: CaseConditions, ask: Ask
) -> dict[str, frozenset[int]]:
    """Return where no sum wraps around, in whatever step it is."""
    answers = ask(script, [q for _, q in conditions.sums])
    wraps = {p for (p, _), a in zip(conditions.sums, answers, strict=True) if a != "unsat"}
    found: dict[str, set[int]] = {}
    for p, _ in conditions.sums:
        if p not in wraps:
            found.setdefault(p.operation, set()).add(p.at)
    return {name: frozenset(at) for name, at in found.items()}

"""The second solver: what it answers, and that nothing it does is taken for an answer."""

from __future__ import annotations

import pytest

from flushproof.engines.second import cvc5_query as second
from flushproof.engines.second.cvc5_query import (
    NotAccepted,
    SolverAnswer,
    SolverLimits,
    ask_cvc5,
    cvc5_version,
)
from flushproof.support.diagnostics import InputError

TWO = """
(set-logic QF_UF) (declare-sort P 0) (declare-const a P) (declare-const b P)
(push 1) (assert (not (= a a))) (set-info :status unsat) (check-sat) (pop 1)
(assert (not (= a b))) (check-sat)
"""
HARD = """
(set-logic QF_NIA) (declare-const a Int) (declare-const b Int) (declare-const c Int)
(assert (and (> a 2) (> b 2) (= (+ (* a a a) (* b b b)) (* c c c)))) (check-sat)
"""
DEEP = f"(set-logic ALL) (assert {'(not ' * 300_000}true{')' * 300_000}) (check-sat)"


def test_each_question_is_answered() -> None:
    """A missing or swapped answer would be taken for that of another question."""
    assert ask_cvc5(TWO).answers == (SolverAnswer.UNSAT, SolverAnswer.SAT)
    assert cvc5_version().startswith("cvc5 1.")


def test_steps_run_out() -> None:
    """A question that is too hard is unknown, with the reason."""
    reply = ask_cvc5(HARD, SolverLimits(steps=1000))
    assert reply.answers == (SolverAnswer.UNKNOWN,)
    assert reply.reason == "no answer within its limit"


def test_an_error_is_a_reason() -> None:
    """What is said in place of an answer says why there is none."""
    number = "(set-logic QF_UF) (declare-const b Bool) (assert (= (ite b 0 1) 1)) (check-sat)"
    reply = ask_cvc5(number)
    assert reply.answers == (SolverAnswer.UNKNOWN,)
    assert "THEORY_ARITH" in reply.reason


def test_time_runs_out() -> None:
    """The process is ended from outside, and what is open is unknown."""
    assert ask_cvc5(HARD, SolverLimits(seconds=0)).answers == (SolverAnswer.UNKNOWN,)


def test_a_crash_costs_what_is_open() -> None:
    """A solver that dies takes neither this process nor earlier answers with it."""
    reply = ask_cvc5(TWO + DEEP.replace("(set-logic ALL)", ""))
    assert reply.answers == (SolverAnswer.UNSAT, SolverAnswer.SAT, SolverAnswer.UNKNOWN)
    assert "stopped" in reply.reason


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("(set-logic QF_UF) (assert x) (check-sat)", "'x' not declared"),
        ("(set-logic QF_UF) (check-sat", "Expected"),
        ('(set-logic QF_UF) (echo "sat")', "`echo` is not answered"),
        ('(set-option :regular-output-channel "out")', "`set-option` is not answered"),
        ("(set-logic QF_UF) (get-model)", "`get-model` is not answered"),
    ],
)
def test_foreign_scripts(script: str, said: str) -> None:
    """Nothing but questions is answered: a script could print an answer or write files."""
    with pytest.raises(NotAccepted, match=said):
        ask_cvc5(script)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setattr(second, "find_spec", lambda _: None)
    with pytest.raises(InputError) as refused:
        ask_cvc5(TWO)
    assert refused.value.exit_code == 2
    assert "flushproof[cvc5]" in refused.value.diagnostics[0].help

"""Questions as text: the logic they name has all that they speak of, and no more."""

from __future__ import annotations

import pytest
import z3

from flushproof.engines.second.cvc5_query import SolverAnswer, ask_cvc5
from flushproof.engines.smt.smtlib import smtlib_script

PAGE = z3.DeclareSort("Page")
FLAG, WORD, COUNT = z3.Bool("flag"), z3.BitVec("word", 64), z3.Int("count")


@pytest.mark.parametrize(
    ("condition", "logic"),
    [
        (z3.And(FLAG, z3.Not(FLAG)), "QF_UF"),
        (z3.Const("a 5 b", PAGE) != z3.Const("k!1", PAGE), "QF_UF"),
        (z3.Extract(3, 0, WORD) == 5, "QF_UFBV"),
        (COUNT > 5, "QF_UFLIA"),
        (z3.If(FLAG, z3.IntVal(0), z3.IntVal(1)) == 1, "QF_UFLIA"),
    ],
)
def test_the_logic(condition: z3.BoolRef, logic: str) -> None:
    """Too small a logic is refused by a solver that keeps to it, too large a one is slow."""
    text = smtlib_script([condition], "a question")
    assert text.splitlines()[1] == f"(set-logic {logic})"
    assert ask_cvc5(text).answers[0] in (SolverAnswer.SAT, SolverAnswer.UNSAT)

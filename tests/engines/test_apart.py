"""A question has the same model whatever was asked before it, and quick proofs are proofs."""

from __future__ import annotations

import pytest
import z3

from flushproof.engines.smt import proof_tactic
from flushproof.engines.smt.isolated_solver import IsolatedSolver
from flushproof.engines.smt.model_search import Implication, ModelSearch
from flushproof.engines.smt.proof_tactic import is_contradiction

EFFORT = 1_000_000


def _question() -> list[z3.BoolRef]:
    sort = z3.DeclareSort("Page")
    pages = [z3.Const(f"p{k}", sort) for k in range(6)]
    bits = [z3.Bool(f"b{k}") for k in range(6)]
    chosen = [z3.If(b, pages[k], pages[k - 1]) for k, b in enumerate(bits)]
    return [chosen[0] != chosen[3], chosen[1] == chosen[4], z3.Or(*bits)]


def _model() -> str:
    solver = IsolatedSolver(_question(), EFFORT)
    assert solver.check() == z3.sat
    model = solver.model()
    return " ".join(str(model.eval(c, model_completion=True)) for c in map(z3.Bool, _names()))


def _names() -> list[str]:
    return [f"b{k}" for k in range(6)]


def test_what_was_asked_before_does_not_matter() -> None:
    """The trace of a claim would change with the claims before it."""
    first = _model()
    kept = [z3.And(z3.Bool(f"b{5 - k}"), z3.Bool(f"x{k}")) for k in range(50)]
    busy = z3.Solver()
    busy.add(z3.Or(*kept))
    assert busy.check() == z3.sat
    assert _model() == first


def test_a_level_is_taken_back() -> None:
    """What is only tried must not stay."""
    solver = IsolatedSolver(_question(), EFFORT)
    solver.push()
    solver.add(z3.BoolVal(False))
    assert solver.check() == z3.unsat
    solver.pop()
    assert solver.check() == z3.sat


def test_only_a_contradiction_is_impossible() -> None:
    """A proof rests on this."""
    x, y = z3.Ints("x y")
    assert is_contradiction([x < y], y < x, EFFORT, z3.Context())
    assert not is_contradiction([x < y], y < x + 2, EFFORT, z3.Context())
    assert not is_contradiction(_question(), z3.BoolVal(True), EFFORT, z3.Context())


def test_without_an_answer_nothing_is_impossible() -> None:
    """To give up is not to have proved."""
    bits = [z3.BitVec(f"v{k}", 64) for k in range(3)]
    hard = [bits[0] * bits[1] == bits[2] * bits[2] + 7, z3.UGT(bits[0], 1 << 33)]
    goal = bits[1] * bits[2] * bits[0] == 0x1234567
    assert not is_contradiction(hard, goal, 10, z3.Context())
    assert not is_contradiction(hard, goal, 10, z3.Context(), [goal, z3.Not(goal)])


def test_parts_that_leave_something_out_exclude_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof would rest on how a goal was taken apart."""
    monkeypatch.setattr(proof_tactic, "AT_ONCE", 1)
    x, y = z3.Ints("x y")
    bounds = [x > 0, y > 0, x + y < 10, *_puzzle()]
    impossible = [x + y > 9 + k for k in range(3)]
    assert is_contradiction(bounds, z3.Or(*impossible), EFFORT, z3.Context(), impossible)
    goal = z3.Or(*impossible, x == y)
    assert not is_contradiction(bounds, goal, EFFORT, z3.Context(), impossible)
    assert not is_contradiction(bounds, goal, EFFORT, z3.Context(), [*impossible, x == y])


def _puzzle() -> list[z3.BoolRef]:
    """Return what can hold, and takes more than no effort."""
    rows = [[z3.Bool(f"q{a}{b}") for b in range(5)] for a in range(5)]
    one_each = (z3.PbEq([(c, 1) for c in row], 1) for row in rows)
    return [*one_each, *(z3.AtMost(*column, 1) for column in zip(*rows, strict=True))]


def test_names_that_are_facts_stay_in_a_search() -> None:
    """Calls that must happen would not be counted, and a bound on their number have no effect."""
    a, b = z3.Bools("a b")
    names = z3.Bools("x y")
    implied = [Implication(a, names[0]), Implication(b, names[1]), Implication(names[0], b)]
    search = ModelSearch([a], implied)
    model = search.find_model(EFFORT)
    assert isinstance(model, z3.ModelRef)
    assert z3.is_true(model.eval(a, model_completion=True))
    assert z3.is_true(model.eval(b, model_completion=True))
    assert search.find_model(EFFORT, z3.AtMost(*names, 1)) is False
    assert isinstance(search.find_model(EFFORT), z3.ModelRef)
    search.keep(z3.Not(names[0]))
    assert search.find_model(EFFORT) is False

"""The checker's terms against the interpreter: operations of C on numbers of every type."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from flushproof.engines.interpreter.evaluate import LocalValues, evaluate
from flushproof.ir.arith import apply_binary
from flushproof.ir.code import Binary, BinaryOp, Cast, Const, Expr, Local, Unary, UnaryOp, Var
from flushproof.ir.types import BOOL, INT, ROOT, S64, U32, U64, VCPU, Int, Type
from flushproof.verify.proof_checker import solve
from flushproof.verify.proof_checker.expressions import Evaluation, require_type
from flushproof.verify.proof_checker.terms import (
    NotUnderstood,
    ProofObligation,
    Script,
    all_of,
    make_constant,
    make_equality,
    negate_term,
)

WORDS = (Int(8, signed=False), Int(8, signed=True), Int(16, signed=True), INT, U32, S64, U64, ROOT)
BINARY: tuple[BinaryOp, ...] = (
    *("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"),
    *("==", "!=", "<", "<=", ">", ">="),
)
UNARY: tuple[UnaryOp, ...] = ("-", "~", "!")
X, Y = "x", "y"


def _numbers(t: Int, drawn: random.Random) -> list[int]:
    """Return numbers of a type: those at which something wraps around, and any."""
    edges = [t.low, t.high, 0, 1, t.wrap(-1), t.wrap(4095), t.wrap(-4096), t.wrap(2 + t.high)]
    return [*edges, *(drawn.randint(t.low, t.high) for _ in range(3)), drawn.randint(0, 9)]


def _constant_or_not(name: str, t: Type, value: int) -> tuple[Expr, Expr]:
    return Const(value, t), Var(Local(name, t))


def _cases(seed: int) -> Iterator[tuple[Expr, dict[Local, int]]]:
    """Yield expressions over constants and unknowns, and what the unknowns are."""
    drawn = random.Random(seed)
    for t in WORDS:
        known, types = dict.fromkeys(_numbers(t, drawn)), (*WORDS, BOOL)
        for a in known:
            b = drawn.choice(list(known))
            values = {Local(X, t): a, Local(Y, t): b}
            for op in BINARY:
                if op in ("<<", ">>"):
                    b = drawn.randrange(min(t.width, t.high))
                values[Local(Y, t)] = b
                if apply_binary(op, a, b, t) is None:
                    continue
                right = drawn.choice(_constant_or_not(Y, t, b))
                left = drawn.choice(_constant_or_not(X, t, a))
                result = BOOL if op in ("==", "!=", "<", "<=", ">", ">=") else t
                yield Binary(op, left, right, result), dict(values)
            for one in UNARY:
                left = drawn.choice(_constant_or_not(X, t, a))
                yield Unary(one, left, BOOL if one == "!" else t), dict(values)
            for target in types:
                yield Cast(drawn.choice(_constant_or_not(X, t, a)), target), dict(values)


def _differs(script: Script, e: Expr, values: dict[Local, int], expected: int) -> ProofObligation:
    """Ask whether an expression may have another value than is expected."""
    names = {x: script.declare(f"{x.name}{x.type}", x.type) for x in values}
    term = Evaluation(names.__getitem__, "0", lambda _: "0").value(e)
    known = [make_equality(names[x], make_constant(v, x.type)) for x, v in values.items()]
    other = negate_term(make_equality(term, make_constant(expected, e.type)))
    return ProofObligation("value", "differs", all_of((*known, other)))


def _asked(e: Expr, values: dict[Local, int], truth: int) -> tuple[Script, ProofObligation]:
    script = Script()
    return script, _differs(script, e, values, truth)


@pytest.mark.sample(every=8)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("bits", [False, True])
def test_a_term_has_the_value_that_it_has_in_runs(
    seed: int, monkeypatch: pytest.MonkeyPatch, *, bits: bool
) -> None:
    """Else a proof would be one of other arithmetic than C's.

    Guards Lemma L31 of docs/soundness.md.
    """
    monkeypatch.setattr(solve, "_takes_bits", lambda _: bits)
    cases, as_bits = list(_cases(seed)), 0
    assert len(cases) > 1000
    for e, values in random.Random(seed).sample(cases, 250):
        truth = evaluate(e, LocalValues(values, 1))
        script, question = _asked(e, values, truth)
        as_bits += "(_ BitVec 72)" in solve.script_text(script, [question])
        assert solve.ask_z3(script, [question]) == ("unsat",), (e, values, truth)
    assert as_bits > 200 if bits else as_bits == 0


@pytest.mark.parametrize(("value", "wanted"), [(U32, INT), (U64, U32), (BOOL, INT), (VCPU, U32)])
def test_a_value_of_another_type_is_not_taken(value: Type, wanted: Type) -> None:
    """A number alone does not tell its type: one out of range would exclude real runs."""
    with pytest.raises(NotUnderstood):
        require_type(value, wanted)


def test_numbers_of_vcpus_and_threads_are_of_one_type() -> None:
    """Or nothing could be said of a pointer to a vCPU."""
    require_type(VCPU, INT)

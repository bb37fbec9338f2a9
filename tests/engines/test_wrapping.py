"""Numbers of the bounded engine wrap around where the kernel's do, in sums of sums as well.

Guards Lemma L3 of docs/soundness.md.
"""

from __future__ import annotations

import random

import pytest
import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.evaluate import Evaluator, MachineValues
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.ir.analysis.representation import Kinds, Representation
from flushproof.ir.arith import apply_binary, apply_unary
from flushproof.ir.code import Binary, Cast, Const, Expr, Local, Unary, Var
from flushproof.ir.types import INT, S64, U64, Int

BYTE = Int(8, signed=True)
TYPES = (INT, S64, U64, BYTE, Int(8, signed=False), Int(32, signed=False))
EXPRESSIONS = 60


def _expression(rng: random.Random, x: Local, y: Local, depth: int) -> Expr:
    """Return a sum of two locals of one type, or of sums of them."""
    type_ = x.type
    assert isinstance(type_, Int)
    if depth == 0:
        number = rng.choice((1, 2, type_.high, type_.low))
        return rng.choice((Var(x), Var(y), Const(number, type_)))
    a = _expression(rng, x, y, depth - 1)
    match rng.randrange(5):
        case 0:
            return Unary("-", a, type_)
        case 1:
            return Cast(Cast(a, rng.choice(TYPES)), type_)
        case _:
            b = _expression(rng, x, y, depth - 1)
            return Binary(rng.choice(("+", "-")), a, b, type_)


def _computed(e: Expr, env: dict[Local, int]) -> int:
    match e:
        case Const(value):
            return value
        case Var(local):
            return env[local]
        case Unary(op, a, Int() as type_):
            return apply_unary(op, _computed(a, env), type_)
        case Cast(a, Int() as type_):
            return type_.wrap(_computed(a, env))
        case Binary(op, a, b, Int() as type_):
            found = apply_binary(op, _computed(a, env), _computed(b, env), type_)
            assert found is not None
            return found
        case _:
            raise TypeError(e)


def _number(value: Value, known: list[tuple[z3.ExprRef, z3.ExprRef]]) -> int:
    assert isinstance(value, (int, z3.ArithRef))
    found = z3.simplify(z3.substitute(t.z3_number(value), *known))
    assert isinstance(found, z3.IntNumRef)
    number: int = found.as_long()
    return number


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_sums_of_sums(type_: Int) -> None:
    """What has wrapped around lies anywhere in its type; else the next sum is taken not to.

    Guards Lemma L3 of docs/soundness.md.
    """
    rng = random.Random(str(type_))
    x, y = Local("x", type_), Local("y", type_)
    kinds = Kinds({}, frozenset(), frozenset(), split=False, exact_roots=True, roots=frozenset())
    edges = (type_.low, type_.low + 1, 0, 1, type_.high - 1, type_.high)
    for _ in range(EXPRESSIONS):
        e = _expression(rng, x, y, 3)
        algebra = Algebra(kinds)
        env = {z: algebra.fresh(z.name, type_, Representation.COUNT) for z in (x, y)}
        value = Evaluator(algebra, "f").value(e, env, MachineValues(1, 0, ()), Representation.COUNT)
        for a in edges:
            b = rng.choice(edges)
            known = [(z3.Int("x"), z3.IntVal(a)), (z3.Int("y"), z3.IntVal(b))]
            assert _number(value, known) == _computed(e, {x: a, y: b}), e

"""Terms mean the same as circuits and to z3, for values that lie in the small domains."""

from __future__ import annotations

import random

import pytest
import z3
from pysat.solvers import Solver

from flushproof.engines.unbounded.and_inverter_graph import Circuit
from flushproof.engines.unbounded.finite_instantiation import (
    FiniteInstantiation,
    Instance,
    OutsideSmallDomains,
)

X, Y = z3.BitVecs("x y", 8)
C = z3.Bool("c")
M, N = z3.Ints("i j")
UNKNOWNS = (X, Y, C, M, N)
TERMS = {
    "add": X + Y,
    "subtract": X - Y,
    "and": X & Y,
    "or": X | Y,
    "xor": X ^ Y,
    "invert": ~X,
    "negate": -X,
    "shift left": X << Y,
    "shift right": z3.LShR(X, Y),
    "shift right signed": X >> Y,
    "extract": z3.Extract(5, 2, X),
    "concat": z3.Concat(X, Y),
    "zeros": z3.ZeroExt(3, X),
    "signs": z3.SignExt(3, X),
    "choice": z3.If(C, X, Y),
    "signed less": X < Y,
    "signed most": X <= Y,
    "signed more": X > Y,
    "signed least": X >= Y,
    "less": z3.ULT(X, Y),
    "most": z3.ULE(X, Y),
    "more": z3.UGT(X, Y),
    "least": z3.UGE(X, Y),
    "equal": X == Y,
    "distinct": z3.Distinct(X, Y),
    "number most": M <= N,
    "number less": M < N,
    "number more": M > N,
    "number least": M >= N,
    "number equal": M == N,
    "sum": M + N <= 3,
    "difference": M - N == 2,
    "negative": -M < N,
    "number choice": z3.If(C, M, N) == 2,
    "exclusive": z3.Xor(C, M < N),
    "implies": z3.Implies(C, M == N),
    "all": z3.And(C, M < N, X == Y),
    "any": z3.Or(C, M < N, X == Y),
    "not": z3.Not(z3.And(C, M == N)),
}


def _values(chance: random.Random) -> list[z3.ExprRef]:
    words = [chance.choice((0, 1, 2, 7, 8, 9, 128, 255, chance.randrange(256))) for _ in "xy"]
    numbers = [chance.randrange(-4, 9) for _ in "ij"]
    return [
        *(z3.BitVecVal(w, 8) for w in words),
        z3.BoolVal(chance.random() < 0.5),
        *map(z3.IntVal, numbers),
    ]


@pytest.mark.parametrize("name", TERMS)
def test_a_circuit_computes_what_z3_does(name: str) -> None:
    """Else the search would look for invariants of another program, and find none or wrong ones.

    Guards Lemma L22 of docs/soundness.md.
    """
    term = TERMS[name]
    finite = FiniteInstantiation([term], [])
    chance = random.Random(name)
    for _ in range(30):
        values = _values(chance)
        wanted = z3.simplify(z3.substitute(term, *zip(UNKNOWNS, values, strict=True)))
        circuit = Circuit()
        instance = Instance(circuit)
        result = instance.word(finite(term))
        for unknown, value in zip(UNKNOWNS, values, strict=True):
            words = (instance.word(finite(unknown)), instance.word(finite(value)))
            circuit.require(circuit.equal(*words))
        solver = Solver("cadical153", bootstrap_with=circuit.clauses)
        assert solver.solve()
        model = solver.get_model()
        bits = [(model[abs(x) - 1] > 0) == (x > 0) for x in result]
        if z3.is_bool(term):
            assert bits == [z3.is_true(wanted)], values
        else:
            assert sum(b << k for k, b in enumerate(bits)) == wanted.as_long(), values


def test_reasons_are_enough() -> None:
    """With only the inputs that are named as reasons kept, a gate keeps its value."""
    chance = random.Random(7)
    circuit = Circuit()
    inputs = [circuit.fresh() for _ in range(6)]
    gates = list(inputs)
    for _ in range(60):
        a, b, c = (chance.choice(gates) * chance.choice((1, -1)) for _ in range(3))
        gates.append(circuit.choice(a, b, c) if chance.random() < 0.5 else circuit.differ(a, b))
    gates = [g for g in gates if abs(g) > 1]
    solver = Solver("cadical153", bootstrap_with=circuit.clauses)
    for gate in gates:
        fixed = [v * chance.choice((1, -1)) for v in inputs]
        assert solver.solve(assumptions=fixed)
        model = solver.get_model()
        literal = gate if (model[abs(gate) - 1] > 0) == (gate > 0) else -gate
        reasons = circuit.reasons((literal,), model)
        kept = [x for x in fixed if abs(x) in reasons]
        assert not solver.solve(assumptions=[*kept, -literal])


def test_unsupported_terms_are_refused() -> None:
    """A term without a counterpart must not be taken for something else."""
    with pytest.raises(OutsideSmallDomains):
        FiniteInstantiation([], [])(z3.Select(z3.Array("a", z3.IntSort(), z3.IntSort()), 1))

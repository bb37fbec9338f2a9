"""A second look at an invariant: one quantifier-free question for each clause."""

from __future__ import annotations

import z3

from flushproof.engines.unbounded.clauses import Atom, Clause, System
from flushproof.engines.unbounded.pdr import Invariant


def question(system: System, invariant: Invariant, clause: Clause) -> z3.BoolRef:
    """Return a formula that is unsatisfiable exactly if the clause holds under the invariant."""

    def holds(a: Atom) -> z3.BoolRef:
        pairs = zip(system.parameters[a.control], a.arguments, strict=True)
        formula: z3.BoolRef = z3.substitute(invariant.formula(a.control), *pairs)
        return formula

    parts = [*system.axioms, *system.known, clause.constraint, *(holds(a) for a in clause.body)]
    if clause.head is not None:
        parts.append(z3.Not(holds(clause.head)))
    return z3.And(*parts)


def failing(system: System, invariant: Invariant) -> list[Clause]:
    """Return the clauses that an invariant does not make true."""
    out: list[Clause] = []
    for clause in system.clauses:
        solver = z3.Solver()
        solver.add(question(system, invariant, clause))
        if solver.check() != z3.unsat:
            out.append(clause)
    return out

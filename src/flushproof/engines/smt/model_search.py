"""Models of constraints that are made simple once and then narrowed step by step.

In: constraints, and implications between conditions and names that are free otherwise. Out: models
in the main context. `solve-eqs` puts most of a formula's names out of the way, so what is narrowed
later has to be said of the names in the implications, which stay. All is done in a context of its
own: the same question has the same model, whatever was asked before it.
"""

from __future__ import annotations

from collections.abc import Iterable

import z3

from flushproof.engines.smt.proof_tactic import count_steps, make_solver, simplify_constraints
from flushproof.engines.smt.term_constructors import make_disjunction, make_negation
from flushproof.support.record import Record

_NEVER = "no implication counts"
"""A name with spaces, so that none of the program is alike."""


class Implication(Record, frozen=True):
    """If one condition holds, so does the other; one of them is a name."""

    premise: z3.BoolRef
    conclusion: z3.BoolRef


class ModelSearch:
    """A solver that is asked for one model after the other."""

    def __init__(
        self, constraints: Iterable[z3.BoolRef], implications: Iterable[Implication] = ()
    ) -> None:
        context = z3.Context()
        stated = (*constraints, *(_clause(i) for i in implications))
        self._simplified = simplify_constraints(stated, context)
        self._solver = make_solver(context)
        self._solver.add(*self._simplified)
        self._solver.add(z3.Not(z3.Bool(_NEVER, context)))

    @property
    def spent(self) -> int:
        """The solver's own steps that were taken so far."""
        return count_steps(self._solver)

    def keep(self, *constraints: z3.BoolRef) -> None:
        """Add constraints on names of the implications."""
        self._solver.add(*(c.translate(self._solver.ctx) for c in constraints))

    def find_model(self, effort: int, *constraints: z3.BoolRef) -> z3.ModelRef | bool:
        """Return a model under more constraints on names, False for none, True for no answer."""
        self._solver.set("rlimit", max(1, effort))
        self._solver.push()
        self.keep(*constraints)
        answer = self._solver.check()
        found: z3.ModelRef | bool = answer == z3.unknown
        if answer == z3.sat:
            whole = self._simplified.convert_model(self._solver.model())
            found = whole.translate(z3.main_ctx())
        self._solver.pop()
        return found


def _clause(i: Implication) -> z3.BoolRef:
    # With the third disjunct it is no fact about one name, which would be put out of the way.
    return make_disjunction((make_negation(i.premise), i.conclusion, z3.Bool(_NEVER)))

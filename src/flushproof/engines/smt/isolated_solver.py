"""A solver in a context of its own.

Which model z3 finds depends on the order in which terms were made, so also on questions that have
nothing to do with this one. In a fresh context the terms of a question are made in the order of the
question, so the same question has the same model, whatever was asked before it.
"""

from __future__ import annotations

from collections.abc import Iterable

import z3

from flushproof.engines.smt.term_constructors import add_constraints


class IsolatedSolver:
    """A solver for constraints of the main context, which may take so much `effort` a question."""

    def __init__(self, constraints: Iterable[z3.BoolRef], effort: int) -> None:
        self._solver = z3.Solver(ctx=z3.Context())
        self._solver.set("rlimit", effort)
        self.add(*constraints)

    def add(self, *constraints: z3.BoolRef) -> None:
        """Add constraints."""
        vector = z3.AstVector()
        for c in constraints:
            vector.push(c)
        add_constraints(self._solver, vector.translate(self._solver.ctx))

    def push(self) -> None:
        """Begin a level of constraints that can be taken back."""
        self._solver.push()

    def pop(self) -> None:
        """Take the last level back."""
        self._solver.pop()

    def check(self) -> z3.CheckSatResult:
        """Return whether the constraints can hold together."""
        return self._solver.check()

    def reason_unknown(self) -> str:
        """Return why the last check has no answer."""
        return str(self._solver.reason_unknown())

    def model(self) -> z3.ModelRef:
        """Return the model of the last check, in the main context."""
        return self._solver.model().translate(z3.main_ctx())

"""A quick attempt to show that a question has no answer.

In: constraints and a condition. Out: true only if z3 found that they cannot hold together. The
settings suit proofs of the bounded engine's formulas and no search for models; whatever is not
shown here is asked of a solver with its own settings. Attempts are made in a context of their own,
so what that solver finds does not depend on them; the questions about one claim share one, since
making a context takes as long as a small question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import z3

SIMPLIFY = ("simplify", "propagate-values", "solve-eqs", "simplify")
"""Most constraints give a value a name; `solve-eqs` puts the value back."""

SETTINGS: Mapping[str, int] = {
    "smt.relevancy": 0,
    "smt.phase_selection": 0,
    "smt.arith.solver": 2,
}
"""A fraction of the conflicts and of the time that z3's defaults take, measured on `specs/`."""


def is_contradiction(constraints: Iterable[z3.BoolRef], effort: int, context: z3.Context) -> bool:
    """Return true if the constraints are shown to contradict each other."""
    goal = z3.Goal()
    for c in constraints:
        z3.Z3_goal_assert(goal.ctx.ref(), goal.goal, c.ast)
    apart = goal.translate(context)
    left = z3.Then(*SIMPLIFY, ctx=apart.ctx)(apart)[0]
    solver = z3.SimpleSolver(apart.ctx)
    for name, value in SETTINGS.items():
        solver.set(name, value)
    solver.set("rlimit", effort)
    solver.add(*left)
    return bool(solver.check() == z3.unsat)

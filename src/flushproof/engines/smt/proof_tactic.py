"""A quick attempt to show that a question has no answer.

In: constraints and a goal, with parts of it. Out: true only if z3 found that they cannot hold
together. The settings suit the bounded engine's formulas once they are made simple;
whatever is not shown here is asked of a solver with its own settings. Attempts are made in a
context of their own, so what that solver finds does not depend on them; the questions about one
claim share one, since making a context takes as long as a small question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import z3

from flushproof.engines.smt.term_constructors import make_disjunction, make_negation

SIMPLIFY = ("simplify", "propagate-values", "solve-eqs", "simplify")
"""Most constraints give a value a name; `solve-eqs` puts the value back."""

SETTINGS: Mapping[str, int] = {
    "smt.relevancy": 0,
    "smt.phase_selection": 0,
    "smt.arith.solver": 2,
}
"""A fraction of the conflicts and of the time that z3's defaults take, measured on `specs/`."""

AT_ONCE = 300_000
"""So much effort goes into a goal with parts before they are asked; it is a few milliseconds."""


def is_contradiction(
    constraints: Iterable[z3.BoolRef],
    goal: z3.BoolRef,
    effort: int,
    context: z3.Context,
    parts: Sequence[z3.BoolRef] = (),
) -> bool:
    """Return true if constraints are shown to exclude a goal.

    Where that is not seen at once, `parts` of it are excluded one after the other first. What was
    learnt of one helps with the next, as an induction over time does, and little is left of the
    goal in the end. Nothing rests on how it was taken apart, for the whole of it is asked at last.
    """
    given = tuple(constraints)
    answer = _ask_at_once((*given, goal), min(effort, AT_ONCE) if parts else effort, context)
    if answer != z3.unknown or not parts:
        return bool(answer == z3.unsat)
    search = _PartsSearch(given, (*parts, goal), context)
    return all(search.excludes_next(effort) for _ in range(len(parts) + 1))


def _ask_at_once(
    asked: Iterable[z3.BoolRef], effort: int, context: z3.Context
) -> z3.CheckSatResult:
    solver = make_solver(context)
    solver.set("rlimit", effort)
    solver.add(*simplify_constraints(asked, context))
    return solver.check()


class _PartsSearch:
    """A solver that is asked about one goal after the other, and remembers which are excluded."""

    def __init__(
        self, constraints: Iterable[z3.BoolRef], goals: Sequence[z3.BoolRef], context: z3.Context
    ) -> None:
        self._solver = make_solver(context)
        self._asked = [z3.Bool(_asked(k), context) for k in range(len(goals))]
        self._excluded = [z3.Bool(_excluded(k), context) for k in range(len(goals))]
        self._next = 0
        self._solver.add(*simplify_constraints((*constraints, *self._named(goals)), context))
        self._solver.add(z3.Not(z3.Bool(_NEVER, context)))
        self._before = count_steps(self._solver)

    def _named(self, goals: Sequence[z3.BoolRef]) -> Iterator[z3.BoolRef]:
        # Clauses, no definitions: `solve-eqs` would put a defined name out of the way, as
        # `propagate-values` does with what has one value; hence the third disjunct.
        never = z3.Bool(_NEVER)
        for k, goal in enumerate(goals):
            against = make_negation(goal)
            yield make_disjunction((z3.Not(z3.Bool(_asked(k))), goal, never))
            yield make_disjunction((z3.Not(z3.Bool(_excluded(k))), against, never))

    def excludes_next(self, effort: int) -> bool:
        """Tell whether the next goal is excluded, with so much effort for all so far."""
        left = effort - (count_steps(self._solver) - self._before)
        if left <= 0:
            return False
        self._solver.set("rlimit", left)
        at, self._next = self._next, self._next + 1
        if self._solver.check(self._asked[at]) != z3.unsat:
            return False
        self._solver.add(self._excluded[at])
        return True


def make_solver(context: z3.Context) -> z3.Solver:
    """Return a solver that suits constraints that `SIMPLIFY` has gone over."""
    solver = z3.SimpleSolver(context)
    for name, value in SETTINGS.items():
        solver.set(name, value)
    return solver


# Names with spaces, so that none of the program is alike.
_NEVER = "no goal counts"


def _asked(number: int) -> str:
    return f"goal {number} is asked"


def _excluded(number: int) -> str:
    return f"goal {number} is excluded"


def count_steps(solver: z3.Solver) -> int:
    """Return how many of its own steps a solver has taken so far."""
    return next((int(v) for k, v in solver.statistics() if k == "rlimit count"), 0)


def simplify_constraints(constraints: Iterable[z3.BoolRef], context: z3.Context) -> z3.Goal:
    """Return constraints made simple, in another context."""
    goal = z3.Goal()
    for c in constraints:
        z3.Z3_goal_assert(goal.ctx.ref(), goal.goal, c.ast)
    return z3.Then(*SIMPLIFY, ctx=context)(goal.translate(context))[0]

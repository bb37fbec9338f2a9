"""The bounded engine: the smallest counterexample, or none within the bounds.

It looks at one vCPU first, then two, and so on. A counterexample is made small in this order: calls,
distinct roots, failures and partial ranges. Nothing is believed here: the caller replays it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import z3

from flushproof.engines.found import Found
from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.model import schedule
from flushproof.engines.symbolic.problem import Failure, Problem
from flushproof.engines.symbolic.threads import Boundaries, Counts
from flushproof.engines.symbolic.values import NotExact
from flushproof.ir.kinds import Kinds, infer
from flushproof.ir.program import Program


@dataclass(frozen=True, slots=True)
class Level:
    """What one number of vCPUs gave: counterexamples by claim, and a fault if there is one."""

    vcpus: int
    found: dict[str, Found]
    undecided: dict[str, str]
    fault: Found | None
    exact_roots: bool
    rounds: int


def problem(
    program: Program,
    counts: Counts,
    boundaries: Boundaries | None,
    rounds: int | None = None,
) -> tuple[Problem, Kinds]:
    """Build a problem; roots are page numbers where that is exact, else bit-vectors."""
    kinds = infer(program)
    try:
        return Problem(program, kinds, counts, boundaries, rounds), kinds
    except NotExact:
        kinds = infer(program, exact_roots=False)
        return Problem(program, kinds, counts, boundaries, rounds), kinds


class Bounded:
    """Decides claims for one number of vCPUs after the other."""

    def __init__(self, boundaries: Boundaries | None, rounds: int | None = None) -> None:
        self.boundaries = boundaries
        self.rounds = rounds

    def level(self, program: Program, counts: Counts, claims: Sequence[str]) -> Level:
        """Decide claims for one number of vCPUs."""
        p, kinds = problem(program, counts, self.boundaries, self.rounds)
        found: dict[str, Found] = {}
        undecided: dict[str, str] = {}
        fault = self._fault(p, undecided)
        for claim in claims:
            answer = _smallest(p, claim, p.failures(claim))
            if isinstance(answer, Found):
                found[claim] = answer
            elif answer is not None:
                undecided[claim] = answer
        return Level(counts.vcpus, found, undecided, fault, kinds.exact_roots, p.rounds)

    def _fault(self, p: Problem, undecided: dict[str, str]) -> Found | None:
        faults = p.faults()
        answer = _smallest(p, "", faults)
        for f in faults:
            p.solver.add(t.z3_bool(t.not_(f.condition)))
        return answer if isinstance(answer, Found) else None


def smt2(p: Problem, claim: str) -> str:
    """The question whether a claim can fail, as SMT-LIB 2 text; unsat means it cannot."""
    solver = z3.Solver()
    solver.add(*p.solver.assertions())
    solver.add(t.z3_bool(t.or_(*(f.condition for f in p.failures(claim)))))
    return str(solver.to_smt2())


def _smallest(p: Problem, claim: str, failures: list[Failure]) -> Found | str | None:
    """The smallest counterexample, None if there is none, or why that is not known."""
    goal = t.or_(*(f.condition for f in failures))
    if goal is False:
        return None
    p.solver.push()
    p.solver.add(t.z3_bool(goal))
    answer = p.solver.check()
    result: Found | str | None = None
    if answer == z3.sat:
        result = _shrink(p, claim, failures)
    elif answer != z3.unsat:
        result = f"the solver gave up: {p.solver.reason_unknown()}"
    p.solver.pop()
    return result


def _shrink(p: Problem, claim: str, failures: list[Failure]) -> Found:
    calls = _least(p, p.calls(), 1)
    roots = _fewest_roots(p)
    _least(p, p.switches(), 0)
    _least(p, p.oddities(), 0)
    p.solver.check()
    model = p.solver.model()
    plan = schedule(p, model)
    text = next((f.text for f in failures if _true(model, f.condition)), "")
    return Found(claim, plan, p.boundaries, calls, roots, text)


def _true(model: z3.ModelRef, b: t.Bool) -> bool:
    return b if isinstance(b, bool) else z3.is_true(model.eval(b, model_completion=True))


def _least(p: Problem, conditions: list[t.Bool], low: int) -> int:
    """Find the least number of conditions that have to hold, and keep to it."""
    terms = [t.z3_bool(c) for c in conditions if c is not False]
    for count in range(low, len(terms)):
        if _try(p, z3.AtMost(*terms, count)):
            return count
    return len(terms)


def _fewest_roots(p: Problem) -> int:
    roots = p.roots()
    for count in range(1, len(roots) + 1):
        names = [p.algebra.fresh_root(f"root{k}") for k in range(count)]
        if not p.algebra.kinds.exact_roots:
            return _fewest_bits(p)
        among = [
            t.implies(begun, t.or_(*(p.algebra.equal(root, n) for n in names)))
            for begun, root in roots
        ]
        if _try(p, z3.And(*(t.z3_bool(a) for a in among))):
            return count
    return len(roots)


def _fewest_bits(p: Problem) -> int:
    roots = p.roots()
    for count in range(1, len(roots) + 1):
        values = [z3.BitVecVal((k + 1) << 12, 64) for k in range(count)]
        among = [
            t.implies(begun, t.or_(*(p.algebra.equal(root, v) for v in values)))
            for begun, root in roots
        ]
        if _try(p, z3.And(*(t.z3_bool(a) for a in among))):
            return count
    return len(roots)


def _try(p: Problem, constraint: z3.BoolRef) -> bool:
    """Add a constraint if it leaves a counterexample."""
    p.solver.push()
    p.solver.add(constraint)
    if p.solver.check() == z3.sat:
        p.solver.pop()
        p.solver.add(constraint)
        return True
    p.solver.pop()
    return False



"""Path conditions and the merging of states where paths meet.

A path condition is a set of cubes, each a sequence of decisions. Where all branches of a decision
meet again the decision drops out, so a condition stays as small as the code's structure allows.
"""

from __future__ import annotations

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locations import Location
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.ir.code import Local
from flushproof.support.record import Record

Cube = tuple[int, ...]
"""Decisions as numbers of conditions, negative where the condition was false."""


class Path(Record):
    """A symbolic state on its way: path condition, locals, and shared memory so far."""

    cubes: tuple[Cube, ...]
    locals: dict[Local, Value]
    memory: dict[Location, Value]


class Paths:
    """Numbers conditions, and branches and merges paths."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self._numbers: dict[int, int] = {}
        self._terms: list[z3.BoolRef] = []
        self._negated: list[t.Bool] = []

    def _number(self, condition: z3.BoolRef) -> int:
        known = self._numbers.get(condition.ast.value)
        if known is None:
            self._terms.append(condition)
            self._negated.append(t.not_(condition))
            known = self._numbers[condition.ast.value] = len(self._terms)
        return known

    def _literal(self, decision: int) -> t.Bool:
        return self._terms[decision - 1] if decision > 0 else self._negated[-decision - 1]

    def guard(self, cubes: tuple[Cube, ...]) -> t.Bool:
        """Return the term of a path condition."""
        return t.or_(*(t.and_(*map(self._literal, cube)) for cube in cubes))

    def branch(self, path: Path, condition: z3.BoolRef, *, positive: bool) -> Path:
        """Return the path that goes on where a condition holds, or where it does not."""
        decision = self._number(condition) if positive else -self._number(condition)
        base = path.cubes[0] if len(path.cubes) == 1 else self._opaque(path.cubes)
        return Path(((*base, decision),), dict(path.locals), dict(path.memory))

    def _opaque(self, cubes: tuple[Cube, ...]) -> Cube:
        guard = self.guard(cubes)
        return () if isinstance(guard, bool) else (self._number(guard),)

    def merge(self, paths: list[Path], live: frozenset[Local]) -> Path:
        """Merge paths that meet, keeping only live locals."""
        work = sorted(paths, key=lambda p: -max(map(len, p.cubes)))
        while len(work) > 1:
            a = work.pop(0)
            partner = next(
                (b for b in work if len(collapse_cubes(a.cubes + b.cubes)) == 1), work[0]
            )
            work.remove(partner)
            work.append(self._join(a, partner, live))
            work.sort(key=lambda p: -max(map(len, p.cubes)))
        only = work[0]
        only.locals = {x: v for x, v in only.locals.items() if x in live}
        return only

    def _join(self, a: Path, b: Path, live: frozenset[Local]) -> Path:
        choose = self._distinguish(a.cubes, b.cubes)
        ite = self.algebra.ite
        locals_: dict[Local, Value] = {}
        for x in (x for x in {**a.locals, **b.locals} if x in live):
            if x in a.locals:
                locals_[x] = ite(choose, a.locals[x], b.locals.get(x, a.locals[x]))
            else:
                locals_[x] = b.locals[x]
        memory = {k: ite(choose, v, b.memory[k]) for k, v in a.memory.items()}
        return Path(collapse_cubes(a.cubes + b.cubes), locals_, memory)

    def _distinguish(self, a: tuple[Cube, ...], b: tuple[Cube, ...]) -> t.Bool:
        """Return a condition that holds on `a` and not on `b`; shared decisions are left out."""
        shared = _common(a + b)
        return self.guard(tuple(cube[shared:] for cube in a))


def _common(cubes: tuple[Cube, ...]) -> int:
    shortest = min(cubes, key=len)
    for at, decision in enumerate(shortest):
        if any(cube[at] != decision for cube in cubes):
            return at
    return len(shortest)


def collapse_cubes(cubes: tuple[Cube, ...]) -> tuple[Cube, ...]:
    """Drop decisions of which both outcomes are there."""
    left = dict.fromkeys(cubes)
    changed = True
    while changed:
        changed = False
        for cube in sorted(left, key=lambda c: -len(c)):
            if cube and (*cube[:-1], -cube[-1]) in left:
                del left[cube], left[(*cube[:-1], -cube[-1])]
                left[cube[:-1]] = None
                changed = True
                break
    return tuple(left)

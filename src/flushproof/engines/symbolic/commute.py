"""Whether steps of two threads commute, asked of z3 where their footprints overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import z3

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.steps import Location, Step, ThreadSteps
from flushproof.engines.symbolic.values import Algebra, Root, Value


class Commutation:
    """Decides whether steps commute, from states that `observer` (if any) finds nothing wrong with.

    A state that a claim's `step` handler objects to has been reported when it was reached, so what
    happens after it does not matter.
    """

    def __init__(self, algebra: Algebra, observer: Step | None) -> None:
        self.algebra = algebra
        self.observer = observer

    def steps(self, a: Step, b: Step) -> bool:
        """True when the two steps have the same effect in either order."""
        if _disjoint(a, b) and _disjoint(b, a):
            return True
        return _same_effect(self.algebra, a, b, self.observer)

    def threads(self, a: ThreadSteps, b: ThreadSteps) -> bool:
        """True when every step of one thread commutes with every step of the other."""
        asked: set[tuple[int, int]] = set()
        for x in a.steps:
            for y in b.steps:
                key = (_shape(a, x), _shape(b, y))
                if key not in asked and not self.steps(x, y):
                    return False
                asked.add(key)
        return True


def commuting_prefix(
    commutation: Commutation, threads: tuple[ThreadSteps, ...], positions: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the positions if all those threads commute with each other, else the first alone."""
    for i, a in enumerate(positions):
        for b in positions[i + 1 :]:
            if not commutation.threads(threads[a], threads[b]):
                return positions[:1]
    return positions


def _shape(thread: ThreadSteps, step: Step) -> int:
    """Calls of one operation have the same steps."""
    same = [s for s in thread.steps if s.call == step.call]
    return next(k for k, s in enumerate(same) if s is step)


def _disjoint(a: Step, b: Step) -> bool:
    return not a.outputs.keys() & (b.inputs.keys() | b.outputs.keys())


def _same_effect(algebra: Algebra, a: Step, b: Step, observer: Step | None) -> bool:
    """Both orders are possible from the same states, and there they do and show the same."""
    looking = () if observer is None else (observer,)
    touched = {w for s in (a, b, *looking) for w in (*s.inputs, *s.outputs)}
    start = {w: _unknown((a, b, *looking), w) for w in sorted(touched)}
    sound = [
        t.not_(broken) for s in looking for _, broken in _apply(algebra, s, start).failures
    ]
    a_first = _apply(algebra, a, start)
    b_second = _apply(algebra, b, a_first.state)
    b_first = _apply(algebra, b, start)
    a_second = _apply(algebra, a, b_first.state)
    one = t.and_(a_first.enabled, b_second.enabled)
    other = t.and_(b_first.enabled, a_second.enabled)
    same = [algebra.equal(b_second.state[w], a_second.state[w]) for w in sorted(touched)]
    known = (*a_first.known, *b_second.known), (*a_second.known, *b_first.known)
    same += [algebra.equal(x, y) for x, y in zip(*known, strict=True)]
    same += [
        t.equal_bool(
            t.or_(a_first.failing(claim), b_second.failing(claim)),
            t.or_(b_first.failing(claim), a_second.failing(claim)),
        )
        for claim in {c.claim for c in (*a.claimed, *b.claimed)} | {""}
    ]
    differs = t.or_(t.not_(t.equal_bool(one, other)), t.and_(one, t.not_(t.and_(*same))))
    goal = t.and_(differs, *sound)
    if isinstance(goal, bool):
        return not goal
    solver = z3.Solver()
    solver.add(*algebra.axioms(), goal)
    return solver.check() == z3.unsat


def _unknown(steps: tuple[Step, ...], where: Location) -> Value:
    for step in steps:
        if where in step.inputs:
            return step.inputs[where]
    return next(s.outputs[where] for s in steps if where in s.outputs)


@dataclass(frozen=True, slots=True)
class _After:
    """A step's effect on a state, what the thread knows afterwards, and which claims fail in it."""

    state: dict[Location, Value]
    enabled: t.Bool
    known: tuple[Value, ...]
    failures: tuple[tuple[str, t.Bool], ...]

    def failing(self, claim: str) -> t.Bool:
        """The condition that a claim ("" for definedness) fails in the step."""
        return t.or_(*(broken for name, broken in self.failures if name == claim))


def _apply(algebra: Algebra, step: Step, state: dict[Location, Value]) -> _After:
    pairs = [
        pair
        for where, unknown in step.inputs.items()
        for pair in _pairs(algebra, unknown, state[where])
        if not pair[0].eq(pair[1])
    ]
    after = dict(state)
    for where, value in step.outputs.items():
        after[where] = _replace(value, pairs)
    known = [v for guard, locals_ in step.exits for v in (guard, *locals_.values())]
    failures = [(c.claim, c.broken) for c in step.claimed]
    failures += [("", f.broken) for f in step.faults]
    return _After(
        after,
        _bool(_replace(step.enabled, pairs)),
        tuple(_replace(v, pairs) for v in known),
        tuple((name, _bool(_replace(b, pairs))) for name, b in failures),
    )


def _bool(value: Value) -> t.Bool:
    assert isinstance(value, (bool, z3.BoolRef))
    return value


def _pairs(
    algebra: Algebra, unknown: Value, value: Value
) -> Iterator[tuple[z3.ExprRef, z3.ExprRef]]:
    match unknown, value:
        case Root(p, bits), Root(q, others):
            yield from _pair(p, algebra.page_term(q))
            for x, y in zip(bits, others, strict=True):
                yield from _pair(x, y)
        case _:
            yield from _pair(unknown, value)


def _pair(x: object, y: object) -> Iterator[tuple[z3.ExprRef, z3.ExprRef]]:
    if isinstance(x, z3.ExprRef):
        yield x, _term(y)


def _term(y: object) -> z3.ExprRef:
    if isinstance(y, bool):
        return z3.BoolVal(y)
    if isinstance(y, int):
        return z3.IntVal(y)
    assert isinstance(y, z3.ExprRef)
    return y


def _replace(value: Value, pairs: list[tuple[z3.ExprRef, z3.ExprRef]]) -> Value:
    if not pairs:
        return value
    match value:
        case Root(page, bits):
            new = z3.substitute(page, *pairs) if isinstance(page, z3.ExprRef) else page
            return Root(new, tuple(_replace(b, pairs) for b in bits))  # type: ignore[arg-type]
        case bool() | int():
            return value
        case _:
            return z3.substitute(value, *pairs)  # type: ignore[no-any-return]


"""Between which numbers the locals of an operation lie, whatever others do.

In: code. Out: before each position that can be reached, an interval for each local of which more is
known than its type says. What is read of shared state is any value. Ends of intervals that meet are
rounded to the constants of the code and the ends of types, so that there is an end to it (interval
analysis with thresholds: Cousot and Cousot, POPL 1977; Blanchet et al., PLDI 2003).

`i--` in a condition keeps the old value aside, moves the local and compares what was kept. So that
tells of the local, too, it is noted which local is which other, and how far off.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.dataflow import solve_forward
from flushproof.ir.analysis.def_use import defined_local, operand_expressions, subexpressions_of
from flushproof.ir.code import (
    OPPOSITE,
    Assign,
    Binary,
    BinaryOp,
    Branch,
    Cast,
    Const,
    Expr,
    Instr,
    Ite,
    Local,
    NumVcpus,
    Unary,
    Var,
)
from flushproof.ir.types import BOOL, INT, S64, U32, U64, Int
from flushproof.support.record import Record, replace

Code = tuple[Instr, ...]
Interval = tuple[int, int]
"""The least and the greatest number."""

MIRRORED: Mapping[BinaryOp, BinaryOp] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""What holds of two sides that change places."""


class Ranges(Record, frozen=True):
    """What is known at a position; a local that is not among `within` is any value of its type.

    `same` says that a local is another plus a distance, as machine words are.
    """

    within: Mapping[Local, Interval]
    same: Mapping[Local, tuple[Local, int]]


NOTHING = Ranges({}, {})


@lru_cache(maxsize=64)
def find_ranges(code: Code) -> Mapping[int, Mapping[Local, Interval]]:
    """Return for each position that can be reached between which numbers locals lie there."""
    marks = sorted({*_list_marks(code)})

    def flow(at: int, before: Ranges) -> Iterator[tuple[int, Ranges]]:
        i = code[at]
        if isinstance(i, Branch):
            for target, holds in ((i.then, True), (i.otherwise, False)):
                after = _assume(before, i.condition, holds=holds)
                if after is not None:
                    yield target, after
            return
        after = _execute(before, i)
        for target in successor_positions(code, at):
            yield target, after

    def join(a: Ranges, b: Ranges) -> Ranges:
        return _join_ranges(a, b, marks)

    return {at: known.within for at, known in solve_forward(NOTHING, flow, join).items()}


def _list_marks(code: Code) -> Iterator[int]:
    """Yield the numbers that ends are rounded to: those that a comparison or a step may leave."""
    for t in (INT, U32, S64, U64):
        yield from (t.low, t.low + 1, t.high - 1, t.high)
    expressions = (x for i in code for e in operand_expressions(i) for x in subexpressions_of(e))
    for e in expressions:
        if isinstance(e, Const):
            yield from (e.value - 1, e.value, e.value + 1)


def _join_ranges(a: Ranges, b: Ranges, marks: list[int]) -> Ranges:
    """Return what is known where two ways meet."""
    within: dict[Local, Interval] = {}
    for x, (low, high) in a.within.items():
        other = b.within.get(x)
        if other is None:
            continue
        if low <= other[0] and other[1] <= high:
            within[x] = low, high
        else:
            wider = min(low, other[0]), max(high, other[1])
            within |= _keep_narrow(x, _round(wider, marks, x))
    same = {x: y for x, y in a.same.items() if b.same.get(x) == y}
    return Ranges(within, same)


def _round(interval: Interval, marks: list[int], x: Local) -> Interval:
    """Return an interval that reaches out to the next of some numbers."""
    limits = _limits_of(Var(x))
    low, high = bisect_right(marks, interval[0]), bisect_left(marks, interval[1])
    return (
        max(marks[low - 1], limits[0]) if low else limits[0],
        min(marks[high], limits[1]) if high < len(marks) else limits[1],
    )


def _limits_of(e: Expr) -> Interval:
    """Return what the type of a number allows."""
    return (e.type.low, e.type.high) if isinstance(e.type, Int) else (0, 0)


def _keep_narrow(x: Local, interval: Interval) -> dict[Local, Interval]:
    """Return what is worth knowing of a local."""
    fits = isinstance(x.type, Int) and interval != _limits_of(Var(x))
    return {x: interval} if fits else {}


# Instructions ------------------------------------------------------------------------------------


def _execute(before: Ranges, i: Instr) -> Ranges:
    """Return what is known after an instruction."""
    target = defined_local(i)
    if target is None:
        return before
    within = {x: found for x, found in before.within.items() if x != target}
    same = {x: y for x, y in before.same.items() if target not in (x, y[0])}
    if not isinstance(i, Assign) or not isinstance(target.type, Int):
        return Ranges(within, same)
    within |= _keep_narrow(target, _evaluate(before, i.value))
    source, distance = _split_sum(i.value)
    if source == target:
        # The local moves, and so does where others are, seen from it.
        moved = {x: (y, d - distance) for x, (y, d) in before.same.items() if y == target}
        same |= {x: y for x, y in moved.items() if x != target}
    elif source is not None and source.type == target.type:
        same[target] = (source, distance)
    return Ranges(within, same)


def _split_sum(e: Expr) -> tuple[Local | None, int]:
    """Return the local that a number is so far from; None if it is no such sum."""
    match e:
        case Var(x):
            return x, 0
        case Binary("+", Var(x), Const(value)):
            return x, value
        case Binary("-", Var(x), Const(value)):
            return x, -value
        case _:
            return None, 0


def _evaluate(known: Ranges, e: Expr) -> Interval:
    """Return between which numbers the value of an expression lies."""
    match e:
        case Const(value):
            return value, value
        case Var(x):
            return known.within.get(x, _limits_of(e))
        case NumVcpus():
            return 1, INT.high
        case Cast(operand) if isinstance(operand.type, Int):
            return _fit(_evaluate(known, operand), e)
        case Binary("+", a, b):
            (low, high), (less, more) = _evaluate(known, a), _evaluate(known, b)
            return _fit((low + less, high + more), e)
        case Binary("-", a, b):
            (low, high), (less, more) = _evaluate(known, a), _evaluate(known, b)
            return _fit((low - more, high - less), e)
        case Ite(_, a, b):
            (low, high), (less, more) = _evaluate(known, a), _evaluate(known, b)
            return min(low, less), max(high, more)
        case _:
            return _limits_of(e)


def _fit(interval: Interval, e: Expr) -> Interval:
    """Return an interval if it fits a type, else all of this: it may wrap around."""
    low, high = _limits_of(e)
    return interval if low <= interval[0] and interval[1] <= high else (low, high)


# Conditions --------------------------------------------------------------------------------------


def _assume(known: Ranges, condition: Expr, *, holds: bool) -> Ranges | None:
    """Return what is known where a condition holds, or does not; None if that cannot be."""
    match condition:
        case Unary("!", operand):
            return _assume(known, operand, holds=not holds)
        case Binary("&" | "|" as op, a, b, t) if t == BOOL and (op == "&") == holds:
            left = _assume(known, a, holds=holds)
            return None if left is None else _assume(left, b, holds=holds)
        case Binary(op, a, b) if op in OPPOSITE and isinstance(a.type, Int):
            relation = op if holds else OPPOSITE[op]
            left = _compare(known, relation, a, _evaluate(known, b))
            turned = MIRRORED.get(relation, relation)
            return None if left is None else _compare(left, turned, b, _evaluate(left, a))
        case _:
            return known


def _compare(known: Ranges, op: BinaryOp, e: Expr, other: Interval) -> Ranges | None:
    """Return what is known where a number compares so with one that lies in an interval."""
    low, high = _evaluate(known, e)
    match op:
        case "<":
            high = min(high, other[1] - 1)
        case "<=":
            high = min(high, other[1])
        case ">":
            low = max(low, other[0] + 1)
        case ">=":
            low = max(low, other[0])
        case "==":
            low, high = max(low, other[0]), min(high, other[1])
        case _:
            pass
    if low > high:
        return None
    return _narrow(known, e.local, (low, high)) if isinstance(e, Var) else known


def _narrow(known: Ranges, x: Local, interval: Interval) -> Ranges:
    """Return what is known where a local lies in an interval, also of others so far from it."""
    within = {**known.within, **_keep_narrow(x, interval)}
    others = [(z, d) for z, (y, d) in known.same.items() if y == x]
    if x in known.same:
        y, distance = known.same[x]
        others.append((y, -distance))
    for y, distance in others:
        shifted = (interval[0] + distance, interval[1] + distance)
        if _fit(shifted, Var(y)) == shifted:
            low, high = within.get(y, _limits_of(Var(y)))
            within |= _keep_narrow(y, (max(low, shifted[0]), min(high, shifted[1])))
    return replace(known, within=within)

"""Integer constant expressions: enumerators, case labels, array sizes."""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.diagnostics import InputError
from flushproof.frontend import syntax as c
from flushproof.frontend.errors import NotConstant
from flushproof.frontend.types import common, promote
from flushproof.ir.arith import binary, binary_op, unary
from flushproof.ir.types import INT, S64, U32, U64, Int

SUFFIXES = {"": INT, "u": U32, "l": S64, "ll": S64, "ul": U64, "ull": U64}


def number_type(value: int, suffix: str) -> Int:
    """Return the type of an integer constant: the first that fits (C11 6.4.4.1, hexadecimal)."""
    first = SUFFIXES[suffix]
    for t in (INT, U32, S64, U64):
        wide_enough = t.width >= first.width and (first.signed or not t.signed)
        if wide_enough and t.low <= value <= t.high:
            return t
    return U64


def enumerator_type(value: int) -> Int:
    """Return the type of an enumerator: int, or the first that fits where int is too small."""
    return next(t for t in (INT, U32, S64, U64) if t.low <= value <= t.high)


def evaluate(expr: c.Expr, names: Mapping[str, int]) -> int:
    """Evaluate a constant expression over enumerators.

    Raises:
        InputError: `NotConstant` at the first part that is not constant.
    """
    return _evaluate(expr, names)[0]


def _evaluate(expr: c.Expr, names: Mapping[str, int]) -> tuple[int, Int]:
    match expr:
        case c.Number(value, suffix):
            t = number_type(value, suffix)
            return t.wrap(value), t
        case c.Name(id) if id in names:
            return names[id], enumerator_type(names[id])
        case c.Unary("-" | "~" | "!" as op, operand):
            value, t = _evaluate(operand, names)
            t = INT if op == "!" else promote(t)
            return unary(op, value, t), t
        case c.Binary(op, left, right) if op not in ("&&", "||", ","):
            return _binary(op, _evaluate(left, names), _evaluate(right, names), expr)
        case _:
            raise InputError(NotConstant(span=expr.span))


def _binary(op: str, left: tuple[int, Int], right: tuple[int, Int], at: c.Expr) -> tuple[int, Int]:
    t = common(left[1], right[1])
    result = binary(binary_op(op), t.wrap(left[0]), t.wrap(right[0]), t)
    if result is None:
        raise InputError(NotConstant(span=at.span))
    return result, t

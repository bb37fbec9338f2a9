"""Integer constant expressions: enumerators, case labels, array sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.layout import type_extent
from flushproof.frontend.c.structs import StructInfo
from flushproof.frontend.c.type_errors import NotConstant, UnsupportedConstruct
from flushproof.frontend.c.types import CType, Integer, common_type, promote_integer
from flushproof.ir.arith import apply_binary, apply_unary, binary_op
from flushproof.ir.code import COMPARISONS
from flushproof.ir.types import INT, S64, U32, U64, Int
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.support.source import Span

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


class Constants(Record, frozen=True):
    """What constant expressions can speak of: enumerators and types.

    `types` gives the types of the enumerators that do not fit int.
    """

    values: Mapping[str, int]
    types: Mapping[str, Int]
    structs: Mapping[str, StructInfo]
    resolve: Callable[[c.WrittenType, c.Declarator], CType]

    def type(self, name: str) -> Int:
        """Return the type of an enumerator."""
        return self.types.get(name) or enumerator_type(self.values[name])


def _no_type(written: c.WrittenType, _declarator: c.Declarator) -> CType:
    raise InputError(NotConstant(span=written.span))


NUMBERS = Constants({}, {}, {}, _no_type)
"""For constants that speak of numbers alone."""


def evaluate_constant(expr: c.Expr, known: Constants) -> int:
    """Evaluate an integer constant expression.

    Raises:
        InputError: `NotConstant` at the first part that is not constant.
    """
    return _evaluate(expr, known)[0]


def _evaluate(expr: c.Expr, known: Constants) -> tuple[int, Int]:
    match expr:
        case c.Number(value, suffix):
            t = number_type(value, suffix)
            return t.wrap(value), t
        case c.Name(id) if id in known.values:
            return known.values[id], known.type(id)
        case c.SizeOf(c.WrittenType() as written, c.Declarator() as declarator):
            return type_size(known, known.resolve(written, declarator), expr.span), U64
        case c.CastExpr(written, declarator, operand):
            return _cast(known.resolve(written, declarator), _evaluate(operand, known)[0], expr)
        case c.UnaryExpr("+", operand):
            value, t = _evaluate(operand, known)
            return value, promote_integer(t)
        case c.UnaryExpr("-" | "~" | "!" as op, operand):
            value, t = _evaluate(operand, known)
            result = promote_integer(t)
            return apply_unary(op, value, result), INT if op == "!" else result
        case c.BinaryExpr("&&" | "||" as op, left, right):
            return _logical(op, left, right, known), INT
        case c.BinaryExpr(op, left, right) if op != ",":
            return _binary(op, _evaluate(left, known), _evaluate(right, known), expr)
        case c.Conditional(condition, then, otherwise) if then is not None:
            return _conditional(condition, then, otherwise, known)
        case _:
            raise InputError(NotConstant(span=expr.span))


def type_size(known: Constants, t: CType, span: Span) -> int:
    """Return the size of a type in bytes.

    Raises:
        InputError: it is not known.
    """
    found = type_extent(t, known.structs)
    if found is None:
        raise InputError(UnsupportedConstruct(span=span, construct=f"the size of `{t}`"))
    return found.size


def _cast(t: CType, value: int, at: c.Expr) -> tuple[int, Int]:
    if not isinstance(t, Integer):
        raise InputError(NotConstant(span=at.span))
    return (int(value != 0) if t.is_truth else t.ir.wrap(value)), t.ir


def _logical(op: str, left: c.Expr, right: c.Expr, known: Constants) -> int:
    first = _evaluate(left, known)[0] != 0
    if first == (op == "||"):
        return int(first)
    return int(_evaluate(right, known)[0] != 0)


def _conditional(
    condition: c.Expr, then: c.Expr, otherwise: c.Expr, known: Constants
) -> tuple[int, Int]:
    chosen, other = (then, otherwise) if _evaluate(condition, known)[0] else (otherwise, then)
    value, t = _evaluate(chosen, known)
    t = common_type(t, _evaluate(other, known)[1])
    return t.wrap(value), t


def _binary(op: str, left: tuple[int, Int], right: tuple[int, Int], at: c.Expr) -> tuple[int, Int]:
    if op in ("<<", ">>"):
        t = promote_integer(left[1])
        result = apply_binary(binary_op(op), left[0], right[0], t)
    else:
        t = common_type(left[1], right[1])
        result = apply_binary(binary_op(op), t.wrap(left[0]), t.wrap(right[0]), t)
    if result is None:
        raise InputError(NotConstant(span=at.span))
    return result, INT if op in COMPARISONS else t

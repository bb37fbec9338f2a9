"""Conversions between C types, on IR expressions."""

from __future__ import annotations

import hashlib

from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.types import BOOL_T, INT_T, CType, Integer, Pointer, Struct, common_type
from flushproof.ir.arith import apply_binary, apply_unary
from flushproof.ir.code import COMPARISONS, Binary, BinaryOp, Cast, Const, Expr, Ite, Unary, UnaryOp
from flushproof.ir.types import BOOL, INT, NO_VCPU, U64, VCPU, Int, VcpuRef
from flushproof.lower.places import vcpu_nonnull
from flushproof.lower.values import FALSE, TRUE, FunctionRef, Null, PointerTo, Scalar, Value
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def cast_integer(expr: Expr, t: Int) -> Expr:
    """Convert an integer expression to type `t`, folding constants."""
    if expr.type == t:
        return expr
    if t == BOOL:
        return nonzero_condition(expr)
    if isinstance(expr, Const):
        return Const(t.wrap(expr.value), t)
    return Cast(expr, t)


def truncate_integer(expr: Expr, t: Int) -> Expr:
    """Convert an integer expression to type `t`, also to a single bit, by dropping the others."""
    own = expr.type
    if t != BOOL or own == BOOL or not isinstance(own, Int):
        return cast_integer(expr, t)
    return nonzero_condition(apply_operator("&", expr, Const(1, own)))


def nonzero_condition(expr: Expr) -> Expr:
    """Return the condition that an integer is not 0."""
    if expr.type == BOOL:
        return expr
    if isinstance(expr, Const):
        return TRUE if expr.value else FALSE
    match expr:
        case Cast(operand) if is_widening(expr):
            return nonzero_condition(operand)
        case Binary("^" | "-", left, right):
            return apply_operator("!=", left, right)
        case Binary("|", left, right):
            return disjoin_conditions(nonzero_condition(left), nonzero_condition(right))
        case Binary("&", Cast(left), Cast(right)) if left.type == right.type == BOOL:
            return conjoin_conditions(left, right)
        case _:
            pass
    return Binary("!=", expr, Const(0, expr.type), BOOL)


def is_widening(expr: Cast) -> bool:
    """Tell whether a conversion keeps every value."""
    inner, outer = expr.operand.type, expr.type
    if not isinstance(inner, Int) or not isinstance(outer, Int):
        return False
    return outer.includes(inner)


def negate_condition(condition: Expr) -> Expr:
    """Negate a condition."""
    match condition:
        case Const(value):
            return FALSE if value else TRUE
        case Unary("!", operand):
            return operand
        case Binary("==", left, right):
            return Binary("!=", left, right, BOOL)
        case Binary("!=", left, right):
            return Binary("==", left, right, BOOL)
        case _:
            return Unary("!", condition, BOOL)


def conjoin_conditions(a: Expr, b: Expr) -> Expr:
    """Conjoin two conditions."""
    if isinstance(a, Const):
        return b if a.value else FALSE
    if isinstance(b, Const):
        return a if b.value else FALSE
    return Binary("&", a, b, BOOL)


def disjoin_conditions(a: Expr, b: Expr) -> Expr:
    """Disjoin two conditions, both of which are evaluated."""
    if isinstance(a, Const):
        return TRUE if a.value else b
    if isinstance(b, Const):
        return TRUE if b.value else a
    return Binary("|", a, b, BOOL)


def apply_operator(op: BinaryOp, left: Expr, right: Expr) -> Expr:
    """Apply an operator to operands that already have one type, folding constants."""
    t = left.type
    result = BOOL if op in COMPARISONS else t
    if isinstance(left, Const) and isinstance(right, Const) and isinstance(t, Int):
        value = apply_binary(op, left.value, right.value, t)
        if value is not None:
            return Const(value, result)
    if op in ("==", "!=") and t != BOOL and isinstance(right, Const) and right.value == 0:
        test = (
            nonzero_condition(left) if isinstance(left, Binary) else Binary("!=", left, right, BOOL)
        )
        return test if op == "!=" else negate_condition(test)
    return Binary(op, left, right, result)


def apply_prefix(op: UnaryOp, operand: Expr, t: Int) -> Expr:
    """Apply - or ~ to an operand of type `t`, folding constants."""
    if isinstance(operand, Const):
        return Const(apply_unary(op, operand.value, t), t)
    return Unary(op, operand, t)


def choose_value(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """Return the conditional expression of two values of one type."""
    if isinstance(condition, Const):
        return then if condition.value else otherwise
    return Ite(condition, then, otherwise, then.type)


def condition_of(value: Value, span: Span) -> Expr:
    """Return a value as a condition.

    Raises:
        InputError: the value is not scalar.
    """
    match value:
        case Scalar(expr) if isinstance(expr.type, VcpuRef):
            return vcpu_nonnull(expr)
        case Scalar(expr):
            return nonzero_condition(expr)
        case PointerTo(_, nonnull):
            return nonnull
        case Null():
            return FALSE
        case FunctionRef():
            return TRUE
        case _:
            raise InputError(Mismatch(span=span, text="a scalar is needed here"))


def require_integer(value: Value, span: Span) -> tuple[Expr, Int]:
    """Return an integer value with its type.

    Raises:
        InputError: the value is not an integer.
    """
    match value:
        case Scalar(expr) if isinstance(expr.type, Int):
            return expr, expr.type
        case FunctionRef(name):
            return function_address(name), U64
        case Null():
            return Const(0, U64), U64
        case _:
            raise InputError(Mismatch(span=span, text="an integer is needed here"))


def function_address(name: str) -> Const:
    """Return a number that stands for the address of a function: not 0, and one for each name."""
    digest = hashlib.sha256(name.encode()).digest()
    return Const((0xFFFFFFFF << 32) | int.from_bytes(digest[:4], "big") & ~0xF, U64)


def as_type(value: Value, t: CType, span: Span) -> Expr:
    """Convert a value for storage in a scalar of C type `t`.

    Raises:
        InputError: the types do not fit.
    """
    match t:
        case Integer(_, ir):
            if t.is_truth:
                return condition_of(value, span)
            return truncate_integer(require_integer(value, span)[0], ir)
        case Pointer(Struct()):
            return _as_vcpu(value, t, span)
        case _:
            raise InputError(Mismatch(span=span, text=f"this value does not fit in `{t}`"))


def _as_vcpu(value: Value, t: CType, span: Span) -> Expr:
    match value:
        case Scalar(expr) if isinstance(expr.type, VcpuRef):
            return expr
        case Null():
            return Const(NO_VCPU, VCPU)
        case FunctionRef(name):
            return function_address(name)
        case Scalar(expr) if expr.type == U64:
            return expr
        case Scalar(Const(0)):
            return Const(NO_VCPU, VCPU)
        case _:
            raise InputError(Mismatch(span=span, text=f"this value does not fit in `{t}`"))


def balance_operands(left: Value, right: Value, span: Span) -> tuple[Expr, Expr, Integer]:
    """Bring two integers to their common type.

    Raises:
        InputError: one of them is not an integer.
    """
    a, ta = require_integer(left, span)
    b, tb = require_integer(right, span)
    t = common_type(ta, tb)
    name = INT_T.name if t == INT_T.ir else f"{'' if t.signed else 'unsigned '}{t.width}-bit"
    return cast_integer(a, t), cast_integer(b, t), Integer(name, t)


def int_constant(value: int) -> Scalar:
    """Return an `int` constant as the value of a C expression."""
    return Scalar(Const(value, INT), INT_T)


def condition_value(condition: Expr) -> Scalar:
    """Return a condition as the value of a C expression."""
    return Scalar(condition, BOOL_T)

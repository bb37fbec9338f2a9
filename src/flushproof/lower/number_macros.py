"""What the kernel's macros on numbers need beyond the operators of C.

__value(v)             the value of v, whatever is assigned afterwards
__least(a, b)  __greatest(a, b)   the one or the other, in their common type
__first(a, b)          the value of a; b is evaluated, too
__typed(x, v)          v converted to the type of x, which is not evaluated
__constant(x)          1 where x is a constant, else either of 0 and 1; x is not evaluated
__elements(x)          how many elements the array x has, which is not evaluated
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import evaluate_constant
from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.c.type_errors import Mismatch, WrongArity
from flushproof.frontend.c.types import ULONG_T, Array, Integer
from flushproof.ir.code import BinaryOp, Const, Havoc, Var
from flushproof.ir.types import BOOL, U64
from flushproof.lower import convert
from flushproof.lower.cond_load import lower_cond_load
from flushproof.lower.context import Context, Special, unsupported_construct
from flushproof.lower.expressions import lower_expression, struct_of
from flushproof.lower.places import member_type
from flushproof.lower.values import Scalar, Value
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def freeze_value(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    """Return a value that later assignments do not change."""
    v = lower_expression(ctx, arguments[0])
    if isinstance(v, Scalar) and not isinstance(v.expr, Const):
        return Scalar(ctx.emitter.keep(v.expr, span), v.type)
    return v


def lower_min(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    """Return `a < b ? a : b`, each evaluated once."""
    return _chosen(ctx, "<", arguments, span)


def lower_max(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    """Return `a > b ? a : b`, each evaluated once."""
    return _chosen(ctx, ">", arguments, span)


def _chosen(ctx: Context, op: BinaryOp, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    first = lower_expression(ctx, arguments[0])
    a, b, t = convert.balance_operands(first, lower_expression(ctx, arguments[1]), span)
    chosen = convert.choose_value(convert.apply_operator(op, a, b), a, b)
    return Scalar(ctx.emitter.keep(chosen, span), t)


def lower_first(ctx: Context, arguments: tuple[c.Expr, ...], _span: Span) -> Value:
    """Return the first of two values."""
    kept = lower_expression(ctx, arguments[0])
    lower_expression(ctx, arguments[1])
    return kept


# What is not evaluated --------------------------------------------------------------------------


def lower_typed(ctx: Context, e: c.CallExpr) -> Value:
    """Convert the second argument to the type of the first.

    Raises:
        InputError: it has no integer type.
    """
    like, given = _two(e)
    v = lower_expression(ctx.aside(), like)
    t = v.type if isinstance(v, Scalar) else None
    if not isinstance(t, Integer):
        t = Integer("integer", convert.require_integer(v, e.span)[1])
    return Scalar(convert.as_type(lower_expression(ctx, given), t, e.span), t)


def count_elements(ctx: Context, e: c.CallExpr) -> Value:
    """Return the number of elements of an array.

    Raises:
        InputError: the argument is no member that is an array of a known size.
    """
    match e.arguments:
        case (c.Member() as array,) if (size := _size(ctx.aside(), array)) is not None:
            return Scalar(Const(size, U64), ULONG_T)
        case _:
            raise unsupported_construct("the size of this array", e.span)


def _size(ctx: Context, e: c.Member) -> int | None:
    match member_type(ctx, struct_of(ctx, e), e.name, e.span):
        case Array(_, size):
            return size
        case _:
            raise InputError(Mismatch(span=e.span, text=f"`{e.name}` is not an array"))


def _two(e: c.CallExpr) -> tuple[c.Expr, c.Expr]:
    match e.arguments:
        case (a, b):
            return a, b
        case _:
            name = e.function.id if isinstance(e.function, c.Name) else ""
            raise InputError(WrongArity(span=e.span, name=name, wanted=2, given=len(e.arguments)))


def is_constant(ctx: Context, e: c.CallExpr) -> Value:
    """Return 1 for a constant; for anything else a compiler may know its value or not."""
    if len(e.arguments) != 1:
        name = e.function.id if isinstance(e.function, c.Name) else ""
        raise InputError(WrongArity(span=e.span, name=name, wanted=1, given=len(e.arguments)))
    lower_expression(ctx.aside(), e.arguments[0])
    try:
        evaluate_constant(e.arguments[0], ctx.env.declarations.known)
    except InputError:
        known = ctx.emitter.temp(BOOL)
        ctx.emitter.emit(Havoc(known, e.span))
        return convert.condition_value(Var(known))
    return convert.int_constant(1)


TABLE: dict[str, Special] = {
    "__typed": lower_typed,
    "__elements": count_elements,
    "__constant": is_constant,
    "__waits_for": lower_cond_load,
}


def unevaluated_macros(declarations: Declarations) -> Mapping[str, Special]:
    """Return the functions that do not evaluate what they are given, by name."""
    return {
        f.name: TABLE[a.name]
        for f in declarations.functions.values()
        for a in f.annotations
        if a.name in TABLE
    }

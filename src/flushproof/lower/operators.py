"""C operators on values: arithmetic, comparison, and the join of a conditional's two arms."""

from __future__ import annotations

from flushproof.frontend.c.types import CType, Integer, promote_integer
from flushproof.ir.arith import binary_op
from flushproof.ir.builder import Label
from flushproof.ir.code import COMPARISONS, Assign, Const, Expr, Var
from flushproof.ir.types import NO_VCPU, VCPU, Int, VcpuRef
from flushproof.lower import convert
from flushproof.lower.context import Context, same_place, unsupported_construct
from flushproof.lower.values import (
    FALSE,
    TRUE,
    FunctionRef,
    Nothing,
    Null,
    PointerTo,
    Scalar,
    Value,
)
from flushproof.support.source import Span


def lower_operator(ctx: Context, op: str, left: Value, right: Value, span: Span) -> Value:
    """Apply a binary operator other than && || and the comma to two values."""
    if op in ("==", "!=") and (pointers := _pointer_equality(op, left, right)):
        return pointers
    if op in ("<<", ">>"):
        a, t = convert.require_integer(left, span)
        t = promote_integer(t)
        b, own = convert.require_integer(right, span)
        b = convert.cast_integer(b, promote_integer(own))
        _check_shift(ctx, b, promote_integer(own), t.width, span)
        b = convert.cast_integer(b, t)
        shifted = convert.apply_operator(binary_op(op), convert.cast_integer(a, t), b)
        return Scalar(shifted, Integer("integer", t))
    a, b, common = convert.balance_operands(left, right, span)
    if op in ("/", "%"):
        ctx.emitter.check(convert.nonzero_condition(b), "division by zero", span)
        _check_quotient(ctx, a, b, span)
    result = convert.apply_operator(binary_op(op), a, b)
    return convert.condition_value(result) if op in COMPARISONS else Scalar(result, common)


def _check_shift(ctx: Context, count: Expr, t: Int, width: int, span: Span) -> None:
    low = convert.apply_operator(">=", count, Const(0, t))
    high = convert.apply_operator("<", count, Const(width, t))
    ctx.emitter.check(
        convert.conjoin_conditions(low, high), "a shift by more than the width of the type", span
    )


def _check_quotient(ctx: Context, a: Expr, b: Expr, span: Span) -> None:
    """Check that the quotient fits: what wraps around in a sum traps in a division on x86."""
    if isinstance(a.type, Int) and a.type.signed:
        least = convert.apply_operator("==", a, Const(a.type.low, a.type))
        back = convert.apply_operator("==", b, Const(-1, a.type))
        fits = convert.negate_condition(convert.conjoin_conditions(least, back))
        ctx.emitter.check(fits, "a quotient that does not fit its type", span)


def _pointer_equality(op: str, left: Value, right: Value) -> Value | None:
    equal: Expr
    match left, right:
        case (Scalar(a), Scalar(b)) if a.type == b.type == VCPU:
            equal = convert.apply_operator("==", a, b)
        case (Scalar(a), Scalar(Const(0))) | (Scalar(Const(0)), Scalar(a)) if a.type == VCPU:
            equal = convert.apply_operator("==", a, Const(NO_VCPU, VCPU))
        case (Scalar(a), Null()) | (Null(), Scalar(a)) if a.type == VCPU:
            equal = convert.apply_operator("==", a, Const(NO_VCPU, VCPU))
        case (PointerTo(_, nonnull), Null() | Scalar(Const(0))) | (
            Null() | Scalar(Const(0)),
            PointerTo(_, nonnull),
        ):
            equal = convert.negate_condition(nonnull)
        case (PointerTo(a_place, x), PointerTo(b_place, y)) if same_place(a_place, b_place):
            equal = convert.apply_operator("==", x, y)
        case (FunctionRef(f), FunctionRef(g)):
            equal = TRUE if f == g else FALSE
        case _:
            return None
    return convert.condition_value(equal if op == "==" else convert.negate_condition(equal))


class Merge:
    """Joins the values of the two arms of a conditional expression."""

    def __init__(self, ctx: Context, end: Label, span: Span) -> None:
        self.ctx, self.end, self.span = ctx, end, span
        self.arms: list[tuple[int, Value]] = []

    def arm(self, value: Value | None) -> None:
        """End one arm; room is left for the assignment of its value."""
        assert value is not None
        self.arms.append((len(self.ctx.emitter.code), value))
        self.ctx.emitter.emit(Assign(self.ctx.emitter.temp(TRUE.type), FALSE, self.span))
        self.ctx.emitter.jump(self.end, self.span)

    def value(self) -> Value:
        """Fill in the assignments and return the joined value."""
        (_, left), (_, right) = self.arms
        if isinstance(left, Nothing) or isinstance(right, Nothing):
            return Nothing()
        if isinstance(left, PointerTo) or isinstance(right, PointerTo):
            return self._pointers(left, right)
        a, b, t = self._scalars(left, right)
        return Scalar(self._join(a, b), t)

    def _scalars(self, left: Value, right: Value) -> tuple[Expr, Expr, CType]:
        for one in (left, right):
            if isinstance(one, Scalar) and isinstance(one.expr.type, VcpuRef):
                a, b = (convert.as_type(v, one.type, self.span) for v in (left, right))
                return a, b, one.type
        return convert.balance_operands(left, right, self.span)

    def _pointers(self, left: Value, right: Value) -> Value:
        places = [v.place for v in (left, right) if isinstance(v, PointerTo)]
        if len(places) == 2 and not same_place(places[0], places[1]):
            raise unsupported_construct("a pointer with more than one target", self.span)
        a, b = (convert.condition_of(v, self.span) for v in (left, right))
        return PointerTo(places[0], self._join(a, b))

    def _join(self, a: Expr, b: Expr) -> Expr:
        result = self.ctx.emitter.temp(a.type)
        for (at, _), expr in zip(self.arms, (a, b), strict=True):
            self.ctx.emitter.fill(at, Assign(result, expr, self.span))
        return Var(result)

"""Simplification of expressions: what is decided whatever the locals hold."""

from __future__ import annotations

from typing import assert_never

from flushproof.ir.analysis.def_use import subexpressions_of
from flushproof.ir.arith import apply_binary, apply_unary
from flushproof.ir.code import (
    OPPOSITE,
    AllFree,
    Binary,
    Cast,
    Const,
    Expr,
    HeldLocks,
    Ite,
    NumVcpus,
    Self,
    Unary,
    Var,
)
from flushproof.ir.types import BOOL, Int, Type

TRUE = Const(1, BOOL)
FALSE = Const(0, BOOL)


def is_always_defined(e: Expr) -> bool:
    """Tell whether an expression has a value whatever the locals hold."""
    partial = ("/", "%", "<<", ">>")
    return not any(isinstance(x, Binary) and x.op in partial for x in subexpressions_of(e))


def fold_expr(e: Expr) -> Expr:
    """Return an expression of the same value, a constant where that is easily seen.

    What it leaves out must have a value, see `is_always_defined`.
    """
    match e:
        case Const() | Var() | NumVcpus() | Self() | HeldLocks() | AllFree():
            return e
        case Unary(op, a, t):
            return _fold_unary(Unary(op, fold_expr(a), t))
        case Cast(a, t):
            return _fold_cast(fold_expr(a), t)
        case Binary(op, a, b, t):
            return _fold_binary(Binary(op, fold_expr(a), fold_expr(b), t))
        case Ite(c, a, b, t):
            return _fold_choice(Ite(fold_expr(c), fold_expr(a), fold_expr(b), t))
        case _:
            assert_never(e)


def negate_expr(e: Expr) -> Expr:
    """Return the opposite of a folded condition."""
    match e:
        case Const(value):
            return FALSE if value else TRUE
        case Unary("!", a) if a.type == BOOL:
            return a
        case Binary(op, a, b, t) if op in OPPOSITE:
            return Binary(OPPOSITE[op], a, b, t)
        case _:
            return Unary("!", e, BOOL)


def _fold_unary(e: Unary) -> Expr:
    match e.operand:
        case Const(value, Int()) if isinstance(e.type, Int):
            return Const(apply_unary(e.op, value, e.type), e.type)
        case a if e.op == "!" and a.type == BOOL and e.type == BOOL:
            return negate_expr(a)
        case _:
            return e


def _fold_cast(a: Expr, t: Type) -> Expr:
    if a.type == t:
        return a
    match a, t:
        case Const(value, Int()), Int():
            return Const(t.wrap(value), t)
        case Cast(inner), _ if _keeps(inner.type, a.type) or _is_cut(inner.type, a.type, t):
            return _fold_cast(inner, t)
        case _:
            return Cast(a, t)


def _keeps(inner: Type, outer: Type) -> bool:
    """Tell whether a conversion keeps every value."""
    if not isinstance(inner, Int) or not isinstance(outer, Int):
        return False
    return outer.includes(inner)


def _is_cut(inner: Type, between: Type, t: Type) -> bool:
    """Tell whether a type keeps all bits that are left of a value in the end."""
    if not isinstance(inner, Int) or not isinstance(between, Int) or not isinstance(t, Int):
        return False
    return between.width >= t.width


def _tells_apart(inner: Type, outer: Type) -> bool:
    """Tell whether a conversion takes different values to different ones."""
    return isinstance(inner, Int) and isinstance(outer, Int) and inner.width <= outer.width


def _fold_binary(e: Binary) -> Expr:
    match e.left, e.right:
        case Const(a, Int() as t), Const(b, Int()) if isinstance(e.type, Int):
            result = apply_binary(e.op, a, b, t)
            return e if result is None else Const(result, e.type)
        case a, b if e.op in ("==", "!="):
            return _fold_equality(a, b, e)
        case a, b if e.type == BOOL and e.op in ("&", "|"):
            return _fold_junction(a, b, e)
        case _:
            return e


def _fold_equality(a: Expr, b: Expr, e: Binary) -> Expr:
    if a == b:
        return TRUE if e.op == "==" else FALSE
    match a, b:
        case Const(), _ if not isinstance(b, Const):
            return _fold_equality(b, a, Binary(e.op, b, a, e.type))
        case Cast(x, t), Cast(y, u) if x.type == y.type and t == u and _tells_apart(x.type, t):
            return fold_expr(Binary(e.op, x, y, BOOL))
        case Cast(x, Int() as t), Const(value) if _tells_apart(x.type, t):
            assert isinstance(x.type, Int)
            near = x.type.wrap(value)
            if t.wrap(near) == value:
                return fold_expr(Binary(e.op, x, Const(near, x.type), BOOL))
            return FALSE if e.op == "==" else TRUE
        case Ite(c, Const() as x, Const() as y), Const():
            first, second = (fold_expr(Binary(e.op, z, b, BOOL)) for z in (x, y))
            return _fold_choice(Ite(c, first, second, BOOL))
        case x, Const(value, t) if t == BOOL:
            return x if (e.op == "==") == (value == 1) else negate_expr(x)
        case _:
            return e


def _fold_junction(a: Expr, b: Expr, e: Binary) -> Expr:
    absorbing, neutral = (FALSE, TRUE) if e.op == "&" else (TRUE, FALSE)
    if absorbing in (a, b):
        return absorbing
    if a in (neutral, b):
        return b
    return a if b == neutral else e


def _fold_choice(e: Ite) -> Expr:
    match e:
        case Ite(Const(value), a, b):
            return a if value else b
        case Ite(_, a, b) if a == b:
            return a
        case Ite(c, Const(x, t), Const(y)) if t == BOOL and x != y:
            return c if x else negate_expr(c)
        case Ite(c, a, b, t) if t == BOOL and FALSE in (a, b):
            return _fold_junction(c, a, Binary("&", c, a, BOOL)) if b == FALSE else _with(c, b)
        case _:
            return e


def _with(c: Expr, b: Expr) -> Expr:
    opposite = negate_expr(c)
    return _fold_junction(opposite, b, Binary("&", opposite, b, BOOL))

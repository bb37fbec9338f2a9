"""The meaning of expressions on plain integers, as the interpreter evaluates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from flushproof.ir.arith import apply_binary, apply_unary
from flushproof.ir.code import (
    AllFree,
    Binary,
    Cast,
    Const,
    Expr,
    HeldLocks,
    Ite,
    Local,
    NumVcpus,
    Self,
    Unary,
    Var,
)
from flushproof.ir.types import Int
from flushproof.support.record import Record


def _none_held() -> int:
    return 0


def _all_free() -> bool:
    return True


class LocalValues(Record, frozen=True):
    """What expressions range over: locals, the number of vCPUs, and the running thread's locks.

    `self` is the thread's number plus one. Locks are looked at where an expression speaks of them:
    `held` gives the set of those that the thread holds as bits.
    """

    locals: Mapping[Local, int]
    vcpus: int
    self: int = 0
    held: Callable[[], int] = _none_held
    all_free: Callable[[], bool] = _all_free


def evaluate(e: Expr, env: LocalValues) -> int:  # noqa: C901 - a table of all expressions
    """Evaluate an expression; a bool is 0 or 1.

    Raises:
        ZeroDivisionError: C leaves the value undefined.
    """
    match e:
        case Const(value):
            return value
        case Var(local):
            return env.locals[local]
        case NumVcpus():
            return env.vcpus
        case Self():
            return env.self
        case HeldLocks():
            return env.held()
        case AllFree():
            return int(env.all_free())
        case Unary(op, a, t):
            assert isinstance(t, Int)
            return apply_unary(op, evaluate(a, env), t)
        case Binary():
            return _binary(e, env)
        case Cast(a, t):
            value = evaluate(a, env)
            return t.wrap(value) if isinstance(t, Int) else value
        case Ite(c, a, b):
            return evaluate(a if evaluate(c, env) else b, env)
        case _:
            assert_never(e)


def _binary(e: Binary, env: LocalValues) -> int:
    t = e.left.type if isinstance(e.left.type, Int) else Int(64, signed=True)
    result = apply_binary(e.op, evaluate(e.left, env), evaluate(e.right, env), t)
    if result is None:
        raise ZeroDivisionError(e.op)
    return result

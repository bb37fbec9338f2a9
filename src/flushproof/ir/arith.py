"""Machine arithmetic on plain integers, as the kernel compiles it (wrapping, -fwrapv)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import assert_never, get_args

from flushproof.ir.code import BinaryOp, UnaryOp
from flushproof.ir.types import Int

_BINARY: dict[str, BinaryOp] = {op: op for op in get_args(BinaryOp)}
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PLAIN: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


def binary_op(text: str) -> BinaryOp:
    """Look an infix operator up by its C text; && || and the comma are none of the IR's."""
    return _BINARY[text]


def apply_unary(op: UnaryOp, value: int, t: Int) -> int:
    """Apply `op`, giving a value of type `t`."""
    match op:
        case "-":
            return t.wrap(-value)
        case "~":
            return t.wrap(~value)
        case "!":
            return int(value == 0)
        case _:
            assert_never(op)


def apply_binary(op: BinaryOp, a: int, b: int, t: Int) -> int | None:
    """Apply `op` to two values of type `t`; None where C leaves it undefined."""
    if op in _COMPARE:
        return int(_COMPARE[op](a, b))
    if op in ("<<", ">>"):
        return _shift(op, a, b, t)
    if op in ("/", "%"):
        return _divide(op, a, b, t)
    return t.wrap(_PLAIN[op](a, b))


def _shift(op: str, a: int, b: int, t: Int) -> int | None:
    if not 0 <= b < t.width:
        return None
    return t.wrap(a << b if op == "<<" else a >> b)


def _divide(op: str, a: int, b: int, t: Int) -> int | None:
    if b == 0:
        return None
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    return t.wrap(quotient if op == "/" else a - b * quotient)

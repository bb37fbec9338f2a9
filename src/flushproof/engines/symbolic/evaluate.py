"""Evaluation of IR expressions to symbolic values, each in the kind its class has.

Lemma L3 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locks import LockState
from flushproof.engines.symbolic.values import SMALL, Algebra, NotExact, Root, Value
from flushproof.ir.analysis.def_use import subexpressions_of
from flushproof.ir.analysis.representation import ROOT_BITS, Representation
from flushproof.ir.code import (
    COMPARISONS,
    LOCKS,
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
from flushproof.ir.types import BOOL, Int, Type, VcpuRef
from flushproof.support.record import Record


class MachineValues(Record, frozen=True):
    """What expressions range over besides locals: the number of vCPUs, the thread, its locks."""

    vcpus: t.Number
    self: t.Number
    locks: tuple[LockState, ...]


class Evaluator:
    """Evaluates the expressions of one operation."""

    def __init__(self, algebra: Algebra, operation: str) -> None:
        self.algebra = algebra
        self.operation = operation

    def kind(self, e: Expr) -> Representation | None:
        """Return the kind of an integer expression, None where any will do."""
        return self.algebra.kinds.expr(self.operation, e)

    def local_kind(self, local: Local) -> Representation:
        """Return the kind of a local."""
        return self.algebra.kinds.local(self.operation, local)

    def value(
        self,
        e: Expr,
        env: Mapping[Local, Value],
        m: MachineValues,
        kind: Representation | None = None,
    ) -> Value:
        """Return the value of an expression, represented as `kind` where it is an integer.

        Raises:
            NotExact: a root takes part in something that page numbers cannot express.
        """
        kind = kind or self.kind(e)
        if self.algebra.overflows is not None and _literal(e):
            # It is the same wherever it stands, so nothing depends on whether it wraps around.
            with self.algebra.noting_if(False):  # noqa: FBT003
                return self._value(e, env, m, kind)
        return self._value(e, env, m, kind)

    def _value(  # noqa: C901 - a table over the closed sum
        self, e: Expr, env: Mapping[Local, Value], m: MachineValues, kind: Representation | None
    ) -> Value:
        match e:
            case Const(value, type_):
                return self.algebra.constant(value, type_, kind)
            case Var(local):
                return env[local]
            case NumVcpus():
                return self._counted(m.vcpus, e.type, kind)
            case Self():
                return self._counted(m.self, e.type, kind)
            case HeldLocks():
                return self._held(m)
            case AllFree():
                return t.and_(*(lock.free for lock in m.locks))
            case Unary():
                return self._unary(e, env, m, kind)
            case Cast():
                return self._cast(e, env, m, kind)
            case Ite(condition, then, otherwise):
                c = self.condition(condition, env, m)
                with self.algebra.noting_if(c):
                    a = self.value(then, env, m, kind)
                with self.algebra.noting_if(t.not_(c)):
                    b = self.value(otherwise, env, m, kind)
                return self.algebra.ite(c, a, b)
            case Binary():
                return self._binary(e, env, m, kind)
            case _:
                assert_never(e)

    def condition(self, e: Expr, env: Mapping[Local, Value], m: MachineValues) -> t.Bool:
        """Return the value of a boolean expression."""
        return _bool(self.value(e, env, m))

    def _counted(self, n: t.Number, type_: Type, kind: Representation | None) -> Value:
        if kind is Representation.BITS and isinstance(type_, Int):
            return z3.BitVecVal(n, type_.width) if isinstance(n, int) else z3.Int2BV(n, type_.width)
        return n

    def _held(self, m: MachineValues) -> z3.BitVecRef:
        total: z3.BitVecRef = z3.BitVecVal(0, 64)
        for k, lock in enumerate(m.locks):
            for bits, mine in ((1 << k | 1 << (LOCKS + k), lock.sole), (1 << k, lock.reads)):
                if mine is not False:
                    set_ = z3.BitVecVal(bits, 64)
                    total = total | z3.If(t.z3_bool(mine), set_, z3.BitVecVal(0, 64))
        return z3.simplify(total)

    # Unary and casts -------------------------------------------------------------------------

    def _unary(
        self, e: Unary, env: Mapping[Local, Value], m: MachineValues, kind: Representation | None
    ) -> Value:
        a = self.value(e.operand, env, m, kind)
        if e.op == "!":
            return t.not_(_bool(a))
        if isinstance(a, z3.BitVecRef):
            return _fold(~a if e.op == "~" else -a)
        if e.op != "-":
            raise TypeError(f"`{e.op}` of a number")
        return self.wrap("-", 0, _number(a), _int(e.type))

    def _cast(
        self, e: Cast, env: Mapping[Local, Value], m: MachineValues, kind: Representation | None
    ) -> Value:
        inner = e.operand
        if inner.type == BOOL:
            return self._from_bool(self.condition(inner, env, m), e.type, kind)
        a = self.value(inner, env, m, kind)
        if not isinstance(e.type, Int) or not isinstance(inner.type, Int):
            return self._reference(a, inner.type, e.type, kind)
        if isinstance(a, z3.BitVecRef):
            return _fold(_resize(a, inner.type, e.type))
        if isinstance(a, (int, z3.ArithRef)) and not isinstance(a, bool):
            return self._narrow(a, e.type, inner.type)
        if isinstance(a, Root) or e.type.width >= inner.type.width:
            return a
        raise NotExact

    def _reference(self, a: Value, of: Type, type_: Type, kind: Representation | None) -> Value:
        """Return a vCPU number or lock word as an integer, or an integer as a vCPU number."""
        if isinstance(a, z3.BitVecRef):
            a = z3.BV2Int(a, is_signed=_int(of).signed)
        if isinstance(type_, VcpuRef):
            self.algebra.note_vcpu(_number(a))
        return self._counted(_number(a), type_, kind)

    def _from_bool(self, c: t.Bool, type_: Type, kind: Representation | None) -> Value:
        number = type_.wrap(1) if isinstance(type_, Int) else 1
        one = self.algebra.constant(number, type_, kind)
        return self.algebra.ite(c, one, self.algebra.constant(0, type_, kind))

    def _narrow(self, n: t.Number, to: Int, of: Int) -> t.Number:
        if isinstance(n, int):
            self.algebra.note(n, to, True)  # noqa: FBT003
            return to.wrap(n)
        low, high = self.algebra.range_of(n, of)
        if to.low <= low and high <= to.high:
            return n
        self.algebra.note(n, to, True)  # noqa: FBT003
        if not self.algebra.wraps:
            return n
        size = 1 << to.width
        return self.algebra.ranged((n - to.low) % size + to.low, to.low, to.high)

    # Binary ----------------------------------------------------------------------------------

    def _binary(
        self, e: Binary, env: Mapping[Local, Value], m: MachineValues, kind: Representation | None
    ) -> Value:
        side = self.kind(e.left) or self.kind(e.right)
        if e.op not in COMPARISONS:
            side = side or kind
        a, b = self.value(e.left, env, m, side), self.value(e.right, env, m, side)
        if e.op in ("==", "!="):
            return self._equality(e, a, b)
        match a, b:
            case Root(), Root():
                return self._root_bits(e, a, b)
            case z3.BitVecRef(), z3.BitVecRef():
                return _bits(e.op, a, b, signed=_int(e.left.type).signed)
            case ((bool() | z3.BoolRef()), (bool() | z3.BoolRef())):
                return _logic(e.op, a, b)
            case _:
                return self._numbers(e, _number(a), _number(b))

    def _equality(self, e: Binary, a: Value, b: Value) -> t.Bool:
        if isinstance(e.right, Const) and e.right.value == 0 and isinstance(e.left.type, Int):
            same = t.not_(self.algebra.nonzero(a))
        elif isinstance(e.left, Const) and e.left.value == 0 and isinstance(e.left.type, Int):
            same = t.not_(self.algebra.nonzero(b))
        else:
            same = self.algebra.equal(a, b)
        return same if e.op == "==" else t.not_(same)

    def _numbers(self, e: Binary, a: t.Number, b: t.Number) -> Value:
        if e.op in COMPARISONS:
            return t.compare_numbers(e.op, a, b)
        if e.op not in ("+", "-"):
            raise TypeError(f"`{e.op}` of numbers")
        return self.wrap(e.op, a, b, _int(e.type))

    def wrap(self, op: str, a: t.Number, b: t.Number, type_: Int) -> t.Number:
        """Return a + b or a - b reduced to a type, with as few cases as the ranges allow."""
        if isinstance(a, int) and isinstance(b, int):
            known = a + b if op == "+" else a - b
            self.algebra.note(known, type_, True)  # noqa: FBT003
            return type_.wrap(known)
        (la, ha), (lb, hb) = self.algebra.range_of(a, type_), self.algebra.range_of(b, type_)
        low, high = (la + lb, ha + hb) if op == "+" else (la - hb, ha - lb)
        x, y = t.z3_number(a), t.z3_number(b)
        total = x + y if op == "+" else x - y
        far = any(isinstance(n, int) and abs(n) > SMALL for n in (a, b))
        grows = op == "+" or t.compare_numbers("<", b, 0)
        self.algebra.note(total, type_, grows, exactly=far and type_.width == ROOT_BITS)
        if not self.algebra.wraps:
            return total
        size = 1 << type_.width
        if high > type_.high:
            total = z3.If(total > type_.high, total - size, total)
        if low < type_.low:
            total = z3.If(total < type_.low, total + size, total)
        if low < type_.low or high > type_.high:
            # What wraps around may come to lie anywhere, beyond the interval as well.
            low, high = type_.low, type_.high
        return self.algebra.ranged(total, low, high)

    def _root_bits(self, e: Binary, a: Root, b: Root) -> Root:
        if e.op == "&" and not self.algebra.masks:
            return self._masked(a, b)
        if e.op == "|":
            page = _or_pages(a.page, b.page)
            return Root(page, tuple(t.or_(x, y) for x, y in zip(a.bits, b.bits, strict=True)))
        if e.op == "&" and _int(e.type).width == ROOT_BITS:
            page = _and_pages(a.page, b.page)
            return Root(page, tuple(t.and_(x, y) for x, y in zip(a.bits, b.bits, strict=True)))
        raise NotExact

    def _masked(self, a: Root, b: Root) -> Root:
        if isinstance(b.page, int):
            return self.algebra.masked(a, b.page)
        if isinstance(a.page, int):
            return self.algebra.masked(b, a.page)
        raise NotExact


def _or_pages(a: int | z3.ExprRef, b: int | z3.ExprRef) -> int | z3.ExprRef:
    if isinstance(a, int) and isinstance(b, int):
        return a | b
    if isinstance(a, int) and a == 0:
        return b
    if isinstance(b, int) and b == 0:
        return a
    raise NotExact


def _and_pages(a: int | z3.ExprRef, b: int | z3.ExprRef) -> int | z3.ExprRef:
    if isinstance(a, int) and isinstance(b, int):
        return a & b
    for x, y in ((a, b), (b, a)):
        if isinstance(x, int) and x == 0:
            return 0
        if isinstance(x, int) and _all_ones(x):
            return y
    raise NotExact


def _all_ones(page: int) -> bool:
    return page == (1 << 52) - 1


def _literal(e: Expr) -> bool:
    """Tell whether an expression is made of constants."""
    return all(isinstance(x, (Const, Unary, Cast, Binary, Ite)) for x in subexpressions_of(e))


def _bool(v: Value) -> t.Bool:
    assert isinstance(v, (bool, z3.BoolRef)), v
    return v


def _number(v: Value) -> t.Number:
    if isinstance(v, bool):
        return int(v)
    assert isinstance(v, (int, z3.ArithRef)), v
    return v


def _int(type_: Type) -> Int:
    assert isinstance(type_, Int), type_
    return type_


def _logic(op: str, a: t.Bool, b: t.Bool) -> t.Bool:
    match op:
        case "&":
            return t.and_(a, b)
        case "|":
            return t.or_(a, b)
        case "^":
            return t.not_(t.equal_bool(a, b))
        case _:
            raise NotExact


def _resize(a: z3.BitVecRef, of: Int, to: Int) -> z3.BitVecRef:
    extra = to.width - of.width
    if extra > 0:
        return z3.SignExt(extra, a) if of.signed else z3.ZeroExt(extra, a)
    return a if extra == 0 else z3.Extract(to.width - 1, 0, a)


def _fold(a: z3.BitVecRef) -> z3.BitVecRef:
    if all(z3.is_bv_value(x) for x in a.children()):
        return z3.simplify(a)
    return a


def _bits(op: str, a: z3.BitVecRef, b: z3.BitVecRef, *, signed: bool) -> Value:
    result = _SIGNED[op](a, b) if signed else _UNSIGNED[op](a, b)
    known = z3.is_bv_value(a) and z3.is_bv_value(b)
    if isinstance(result, z3.BoolRef):
        return z3.is_true(z3.simplify(result)) if known else result
    return z3.simplify(result) if known else result


_UNSIGNED = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": z3.UDiv,
    "%": z3.URem,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": z3.LShR,
    "<": z3.ULT,
    "<=": z3.ULE,
    ">": z3.UGT,
    ">=": z3.UGE,
}
_SIGNED = _UNSIGNED | {
    "/": lambda a, b: a / b,
    "%": z3.SRem,
    ">>": lambda a, b: a >> b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}

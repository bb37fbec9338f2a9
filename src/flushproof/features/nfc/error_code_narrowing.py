"""Error codes as two bits, where the code does nothing with them but join, copy and test for zero.

Such code cannot tell a 32-bit code from two bits: whether bit b is set, and whether any other is.
That map keeps `|`, zero, and for some b the difference of two codes; and two bits are a code. So a
difference shows with two bits if it shows at all, and the solver has few bits to think about.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.analysis.def_use import defined_local, locals_of, operand_expressions
from flushproof.ir.code import (
    Assign,
    Binary,
    Branch,
    Cast,
    Check,
    Const,
    Expr,
    Hypercall,
    Instr,
    Ite,
    Local,
    Return,
    Unary,
    Var,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import Int, Type
from flushproof.support.record import replace

NARROW = Int(2, signed=False)


class _Other(Exception):  # noqa: N818 - what the code does; it is no error
    """The code does something else with its error codes."""


def narrow_error_codes(old: Program, new: Program) -> tuple[Program, Program] | None:
    """Return both programs with narrow error codes, None where either needs wide ones."""
    if _results(old) != _results(new):
        return None
    try:
        return _program(old), _program(new)
    except _Other:
        return None


def _results(p: Program) -> list[set[Type]]:
    """Return the types of what each operation returns."""
    values = ((i.value for i in o.code if isinstance(i, Return)) for o in p.operations)
    return [{v.type for v in of_one if v is not None} for of_one in values]


def _program(p: Program) -> Program:
    return replace(p, operations=tuple(_operation(o) for o in p.operations))


def _operation(o: Operation) -> Operation:
    if o.role is not Role.FLUSH and not any(isinstance(i, Hypercall) for i in o.code):
        return o
    codes = _codes(o)
    return replace(o, code=tuple(_Narrower(codes).instr(i) for i in o.code))


# Which locals hold error codes -------------------------------------------------------------------


def _codes(o: Operation) -> frozenset[Local]:
    """Return the locals that flow from hypercalls or into the result."""
    returned = [x for i in o.code if isinstance(i, Return) and i.value for x in _sources(i.value)]
    found = {i.target for i in o.code if isinstance(i, Hypercall)} | set(returned)
    while True:
        more = {x for i in o.code for x in _joined(i, found)}
        if more <= found:
            return frozenset(found)
        found |= more


def _joined(i: Instr, found: set[Local]) -> Iterator[Local]:
    if isinstance(i, Assign):
        sources = set(_sources(i.value))
        if i.target in found or sources & found:
            yield i.target
            yield from sources


def _sources(e: Expr) -> Iterator[Local]:
    """Yield the locals of which one may be the value, or part of it."""
    match e:
        case Var(local):
            yield local
        case Cast(a):
            yield from _sources(a)
        case Ite(_, a, b) | Binary("|", a, b):
            yield from _sources(a)
            yield from _sources(b)
        case _:
            pass


# The same code over narrow ones ------------------------------------------------------------------


class _Narrower:
    """Rewrites instructions; gives up where a code is used in any other way."""

    def __init__(self, codes: frozenset[Local]) -> None:
        self.codes = codes

    def instr(self, i: Instr) -> Instr:
        match i:
            case Assign(target, value) if target in self.codes:
                return replace(i, target=_narrow(target), value=self.code(value))
            case Hypercall(target):
                return self._others(replace(i, target=_narrow(target)))
            case Return(value) if value is not None:
                return replace(i, value=self.code(value))
            case _:
                if defined_local(i) in self.codes:
                    raise _Other
                return self._others(i)

    def _others(self, i: Instr) -> Instr:
        """Return an instruction that may ask whether a code is zero, no more."""
        match i:
            case Branch(condition) | Check(condition):
                return replace(i, condition=self.plain(condition))
            case Assign(_, value):
                return replace(i, value=self.plain(value))
            case _:
                if any(x in self.codes for e in operand_expressions(i) for x in locals_of(e)):
                    raise _Other
                return i

    def code(self, e: Expr) -> Expr:
        """Return an error code as two bits."""
        match e:
            case Var(local) if local in self.codes:
                return Var(_narrow(local))
            case Const(0):
                return Const(0, NARROW)
            case Cast(a, Int(width)) if width == _width(a):
                return self.code(a)
            case Binary("|", a, b):
                return Binary("|", self.code(a), self.code(b), NARROW)
            case Ite(c, a, b):
                return Ite(self.plain(c), self.code(a), self.code(b), NARROW)
            case _:
                raise _Other

    def plain(self, e: Expr) -> Expr:
        """Return an expression that is no code, but may ask whether one is zero."""
        match e:
            case Binary(("==" | "!=") as op, a, Const(0)) if set(_sources(a)) & self.codes:
                return Binary(op, self.code(a), Const(0, NARROW), e.type)
            case Var(local) if local in self.codes:
                raise _Other
            case Unary(op, a, t):
                return Unary(op, self.plain(a), t)
            case Cast(a, t):
                return Cast(self.plain(a), t)
            case Binary(op, a, b, t):
                return Binary(op, self.plain(a), self.plain(b), t)
            case Ite(c, a, b, t):
                return Ite(self.plain(c), self.plain(a), self.plain(b), t)
            case _:
                return e


def _narrow(local: Local) -> Local:
    return replace(local, type=NARROW)


def _width(e: Expr) -> int:
    return e.type.width if isinstance(e.type, Int) else 0

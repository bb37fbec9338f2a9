"""Which locals an expression or instruction reads and writes, and rewriting of expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from flushproof.ir.code import (
    Access,
    Acquire,
    AllFree,
    Assert,
    Assign,
    Available,
    BeginAtomic,
    Binary,
    Branch,
    Cast,
    Check,
    Const,
    Drain,
    EndAtomic,
    Enter,
    Every,
    Exchange,
    Expr,
    Fence,
    Field,
    Havoc,
    HeldLocks,
    Holds,
    Hypercall,
    Instr,
    Ite,
    Jump,
    Local,
    NumVcpus,
    Read,
    Release,
    Return,
    Self,
    Stop,
    StoreFence,
    TryAcquire,
    Unary,
    Uninit,
    Until,
    Var,
    Write,
)
from flushproof.support.record import replace

Substitution = Callable[[Local], Expr]


def locals_of(e: Expr) -> Iterator[Local]:
    """Yield the locals in an expression, with repetition."""
    match e:
        case Var(local):
            yield local
        case Unary(_, a) | Cast(a):
            yield from locals_of(a)
        case Binary(_, a, b):
            yield from locals_of(a)
            yield from locals_of(b)
        case Ite(a, b, c):
            for part in (a, b, c):
                yield from locals_of(part)
        case Const() | NumVcpus() | Self() | HeldLocks() | AllFree():
            pass
        case _:
            assert_never(e)


def operand_expressions(  # noqa: C901, PLR0912 - a table of all instructions
    i: Instr,
) -> tuple[Expr, ...]:
    """Return the expressions that an instruction evaluates, in order."""
    match i:
        case Assign(_, value):
            return (value,)
        case Read(index=index, until=until):
            return _present(index, *_waited_for(until))
        case Holds(index=index):
            return _present(index)
        case Acquire(index=index) | TryAcquire(index=index) | Release(index=index):
            return () if index is None else (index,)
        case Available(index=index):
            return () if index is None else (index,)
        case Write(_, index, value) | Access(_, index, value):
            return (value,) if index is None else (index, value)
        case Exchange(_, _, index, compare, value, until=until):
            return _present(index, compare, value, *_waited_for(until))
        case Hypercall(_, root, whole, start, pages):
            return (root, whole, start, pages)
        case Uninit(_, written):
            return (written,)
        case Check(condition) | Branch(condition):
            return (condition,)
        case Every(condition=condition):
            return (condition,)
        case Assert(_, condition, values):
            return (condition, *(v for _, v in values))
        case Return(value):
            return () if value is None else (value,)
        case Drain() | Fence() | StoreFence() | BeginAtomic() | EndAtomic():
            return ()
        case Havoc() | Jump() | Enter() | Stop():
            return ()
        case _:
            assert_never(i)


def _present(*given: Expr | None) -> tuple[Expr, ...]:
    return tuple(e for e in given if e is not None)


def _waited_for(until: Until | None) -> tuple[Expr, ...]:
    return () if until is None else (until.condition,)


def used_locals(i: Instr) -> frozenset[Local]:
    """Return the locals that an instruction reads."""
    found = {x for e in operand_expressions(i) for x in locals_of(e)}
    if isinstance(i, Every):
        found -= {i.bound, *(x for x, _ in i.reads)}
    if isinstance(i, Exchange) and i.old is not None:
        found -= {i.old}
    if isinstance(i, (Read, Exchange)) and i.until is not None:
        found -= {i.until.seen}
    return frozenset(found)


def may_wait(i: Instr) -> bool:
    """Tell whether a thread may have to wait before an instruction."""
    match i:
        case Acquire():
            return True
        case Read(until=until) | Exchange(until=until):
            return until is not None
        case _:
            return False


def defined_local(i: Instr) -> Local | None:
    """Return the local that an instruction writes, if any."""
    match i:
        case Assign(t) | Read(t) | Exchange(t) | Hypercall(t) | Havoc(t) | Every(t):
            return t
        case TryAcquire(t) | Available(t) | Holds(t):
            return t
        case Write() | Access() | Drain() | Fence() | StoreFence() | Acquire() | Release():
            return None
        case BeginAtomic() | EndAtomic():
            return None
        case Uninit() | Check() | Assert() | Jump() | Branch() | Enter() | Return() | Stop():
            return None
        case _:
            assert_never(i)


def map_expr(e: Expr, f: Substitution) -> Expr:
    """Replace every local in an expression."""
    match e:
        case Var(local):
            return f(local)
        case Unary(op, a, t):
            return Unary(op, map_expr(a, f), t)
        case Cast(a, t):
            return Cast(map_expr(a, f), t)
        case Binary(op, a, b, t):
            return Binary(op, map_expr(a, f), map_expr(b, f), t)
        case Ite(a, b, c, t):
            return Ite(map_expr(a, f), map_expr(b, f), map_expr(c, f), t)
        case _:
            return e


def map_operands(i: Instr, f: Substitution) -> Instr:  # noqa: C901 - a table of all instructions
    """Replace every local that an instruction reads."""

    def opt(e: Expr | None) -> Expr | None:
        return None if e is None else map_expr(e, f)

    match i:
        case Assign(_, value):
            return replace(i, value=map_expr(value, f))
        case Read(until=until):
            return replace(i, index=opt(i.index), until=_map_until(until, f))
        case Acquire() | TryAcquire() | Available() | Release() | Holds():
            return replace(i, index=opt(i.index))
        case Write(_, index, value) | Access(_, index, value):
            return replace(i, index=opt(index), value=map_expr(value, f))
        case Exchange(_, _, index, compare, value, old=old):
            new = map_expr(value, lambda x: Var(x) if x == old else f(x))
            until = _map_until(i.until, f)
            return replace(i, index=opt(index), compare=opt(compare), value=new, until=until)
        case Hypercall(_, root, whole, start, pages):
            a, b, c, d = (map_expr(e, f) for e in (root, whole, start, pages))
            return replace(i, root=a, whole=b, start=c, pages=d)
        case Uninit(_, written):
            return replace(i, written=map_expr(written, f))
        case Check(condition) | Branch(condition):
            return replace(i, condition=map_expr(condition, f))
        case Every():
            return _map_every(i, f)
        case Assert(_, condition, values):
            named = tuple((n, map_expr(v, f)) for n, v in values)
            return replace(i, condition=map_expr(condition, f), values=named)
        case Return(value):
            return replace(i, value=opt(value))
        case _:
            return i


def _map_until(until: Until | None, f: Substitution) -> Until | None:
    if until is None:
        return None
    seen = until.seen
    return Until(seen, map_expr(until.condition, lambda x: Var(x) if x == seen else f(x)))


def _map_every(i: Every, f: Substitution) -> Instr:
    own = {i.bound, *(x for x, _ in i.reads)}
    return replace(i, condition=map_expr(i.condition, lambda x: Var(x) if x in own else f(x)))


def fields_of(i: Instr) -> tuple[Field, ...]:
    """Return the shared fields that an instruction accesses."""
    match i:
        case Read(_, f) | Write(f) | Exchange(_, f) | Access(f):
            return (f,)
        case Acquire(f) | TryAcquire(_, f) | Available(_, f) | Release(f) | Holds(_, f):
            return (f,)
        case Every(reads=reads):
            return tuple(f for _, f in reads)
        case Assign() | Drain() | Fence() | StoreFence() | Hypercall():
            return ()
        case Havoc() | Uninit() | Check() | Assert():
            return ()
        case BeginAtomic() | EndAtomic():
            return ()
        case Jump() | Branch() | Enter() | Return() | Stop():
            return ()
        case _:
            assert_never(i)


def mentions_locks(e: Expr) -> bool:
    """Tell whether an expression depends on who holds which lock."""
    return any(isinstance(part, (HeldLocks, AllFree)) for part in subexpressions_of(e))


def subexpressions_of(e: Expr) -> Iterator[Expr]:
    """Yield an expression and all that it is made of."""
    yield e
    match e:
        case Unary(_, a) | Cast(a):
            yield from subexpressions_of(a)
        case Binary(_, a, b):
            yield from subexpressions_of(a)
            yield from subexpressions_of(b)
        case Ite(a, b, c):
            for x in (a, b, c):
                yield from subexpressions_of(x)
        case _:
            pass

"""IR as text, one numbered instruction a line."""

from __future__ import annotations

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
    FieldScope,
    Freeing,
    Havoc,
    HeldLocks,
    Holds,
    Hypercall,
    Instr,
    Ite,
    Jump,
    Mode,
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
    Var,
    Write,
)
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import NO_VCPU, NONE, Int, LockWord, Type, VcpuRef


def type_text(t: Type) -> str:
    """Write a type's short name: u64, s32, bool, root, vcpu, lock."""
    match t:
        case VcpuRef():
            return "vcpu"
        case LockWord():
            return "rwlock" if t.shared else "lock"
        case Int(1):
            return "bool"
        case Int(65):
            return "root"
        case Int(width, signed):
            return f"{'s' if signed else 'u'}{width}"


def constant_text(value: int, t: Type) -> str:
    """Write a constant, by name where it has one."""
    match t:
        case VcpuRef():
            return "NULL" if value == NO_VCPU else f"vcpu{value}"
        case Int(1):
            return "true" if value else "false"
        case _ if value == NONE:
            return "NONE"
        case _:
            return hex(value) if abs(value) > 0xFFFF else str(value)


def expr_text(e: Expr) -> str:  # noqa: C901 - a table of all expressions
    """Write an expression, fully parenthesised inside."""
    match e:
        case Const(value, t):
            return constant_text(value, t)
        case Var(local):
            return local.name
        case NumVcpus():
            return "N"
        case Self():
            return "self"
        case HeldLocks():
            return "held"
        case AllFree():
            return "all_free"
        case Unary(op, a):
            return f"{op}{_inner(a)}"
        case Binary(op, a, b):
            return f"{_inner(a)} {op} {_inner(b)}"
        case Cast(a, t):
            return f"({type_text(t)}){_inner(a)}"
        case Ite(a, b, c):
            return f"{_inner(a)} ? {_inner(b)} : {_inner(c)}"
        case _:
            assert_never(e)


def _inner(e: Expr) -> str:
    text = expr_text(e)
    return f"({text})" if isinstance(e, (Binary, Ite)) else text


def _place(field: Field, index: Expr | None) -> str:
    return field.name if index is None else f"{field.name}[{expr_text(index)}]"


def _freeing(freeing: Freeing) -> str:
    at_once = freeing in (Freeing.LOCKED, Freeing.STORE)
    return "" if at_once else f" {freeing}"


def _mode(mode: Mode) -> str:
    return "" if mode is Mode.PLAIN else f" {mode}"


def instr_text(i: Instr) -> str:  # noqa: C901, PLR0912 - a table of all instructions
    """Write one instruction."""
    match i:
        case Assign(target, value):
            return f"{target.name} = {expr_text(value)}"
        case Read(target, field, index, mode):
            return f"{target.name} = read{_mode(mode)} {_place(field, index)}{_until(i)}"
        case Write(field, index, value, mode):
            return f"write{_mode(mode)} {_place(field, index)} = {expr_text(value)}"
        case Exchange():
            return _exchange_text(i)
        case Acquire() | TryAcquire() | Available() | Release() | Holds():
            return _lock_text(i)
        case Hypercall(target, root, whole, start, pages):
            parts = ", ".join(map(expr_text, (root, whole, start, pages)))
            return f"{target.name} = hypercall({parts})"
        case Havoc(target):
            return f"{target.name} = any {type_text(target.type)}"
        case Every(target, bound, reads, condition):
            inner = ", ".join(f"{x.name} = {f.name}[{bound.name}]" for x, f in reads)
            return f"{target.name} = every {bound.name} ({inner}): {expr_text(condition)}"
        case Uninit() | Check() | Assert():
            return _check_text(i)
        case Jump() | Branch() | Return() | Stop():
            return _control_text(i)
        case Access(field, index, value, wrote, mode):
            verb = "stored" if wrote else "forwarded"
            return f"{verb}{_mode(mode)} {_place(field, index)} = {expr_text(value)}"
        case Drain():
            return "drain"
        case Fence():
            return "fence"
        case BeginAtomic():
            return "begin atomic"
        case EndAtomic():
            return "end atomic"
        case StoreFence():
            return "store fence"
        case Enter():
            return "enter"
        case _:
            assert_never(i)


def _lock_text(i: Acquire | TryAcquire | Available | Release | Holds) -> str:
    where = _place(i.field, i.index)
    match i:
        case Acquire(shared=shared):
            return f"acquire{_shared(shared)} {where}"
        case TryAcquire(target, shared=shared):
            return f"{target.name} = try acquire{_shared(shared)} {where}"
        case Available(target, shared=shared):
            return f"{target.name} = available{_shared(shared)} {where}"
        case Release(shared=shared, freeing=freeing):
            return f"release{_shared(shared)}{_freeing(freeing)} {where}"
        case Holds(target, sole=sole):
            return f"{target.name} = holds{' sole' * sole} {where}"
        case _:
            assert_never(i)


def _check_text(i: Uninit | Check | Assert) -> str:
    match i:
        case Uninit(label, written):
            return f"uninit {label} unless {expr_text(written)}"
        case Check(condition, text):
            return f"check {expr_text(condition)}: {text}"
        case Assert(claim, condition):
            return f"assert {claim}: {expr_text(condition)}"
        case _:
            assert_never(i)


def _control_text(i: Jump | Branch | Return | Stop) -> str:
    match i:
        case Jump(target):
            return f"jump {target}"
        case Branch(condition, then, otherwise):
            return f"branch {expr_text(condition)} ? {then} : {otherwise}"
        case Return(value):
            return "return" if value is None else f"return {expr_text(value)}"
        case Stop():
            return "stop"
        case _:
            assert_never(i)


def _shared(shared: bool) -> str:  # noqa: FBT001
    return " shared" if shared else ""


def _exchange_text(i: Exchange) -> str:
    old = "" if i.old is None else f" of {i.old.name}"
    test = "" if i.compare is None else f" if {expr_text(i.compare)}"
    where = _place(i.field, i.index)
    return f"{i.target.name} = exchange{old} {where} = {expr_text(i.value)}{test}{_until(i)}"


def _until(i: Read | Exchange) -> str:
    if i.until is None:
        return ""
    return f" until {i.until.seen.name}: {expr_text(i.until.condition)}"


def operation_text(operation: Operation) -> str:
    """Write an operation with numbered instructions and source lines."""
    parameters = ", ".join(f"{type_text(p.type)} {p.name}" for p in operation.parameters.all)
    lines = [f"{operation.role} {operation.name}({parameters})"]
    for number, instr in enumerate(operation.code):
        at = f"{instr.span.line:>5}" if instr.span else "     "
        lines.append(f"{number:>4} {at}  {instr_text(instr)}")
    return "\n".join(lines)


def program_text(program: Program) -> str:
    """Write a whole program: fields, boot values, operations."""
    lines = [
        f"{'ghost ' if f.ghost else ''}{type_text(f.type)} {f.name}"
        f"{'[v]' if f.scope is FieldScope.VCPU else ''}"
        for f in program.fields
    ]
    lines += [
        f"boot {f.name}{'[v]' if f.scope is FieldScope.VCPU else ''} = {expr_text(e)}"
        for f, e in program.boot
    ]
    lines += [f"boot {f.name} = any" for f in program.witnesses if not f.ghost]
    return "\n\n".join(["\n".join(lines), *map(operation_text, program.operations)]) + "\n"

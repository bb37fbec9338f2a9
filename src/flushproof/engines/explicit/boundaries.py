"""The finest granularity: a step begins at every instruction that another thread can notice."""

from __future__ import annotations

from typing import assert_never

from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.counting import claim_heads, counting_local, loops_of
from flushproof.ir.code import (
    Access,
    Acquire,
    Assert,
    Assign,
    Available,
    BeginAtomic,
    Branch,
    Check,
    Drain,
    EndAtomic,
    Enter,
    Every,
    Exchange,
    Fence,
    Field,
    Havoc,
    Holds,
    Hypercall,
    Instr,
    Jump,
    Mode,
    Read,
    Release,
    Return,
    Stop,
    StoreFence,
    TryAcquire,
    Uninit,
    Write,
)
from flushproof.ir.program import Operation, Program


def list_written_fields(program: Program) -> frozenset[str]:
    """Name the fields that some operation may change."""
    return frozenset(
        i.field.name
        for o in program.operations
        for i in o.code
        if isinstance(i, (Write, Exchange, Acquire, TryAcquire, Release))
    )


def step_boundaries(operation: Operation, changing: frozenset[str]) -> frozenset[int]:
    """Return the positions where steps begin, `changing` being the fields that are ever written.

    Ghost code and reads of what never changes belong to the step before them. Only where one could
    go round and round without anything that others notice does each round begin a step, so that
    every step ends; but a claim's handler is one with what it follows, loops included.
    """
    code = operation.code
    visible = frozenset({0, *(at for at, i in enumerate(code) if _visible(i, changing))})
    heads = {loop.head for loop in loops_of(code) if counting_local(loop) is None}
    heads -= claim_heads(code)
    return visible | {at for at in heads if at in reachable_positions(code, at, visible)}


def _visible(instr: Instr, changing: frozenset[str]) -> bool:
    match instr:
        case Read(_, f, _, mode, until=until):
            return until is not None or (_shared(f, mode) and f.name in changing)
        case Write(f, _, _, mode):
            return _shared(f, mode)
        case Exchange(_, f):
            return not f.ghost
        case Acquire() | TryAcquire() | Available() | Release() | Fence():
            return True
        case Hypercall() | Enter() | Return() | Access() | Drain() | BeginAtomic():
            return True
        case Assign() | Havoc() | Holds() | Every() | Uninit() | Check() | Assert():
            return False
        case StoreFence() | Jump() | Branch() | Stop() | EndAtomic():
            return False
        case _:
            assert_never(instr)


def _shared(f: Field, mode: Mode) -> bool:
    return not f.ghost and not mode.unseen

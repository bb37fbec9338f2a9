"""Whether anyone can tell that stores wait in store buffers, as on x86.

If nobody can, what holds under sequential consistency holds under TSO, whatever number of entries a
buffer has. A field that is only accessed under one lock hides its stores: the unlock waits behind
them. Any other store has to be followed by what drains the buffer before its thread does anything
that others, a claim included, could notice, or that depends on what others do. Under PSO another
such store may not follow it either, unless a barrier keeps their order.

Programs are those with the claims, before store buffers are added. Lemma L35 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import or_

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import reachable_positions, successor_positions
from flushproof.ir.analysis.dataflow import flow_along, solve_forward
from flushproof.ir.analysis.def_use import (
    defined_local,
    fields_of,
    operand_expressions,
    subexpressions_of,
    used_locals,
)
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import LockWord
from flushproof.support.record import Record
from flushproof.verify.proof_checker.checked_program import ONLY_READING, Code, written_fields
from flushproof.verify.proof_checker.locks import HeldLock, held_locks

DRAINING = (ir.Acquire, ir.Exchange, ir.Hypercall, ir.Fence, ir.BeginAtomic)
"""Instructions that wait until the buffer is empty, as locked instructions do."""

LOCAL = (ir.Assign, ir.Havoc, ir.Jump, ir.Branch, ir.Check, ir.Uninit, ir.StoreFence, ir.Read)
"""What may come between a store and what drains it; a read only of what nobody writes."""

LOOKING = (ir.Assign, ir.Read, ir.Every, ir.Holds, ir.Jump, ir.Branch, ir.Assert, ir.Check)
"""What a claim may do where it found that all locks are free."""


class PendingStore(Record, frozen=True, order=True):
    """The position of a store that waits; `fenced`: those to come do not go before it."""

    at: int
    fenced: bool


Pending = frozenset[PendingStore]


def find_late_store(program: Program, *, unordered: bool) -> str | None:
    """Return how a store that waits in a store buffer may be noticed; None if none may.

    If `unordered`, stores to different locations may leave a buffer in any order (PSO).
    """
    looks = {o.name: _looks_at_free_locks(o) for o in program.operations}
    for o in program.operations:
        if looks[o.name] is None:
            return f"a claim asks in {o.name}() whether locks are free, and does more than look"
    free = {name: at or frozenset() for name, at in looks.items()}
    problem = _find_odd_unlock(program)
    hidden = _hidden_fields(program, free)
    for o in program.operations:
        problem = problem or _find_noticed(o, hidden, written_fields(program), unordered=unordered)
    return problem


def _looks_at_free_locks(o: Operation) -> frozenset[int] | None:
    """Return where an operation looks at the state as all locks are free; None if it does more.

    An unlock that waits makes locks seem held for longer. So where they are held the claim must do
    nothing, and where they are not it must do nothing but look.
    """
    found: set[int] = set()
    for i in filter(_asks_for_free_locks, o.code):
        if not isinstance(i, ir.Branch) or i.condition != ir.AllFree() or i.then == i.otherwise:
            return None
        inside = {i.then, *reachable_positions(o.code, i.then, frozenset({i.otherwise}))}
        looks = all(o.code[k].from_claim and isinstance(o.code[k], LOOKING) for k in inside)
        if not looks or _has_outcome(o.code, inside):
            return None
        found |= inside
    entered = any(_enters(o.code, at, found) for at in range(len(o.code)))
    return None if entered else frozenset(found)


def _asks_for_free_locks(i: ir.Instr) -> bool:
    parts = (part for e in operand_expressions(i) for part in subexpressions_of(e))
    return any(isinstance(part, ir.AllFree) for part in parts)


def _enters(code: Code, at: int, inside: set[int]) -> bool:
    """Tell whether an instruction leads to one of some positions without asking for free locks."""
    if at in inside:
        return False
    i = code[at]
    begun = {i.then} if isinstance(i, ir.Branch) and _asks_for_free_locks(i) else set()
    return bool(inside & set(successor_positions(code, at)) - begun)


def _has_outcome(code: Code, inside: set[int]) -> bool:
    """Tell whether a local that is assigned at some positions is used at others."""
    assigned = {defined_local(code[k]) for k in inside}
    others = (code[k] for k in range(len(code)) if k not in inside)
    return any(used_locals(i) & assigned for i in others)


def _find_odd_unlock(program: Program) -> str | None:
    """Return where a plain store frees a lock that is not surely held, or that others look at."""
    held = held_locks(program)
    stored: set[str] = set()
    asked: set[str] = set()
    for o in program.operations:
        for i, holds in zip(o.code, held[o.name], strict=True):
            match i:
                case ir.Release(f, _, shared, freeing=ir.Freeing.STORE):
                    if HeldLock(f.name, shared) not in holds:
                        return f"{_place(i)} frees `{f.label}`, which is not surely held there"
                    stored.add(f.name)
                case ir.Release(freeing=ir.Freeing.LOCKED) | ir.Acquire() | ir.Holds():
                    pass
                case ir.Release() | ir.Access() | ir.Drain():
                    return "store buffers are there already"
                case _:
                    asked |= {f.name for f in fields_of(i) if isinstance(f.type, LockWord)}
    both = sorted(stored & asked)
    return f"`{both[0]}` is freed by a plain store, and looked at without a wait" if both else None


def _hidden_fields(program: Program, free: dict[str, frozenset[int]]) -> frozenset[str]:
    """Name the fields of which each access is made under one lock, or while all are free."""
    held = held_locks(program)
    locks: dict[str, frozenset[str]] = {}
    for o in program.operations:
        for at, i in enumerate(o.code):
            if at in free[o.name]:
                continue
            reading = isinstance(i, ONLY_READING)
            alone = frozenset(h.lock for h in held[o.name][at] if reading or not h.shared)
            for f in fields_of(i):
                locks[f.name] = locks.get(f.name, alone) & alone
    return frozenset(name for name, always in locks.items() if always)


def _find_noticed(
    o: Operation, hidden: frozenset[str], written: frozenset[str], *, unordered: bool
) -> str | None:
    """Return where something may be noticed while a store of an operation waits."""

    def waits(i: ir.Instr) -> bool:
        return isinstance(i, ir.Write) and not i.field.ghost and i.field.name not in hidden

    def unseen(i: ir.Instr, stores: Pending) -> bool:
        if isinstance(i, ir.Write) and waits(i):
            overtakes = unordered and i.mode is not ir.Mode.RELEASE
            return not overtakes or all(s.fenced for s in stores)
        local = isinstance(i, LOCAL) and not any(f.name in written for f in fields_of(i))
        return local or isinstance(i, (*DRAINING, ir.Release))

    pending = _pending_stores(o, waits)
    for at, stores in sorted(pending.items()):
        i = o.code[at]
        if stores and (i.from_claim or not unseen(i, stores)):
            store = o.code[min(s.at for s in stores)]
            label, place = fields_of(store)[0].label, _place(i)
            return f"{_place(store)} stores to `{label}`, which may still be buffered at {place}"
    return None


def _pending_stores(o: Operation, waits: Callable[[ir.Instr], bool]) -> dict[int, Pending]:
    """Return the stores that may be in the buffer before each position."""

    def after(at: int, before: Pending) -> Pending:
        i = o.code[at]
        if isinstance(i, DRAINING) or _frees(i, ir.Freeing.LOCKED):
            return frozenset()
        if isinstance(i, ir.StoreFence):
            return frozenset(PendingStore(s.at, fenced=True) for s in before)
        return before | {PendingStore(at, fenced=False)} if waits(i) else before

    return solve_forward(Pending(), flow_along(o.code, after), or_)


def _frees(i: ir.Instr, freeing: ir.Freeing) -> bool:
    return isinstance(i, ir.Release) and i.freeing is freeing


def _place(i: ir.Instr) -> str:
    return "the end" if i.span is None else f"{i.span.file}:{i.span.line}"

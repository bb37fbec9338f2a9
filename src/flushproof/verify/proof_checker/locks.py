"""Which locks a thread surely holds, by going through the code alone (lockset analysis).

A lock counts that is freed only where it is surely held; then nobody else frees it, and what its
word says of the holder is true of every reachable state.

Lemma L7, Lemma L9 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir import code as ir
from flushproof.ir.code import FieldScope, Freeing, Instr
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import LockWord
from flushproof.support.record import Record
from flushproof.verify.proof_checker.code_paths import Code, fields_in, successor_positions


class HeldLock(Record, frozen=True, order=True):
    """A lock of the VM, held alone or as a reader."""

    lock: str
    shared: bool


LockSet = frozenset[HeldLock]

LOCKING = (ir.Acquire, ir.TryAcquire, ir.Available, ir.Release, ir.Holds)
"""What is understood of locks; whatever else names one may free it."""


def exclude_each_other(a: LockSet, b: LockSet) -> bool:
    """Tell whether two threads cannot hold such locks at the same time."""
    return any(x.lock == y.lock and not (x.shared and y.shared) for x in a for y in b)


def held_locks(program: Program) -> dict[str, tuple[LockSet, ...]]:
    """Return for each operation the locks surely held before each position."""
    found = {o.name: _held_before(o.code) for o in program.operations}
    stray = {name for o in program.operations for name in _strays(o.code, found[o.name])}
    return {
        name: tuple(frozenset(h for h in held if h.lock not in stray) for held in before)
        for name, before in found.items()
    }


def _strays(code: Code, before: tuple[LockSet, ...]) -> Iterator[str]:
    """Yield the locks that may be freed by a thread that does not hold them."""
    for i, held in zip(code, before, strict=True):
        if isinstance(i, ir.Release) and HeldLock(i.field.name, i.shared) not in held:
            yield i.field.name
        if not isinstance(i, LOCKING):
            yield from (f.name for f in fields_in(i) if isinstance(f.type, LockWord))


def _held_before(code: Code) -> tuple[LockSet, ...]:
    held: dict[int, LockSet] = {0: frozenset()}
    tried = dict(_tried(code))
    work = [0]
    while work:
        at = work.pop()
        after = _after(code[at], held[at])
        for to in successor_positions(code, at):
            out = after | {tried[at, to]} if (at, to) in tried else after
            merged = out if to not in held else held[to] & out
            if held.get(to) != merged:
                held[to] = merged
                work.append(to)
    return tuple(held.get(at, frozenset()) for at in range(len(code)))


def _after(i: Instr, held: LockSet) -> LockSet:
    match i:
        case ir.Acquire(field, _, shared) if field.scope is FieldScope.VM:
            return held | {HeldLock(field.name, shared)}
        case ir.Release(field):
            return held - {HeldLock(field.name, shared) for shared in (False, True)}
        case _:
            return held


def _tried(code: Code) -> Iterator[tuple[tuple[int, int], HeldLock]]:
    """Yield the jumps that are made only where the attempt just before them got the lock."""
    entered = {
        to for at in range(len(code)) for to in successor_positions(code, at) if to != at + 1
    }
    for at in range(1, len(code)):
        match code[at - 1], code[at]:
            case ir.TryAcquire(got, field, None, shared), ir.Branch(ir.Var(x), yes, no):
                if got == x and yes != no and at not in entered:
                    yield (at, yes), HeldLock(field.name, shared)
            case _:
                pass


def unheld_locks(program: Program) -> dict[str, tuple[frozenset[str], ...]]:
    """Name for each operation the locks surely not held by the thread before each position.

    None are named where a call may end with a lock held, as then the next may begin with it.
    """
    found = {o.name: _maybe_held(o.code) for o in program.operations}
    twice = {x for o in program.operations for x in _read_twice(o.code, found[o.name])}
    locks = frozenset(
        f.name for f in program.fields if isinstance(f.type, LockWord) and f.scope is FieldScope.VM
    )
    locks -= twice
    kept = any(
        held
        for o in program.operations
        for i, held in zip(o.code, found[o.name], strict=True)
        if isinstance(i, ir.Stop)
    )
    return {
        name: tuple(frozenset() if kept else locks - {h.lock for h in held} for held in before)
        for name, before in found.items()
    }


def _read_twice(code: Code, held: tuple[LockSet, ...]) -> Iterator[str]:
    """Yield the locks that a reader may take once more, so that one unlock does not free them."""
    for i, maybe in zip(code, held, strict=True):
        if (
            isinstance(i, ir.Acquire | ir.TryAcquire)
            and HeldLock(i.field.name, shared=True) in maybe
        ):
            yield i.field.name


def waits_end(operations: tuple[Operation, ...], endless: dict[str, frozenset[int]]) -> bool:
    """Tell whether a thread that waits for a lock surely gets it in time.

    No call returns with a lock that it may hold, none waits while it may hold another, none tries
    for one as a reader twice, and no loop without a rank, whose heads are `endless`, is gone
    through with a lock that may be held.
    """
    return not any(_keeps(o.code, endless[o.name]) for o in operations)


def _keeps(code: Code, endless: frozenset[int]) -> bool:
    held = _maybe_held(code)
    for at, i in enumerate(code):
        match i:
            case ir.Acquire() | ir.Return() | ir.Stop() if held[at]:
                return True
            case ir.Release(freeing=Freeing.ISSUED | Freeing.DRAINED | Freeing.OVERWRITTEN):
                return True
            case ir.TryAcquire(field=f, shared=True) if HeldLock(f.name, shared=True) in held[at]:
                return True
            case _ if at in endless and held[at]:
                return True
            case _:
                pass
    return False


def _maybe_held(code: Code) -> tuple[LockSet, ...]:
    held: dict[int, LockSet] = {0: frozenset()}
    tried = dict(_tried(code))
    decided = {at - 1 for at, _ in tried}
    work = [0]
    while work:
        at = work.pop()
        after = held[at] if at in decided else _maybe_after(code[at], held[at])
        for to in successor_positions(code, at):
            out = after | {tried[at, to]} if (at, to) in tried else after
            if to not in held or out - held[to]:
                held[to] = held.get(to, frozenset()) | out
                work.append(to)
    for (at, _), lock in tried.items():
        # Between the attempt and its branch nothing says yet whether it got the lock.
        held[at] = held.get(at, frozenset()) | {lock}
    return tuple(held.get(at, frozenset()) for at in range(len(code)))


def _maybe_after(i: Instr, held: LockSet) -> LockSet:
    match i:
        case ir.Acquire(field, _, shared) | ir.TryAcquire(_, field, _, shared):
            return held | {HeldLock(field.name, shared)}
        case ir.Release(field, _, shared) if field.scope is FieldScope.VM:
            return held - {HeldLock(field.name, shared)}
        case _:
            return held

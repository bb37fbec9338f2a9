"""Which locks a thread surely holds, by going through the code alone (lockset analysis).

A lock counts that is freed only where it is surely held; then nobody else frees it, and what its
word says of the holder is true of every reachable state.

Lemma L7, Lemma L9 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import and_, or_

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.dataflow import solve_forward
from flushproof.ir.analysis.def_use import fields_of
from flushproof.ir.code import FieldScope
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import LockWord
from flushproof.support.record import Record
from flushproof.verify.proof_checker.checked_program import Code, waits_for_value


class HeldLock(Record, frozen=True, order=True):
    """A lock that is held alone or as a reader."""

    lock: str
    shared: bool


LockSet = frozenset[HeldLock]

LOCKING = (ir.Acquire, ir.TryAcquire, ir.Available, ir.Release, ir.Holds)
"""What is understood of locks; whatever else names one may free it."""


def exclude_each_other(a: LockSet, b: LockSet) -> bool:
    """Tell whether two threads cannot hold such locks at the same time."""
    return any(x.lock == y.lock and not (x.shared and y.shared) for x in a for y in b)


def held_locks(program: Program) -> dict[str, tuple[LockSet, ...]]:
    """Return for each operation the locks surely held before each position, all of the VM."""
    found = {o.name: _locks_before(o.code, maybe=False) for o in program.operations}
    before = [x for o in program.operations for x in zip(o.code, found[o.name], strict=True)]
    stray = {name for i, held in before for name in _freed(i, held)}
    return {
        name: tuple(frozenset(h for h in held if h.lock not in stray) for held in surely)
        for name, surely in found.items()
    }


def _freed(i: ir.Instr, held: LockSet) -> Iterator[str]:
    """Yield the locks that may be freed by a thread that does not hold them."""
    if isinstance(i, ir.Release) and HeldLock(i.field.name, i.shared) not in held:
        yield i.field.name
    if not isinstance(i, LOCKING):
        yield from (f.name for f in fields_of(i) if isinstance(f.type, LockWord))


def unheld_locks(program: Program) -> dict[str, tuple[frozenset[str], ...]]:
    """Name for each operation the locks surely not held by the thread before each position.

    None are named where a call may end with a lock held, as then the next may begin with it, and
    none that a reader may take once more, so that one unlock does not free it.
    """
    found = {o.name: _locks_before(o.code, maybe=True) for o in program.operations}
    before = [x for o in program.operations for x in zip(o.code, found[o.name], strict=True)]
    locks = {f.name for f in program.fields if isinstance(f.type, LockWord)}
    locks -= {f.name for f in program.fields if f.scope is FieldScope.VCPU}
    locks -= {name for i, held in before for name in _taken_again(i, held)}
    if any(held for i, held in before if isinstance(i, ir.Stop)):
        locks = set()
    return {
        name: tuple(frozenset(locks - {h.lock for h in held}) for held in maybe)
        for name, maybe in found.items()
    }


def waits_end(operations: Iterable[Operation], endless: Mapping[str, frozenset[int]]) -> bool:
    """Tell whether a thread that waits for a lock surely gets it in time.

    No call returns with a lock that it may hold, none waits for another lock or for a value while
    it may hold one, none is a reader twice, and no loop without a rank, whose heads are `endless`,
    is gone through with a lock that may be held.
    """
    for o in operations:
        for at, held in enumerate(_locks_before(o.code, maybe=True)):
            i = o.code[at]
            kept = at in endless[o.name] or isinstance(i, ir.Acquire | ir.Return | ir.Stop)
            if (held and (kept or waits_for_value(i))) or _taken_again(i, held):
                return False
    return True


def _taken_again(i: ir.Instr, held: LockSet) -> Iterable[str]:
    """Name the lock of which a thread may become a reader while it is one."""
    match i:
        case ir.Acquire(f) | ir.TryAcquire(_, f) if HeldLock(f.name, shared=True) in held:
            return (f.name,)
        case _:
            return ()


def _locks_before(code: Code, *, maybe: bool) -> tuple[LockSet, ...]:
    """Return the locks surely held before each position, or those that may be."""
    tried = dict(_tried(code))
    decided = {at - 1 for at, _ in tried}

    def flow(at: int, held: LockSet) -> Iterator[tuple[int, LockSet]]:
        match code[at]:
            case ir.Acquire(f, _, shared) if maybe or f.scope is FieldScope.VM:
                held |= {HeldLock(f.name, shared)}
            case ir.TryAcquire(_, f, _, shared) if maybe and at not in decided:
                held |= {HeldLock(f.name, shared)}
            case ir.Release(f, _, shared) if f.scope is FieldScope.VM:
                held -= {HeldLock(f.name, shared)}
            case _:
                pass
        for to in successor_positions(code, at):
            yield to, held | tried.get((at, to), frozenset())

    found = solve_forward(LockSet(), flow, or_ if maybe else and_)
    if maybe:  # between an attempt and its branch nothing says yet whether it got the lock
        for (at, _), got in tried.items():
            found[at] = found.get(at, LockSet()) | got
    return tuple(found.get(at, LockSet()) for at in range(len(code)))


def _tried(code: Code) -> Iterator[tuple[tuple[int, int], LockSet]]:
    """Yield the jumps that are made only where the attempt just before them got the lock."""
    jumps = [(at, to) for at in range(len(code)) for to in successor_positions(code, at)]
    entered = {to for at, to in jumps if to != at + 1}
    for at in range(1, len(code)):
        match code[at - 1], code[at]:
            case ir.TryAcquire(got, f, None, shared), ir.Branch(ir.Var(x), yes, no):
                if got == x and yes != no and at not in entered:
                    yield (at, yes), frozenset({HeldLock(f.name, shared)})
            case _:
                pass

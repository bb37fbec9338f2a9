"""Which locks a thread surely holds before each position (a forward must-analysis).

Only locks of the VM count: which vCPU's lock a per-vCPU one is depends on values. What is found is
true as long as nobody else frees the lock, see `guarded_locks`. An unlock that waits in a store
buffer ends a hold where the code makes it; that it drains later changes no hold.

Lemma L7, Lemma L9 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import and_, or_

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.dataflow import solve_forward
from flushproof.ir.analysis.def_use import may_wait
from flushproof.ir.code import (
    Acquire,
    Branch,
    FieldScope,
    Freeing,
    Instr,
    Release,
    Return,
    TryAcquire,
    Var,
)
from flushproof.ir.program import Operation
from flushproof.support.record import Record


class Hold(Record, frozen=True, order=True):
    """A lock field that is held, as a reader if `shared`."""

    lock: str
    shared: bool


Held = frozenset[Hold]


def are_exclusive(a: Held, b: Held) -> bool:
    """Tell whether two threads cannot hold such locks at the same time."""
    return any(x.lock == y.lock and not (x.shared and y.shared) for x in a for y in b)


def held_before(code: tuple[Instr, ...]) -> tuple[Held, ...]:
    """Return the locks held before each position, starting with none."""
    tried = tried_branches(code)

    def flow(at: int, held: Held) -> Iterator[tuple[int, Held]]:
        return _to_successors(code, at, _after(code[at], held), tried)

    found = solve_forward(Held(), flow, and_)
    return tuple(found.get(at, Held()) for at in range(len(code)))


def _to_successors(
    code: tuple[Instr, ...], at: int, after: Held, tried: Mapping[tuple[int, int], Hold]
) -> Iterator[tuple[int, Held]]:
    """Yield what is held before each successor: where an attempt got a lock, that lock, too."""
    for target in successor_positions(code, at):
        yield target, after | {tried[at, target]} if (at, target) in tried else after


def _after(instr: Instr, held: Held) -> Held:
    match instr:
        case Acquire(field, _, shared) if field.scope is FieldScope.VM:
            return held | {Hold(field.name, shared)}
        case Release(field, freeing=freeing) if freeing is not Freeing.DRAINED:
            return held - {Hold(field.name, shared) for shared in (False, True)}
        case _:
            return held


def tried_branches(code: tuple[Instr, ...]) -> dict[tuple[int, int], Hold]:
    """Return the jumps that are made only where the attempt just before them got the lock."""
    entered = {t for at in range(len(code)) for t in successor_positions(code, at) if t != at + 1}
    out: dict[tuple[int, int], Hold] = {}
    for at, instr in enumerate(code[1:], 1):
        match code[at - 1], instr:
            case TryAcquire(got, field, None, shared), Branch(Var(local), then, otherwise) if (
                got == local and then != otherwise and at not in entered
            ):
                out[at, then] = Hold(field.name, shared)
            case _:
                pass
    return out


def guarded_locks(operations: Iterable[Operation]) -> frozenset[str]:
    """Name the locks that are only ever freed where they are surely held.

    Of these the holder is who took the lock last. Any other lock may be freed by a thread that does
    not hold it, and then nobody can rely on it.
    """
    locks: set[str] = set()
    stray: set[str] = set()
    for operation in operations:
        for instr, held in zip(operation.code, held_before(operation.code), strict=True):
            if isinstance(instr, (Acquire, TryAcquire, Release)):
                locks.add(instr.field.name)
            if isinstance(instr, Release) and _stray(instr, held):
                stray.add(instr.field.name)
    return frozenset(locks - stray)


def _stray(instr: Release, held: Held) -> bool:
    """Tell whether a lock may be freed by a thread that does not hold it."""
    own = Hold(instr.field.name, instr.shared) in held
    return not own and instr.freeing is not Freeing.DRAINED


def surely_held(operations: Iterable[Operation]) -> Mapping[str, tuple[Held, ...]]:
    """Return for each operation the locks held before each position, of those to be relied on."""
    known = tuple(operations)
    reliable = guarded_locks(known)
    return {
        o.name: tuple(
            frozenset(h for h in held if h.lock in reliable) for held in held_before(o.code)
        )
        for o in known
    }


def waits_end(operations: Iterable[Operation]) -> bool:
    """Tell whether a thread that waits for a lock surely gets it in time.

    That is so where no operation may return with a lock held or wait for one while it may hold
    another, or for a value: then who holds a lock can always go on until it frees it. Nobody may be
    a reader twice, which takes two unlocks to end, and no unlock may wait in a store buffer.
    """
    return all(_frees_without_waiting(o) for o in operations)


def _frees_without_waiting(operation: Operation) -> bool:
    pairs = zip(operation.code, _maybe(operation.code), strict=True)
    return not any(_keeps(instr, held) for instr, held in pairs)


def _keeps(instr: Instr, held: Held) -> bool:
    match instr:
        case Return():
            return bool(held)
        case _ if may_wait(instr):
            return bool(held)
        case Release(freeing=Freeing.ISSUED):
            return True
        case TryAcquire(field=field, shared=True):
            return Hold(field.name, shared=True) in held
        case _:
            return False


def maybe_held(code: tuple[Instr, ...]) -> tuple[frozenset[str], ...]:
    """Name the locks that may be held before each position, starting with none.

    One that is taken as a reader twice is not told from one that is taken once.
    """
    return tuple(frozenset(h.lock for h in held) for held in _maybe(code))


def _maybe(code: tuple[Instr, ...]) -> tuple[Held, ...]:
    tried = tried_branches(code)
    # An attempt that is branched on right after it takes the lock on one of the two ways only.
    decided = {at - 1 for at, _ in tried}

    def flow(at: int, maybe: Held) -> Iterator[tuple[int, Held]]:
        after = maybe if at in decided else _maybe_after(code[at], maybe)
        return _to_successors(code, at, after, tried)

    found = solve_forward(Held(), flow, or_)
    for (at, _), lock in tried.items():
        # Between the attempt and its branch nothing says yet whether it got the lock.
        found[at] = found.get(at, Held()) | {lock}
    return tuple(found.get(at, Held()) for at in range(len(code)))


def _maybe_after(instr: Instr, held: Held) -> Held:
    match instr:
        case Acquire(field, _, shared) | TryAcquire(_, field, _, shared):
            return held | {Hold(field.name, shared)}
        case Release(field, _, shared, freeing=freeing) if field.scope is FieldScope.VM:
            return held if freeing is Freeing.DRAINED else held - {Hold(field.name, shared)}
        case _:
            return held

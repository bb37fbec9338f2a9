"""Which locks a thread surely holds before each position (a forward must-analysis).

Only locks of the VM count: which vCPU's lock a per-vCPU one is depends on values. What is found is
true as long as nobody else frees the lock, see `guarded`.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.ir.code import Acquire, Instr, Release, Return, Scope
from flushproof.ir.flow import successors
from flushproof.ir.program import Operation

Held = frozenset[str]


def held_before(code: tuple[Instr, ...]) -> tuple[Held, ...]:
    """Name the lock fields held before each position, starting with none."""
    held: dict[int, Held] = {0: frozenset()}
    work = [0]
    while work:
        at = work.pop()
        out = _after(code[at], held[at])
        for target in successors(code, at):
            merged = out if target not in held else held[target] & out
            if held.get(target) != merged:
                held[target] = merged
                work.append(target)
    return tuple(held.get(at, frozenset()) for at in range(len(code)))


def _after(instr: Instr, held: Held) -> Held:
    match instr:
        case Acquire(field) if field.scope is Scope.VM:
            return held | {field.name}
        case Release(field):
            return held - {field.name}
        case _:
            return held


def guarded(operations: Iterable[Operation]) -> Held:
    """Name the locks that are only ever freed where they are surely held.

    Of these the holder is who took the lock last. Any other lock may be freed by a thread that does
    not hold it, and then nobody can rely on it.
    """
    locks: set[str] = set()
    stray: set[str] = set()
    for operation in operations:
        for instr, held in zip(operation.code, held_before(operation.code), strict=True):
            if isinstance(instr, (Acquire, Release)):
                locks.add(instr.field.name)
            if isinstance(instr, Release) and instr.field.name not in held:
                stray.add(instr.field.name)
    return frozenset(locks - stray)


def waits_end(operations: Iterable[Operation]) -> bool:
    """Tell whether a thread that waits for a lock surely gets it in time.

    That is so where no operation may return with a lock held or wait for one while it may hold
    another: then who holds a lock can always go on until it frees it.
    """
    return all(_frees_without_waiting(o) for o in operations)


def _frees_without_waiting(operation: Operation) -> bool:
    code = operation.code
    maybe: dict[int, Held] = {0: frozenset()}
    work = [0]
    while work:
        at = work.pop()
        instr = code[at]
        if maybe[at] and isinstance(instr, (Acquire, Return)):
            return False
        out = _maybe_after(instr, maybe[at])
        for target in successors(code, at):
            if target not in maybe or out - maybe[target]:
                maybe[target] = maybe.get(target, frozenset()) | out
                work.append(target)
    return True


def _maybe_after(instr: Instr, held: Held) -> Held:
    match instr:
        case Acquire(field):
            return held | {field.name}
        case Release(field) if field.scope is Scope.VM:
            return held - {field.name}
        case _:
            return held

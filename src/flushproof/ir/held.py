"""Which locks a thread surely holds before each position (a forward must-analysis).

Only locks of the VM count: which vCPU's lock a per-vCPU one is depends on values.
"""

from __future__ import annotations

from flushproof.ir.code import Acquire, Instr, Release, Scope
from flushproof.ir.flow import successors

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

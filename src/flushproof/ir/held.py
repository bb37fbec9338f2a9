"""Which locks a thread surely holds before each position (a forward must-analysis).

Only locks of the VM count: which vCPU's lock a per-vCPU one is depends on values. A lock counts for
nothing in a program in which some thread may free it without holding it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.ir.code import Acquire, Instr, Release, Scope
from flushproof.ir.flow import successors
from flushproof.ir.program import Program

Held = frozenset[str]


def held_before(program: Program) -> Mapping[str, tuple[Held, ...]]:
    """Name the lock fields held before each position of each operation, starting with none."""
    found = {o.name: _held(o.code) for o in program.operations}
    loose = {
        i.field.name
        for o in program.operations
        for at, i in enumerate(o.code)
        if isinstance(i, Release) and i.field.name not in found[o.name][at]
    }
    return {name: tuple(h - loose for h in held) for name, held in found.items()}


def _held(code: tuple[Instr, ...]) -> tuple[Held, ...]:
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

"""Which fields a store buffer can hold back so that anyone notices.

A field is *guarded* when each access to it is made under one lock, and each thread that frees that
lock holds it. Its stores need no buffer where no claim looks at it. A thread's store is made while
it holds the lock and is in memory before the lock is free again, since the unlock follows it in the
buffer or waits for it. Between the two nobody else looks; the thread itself sees its
own stores either way; and the order of the stores to other fields is that of the code with or
without it. So no thread and no claim can tell the store from one that is made at once.

Where a claim reads the field, between the store and the unlock, that argument does not hold
(`checks.py` tells which reads those are).

Lemma L24 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.analysis.held_locks import surely_held
from flushproof.ir.code import Exchange, Field, Mode, Read, Write
from flushproof.ir.program import Program, Role

DIRECT = (Mode.GHOST, Mode.ATOMIC)
"""How memory is accessed itself, past the buffer: at the begin of an atomic block it is empty."""

ROLES = (Role.LOAD, Role.FLUSH)


def buffered_fields(program: Program, observed: frozenset[str]) -> frozenset[Field]:
    """Return the fields whose stores may be noticed late, with claims reading those `observed`."""
    operations = [o for o in program.operations if o.role in ROLES]
    stored = {
        i.field
        for o in operations
        for i in o.code
        if isinstance(i, Write) and i.mode not in DIRECT and not i.field.ghost
    }
    safe = guarded_fields(program)
    return frozenset(f for f in stored if f.name in observed or f.name not in safe)


def guarded_fields(program: Program) -> frozenset[str]:
    """Name the fields that are accessed under some lock which only its holders free."""
    locks: dict[str, frozenset[str]] = {}
    held = surely_held(program.operations)
    for operation in program.operations:
        for instr, holds in zip(operation.code, held[operation.name], strict=True):
            match instr:
                case Read(field=f):
                    names = frozenset(h.lock for h in holds)
                case Write(field=f) | Exchange(field=f):
                    names = frozenset(h.lock for h in holds if not h.shared)
                case _:
                    continue
            locks[f.name] = locks.get(f.name, names) & names
    return frozenset(name for name, always in locks.items() if always)

"""Which fields code reads and writes, and which locals matter later, by its text alone."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir import code as ir
from flushproof.ir.code import Instr, Local
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import LockWord
from flushproof.support.record import Record
from flushproof.verify.proof_checker.code_paths import (
    ONLY_READING,
    Code,
    fields_in,
    parts_of,
    successor_positions,
)

_SET = frozenset({"target", "old", "bound"})
"""Members of an instruction that name a local which it sets."""


class Accesses(Record, frozen=True):
    """Names of fields that are read, and written."""

    reads: frozenset[str]
    writes: frozenset[str]

    def overlap(self, other: Accesses) -> bool:
        """Tell whether one writes what the other reads or writes."""
        touched = other.reads | other.writes
        return bool(self.writes & touched or other.writes & self.reads)


def list_accesses(program: Program, code: Code, positions: tuple[int, ...]) -> Accesses:
    """Return what the instructions at some positions access."""
    reads: set[str] = set()
    writes: set[str] = set()
    locks = {f.name for f in program.fields if isinstance(f.type, LockWord)}
    for i in (code[at] for at in positions):
        named = {f.name for f in fields_in(i)}
        reads |= named
        if not isinstance(i, ONLY_READING):
            writes |= named
        if any(isinstance(x, ir.HeldLocks | ir.AllFree) for x in parts_of(i)):
            reads |= locks
    return Accesses(frozenset(reads), frozenset(writes))


def locals_in(x: object) -> Iterator[Local]:
    """Yield every local that occurs in a record."""
    return (part for part in parts_of(x) if isinstance(part, Local))


def set_local(i: Instr) -> Local | None:
    """Return the local that an instruction sets."""
    target = getattr(i, "target", None)
    return target if isinstance(target, Local) else None


def locals_of(operation: Operation) -> dict[str, Local]:
    """Return the locals of an operation by their names."""
    found = [*operation.parameters.all]
    found += [x for i in operation.code if (x := set_local(i)) is not None]
    return {x.name: x for x in found}


def live_locals(code: Code) -> tuple[frozenset[Local], ...]:
    """Return before each position the locals whose values may be looked at later."""
    used = [
        frozenset(
            x
            for name in i.__struct_fields__
            if name not in _SET
            for x in locals_in(getattr(i, name))
        )
        for i in code
    ]
    live: list[frozenset[Local]] = [frozenset() for _ in code]
    changed = True
    while changed:
        changed = False
        for at in reversed(range(len(code))):
            after = frozenset(x for to in successor_positions(code, at) for x in live[to])
            target = set_local(code[at])
            before = used[at] | (after - {target} if target is not None else after)
            if before != live[at]:
                live[at] = before
                changed = True
    return tuple(live)

"""No deadlock, by an order of the locks.

Where a thread waits for a lock only while all that it holds come before it in one order, and holds
none between its calls, somebody can always go on: of the threads that wait, look at one whose lock
comes last; its holder is in a call and does not wait (Havender, IBM Systems Journal 1968). In place
of the event `deadlock` each such place asserts just that. That a lock is freed by its holder is
asserted too: it need not be so, but else little is known of who holds it.

Lemma L23 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from flushproof.ir.analysis.def_use import may_wait
from flushproof.ir.analysis.held_locks import maybe_held
from flushproof.ir.builder import Emitter
from flushproof.ir.code import (
    Acquire,
    Assert,
    Field,
    FieldScope,
    Holds,
    Instr,
    Release,
    Return,
    TryAcquire,
    Unary,
    Var,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.rewrite import CodeRewriter
from flushproof.ir.types import BOOL
from flushproof.support.record import Record, replace


class Ordered(Record, frozen=True):
    """A program that keeps to an order of its locks unless an assertion fails."""

    program: Program
    locks: tuple[Field, ...]


def waits_for_value(program: Program) -> bool:
    """Tell whether a thread may wait for something else than a lock."""
    code = (i for o in program.operations for i in o.code)
    return any(may_wait(i) and not isinstance(i, Acquire) for i in code)


def in_order(program: Program) -> Ordered | None:
    """Return a program with assertions in place of the event `deadlock`.

    None where the code proper may take its locks in no one order, as far as its paths can tell:
    which of the locks of vCPUs comes first they do not tell. Nor is there one where a thread waits
    for a value, as nobody holds that.
    """
    if waits_for_value(program):
        return None
    acting = [o for o in program.operations if o.role is not Role.DEADLOCK]
    locks = _order(acting)
    if locks is None or any(f.scope is FieldScope.VCPU for f in locks):
        return None
    claims = [i.claim for o in program.of(Role.DEADLOCK) for i in o.code if isinstance(i, Assert)]
    operations = tuple(_asserting(o, locks, claims[0]) for o in acting)
    return Ordered(replace(program, operations=operations), locks)


def _order(operations: Iterable[Operation]) -> tuple[Field, ...] | None:
    """Return the locks, each after all that may be held where it is waited for."""
    before: TopologicalSorter[str] = TopologicalSorter()
    fields: dict[str, Field] = {}
    for o in operations:
        for instr, held in zip(o.code, maybe_held(o.code), strict=True):
            if isinstance(instr, (Acquire, TryAcquire)):
                fields[instr.field.name] = instr.field
            if isinstance(instr, Acquire):
                before.add(instr.field.name, *sorted(held - {instr.field.name}))
    try:
        return tuple(fields[name] for name in before.static_order())
    except CycleError:
        return None


def _asserting(operation: Operation, locks: Sequence[Field], claim: str) -> Operation:
    """Return an operation that asserts to keep to the order and to end with no lock held."""
    emitter = Emitter(operation.name, temporary="%l", from_claim=True)
    rewriter = CodeRewriter(emitter, operation.code)

    def rewrite(_at: int, instr: Instr) -> None:
        for lock in _unwelcome(instr, locks):
            _assert(emitter, lock, claim, instr, held=False)
        if isinstance(instr, Release) and instr.field in locks:
            _assert(emitter, instr.field, claim, instr, held=True)
        rewriter.keep(instr)

    return replace(operation, code=rewriter.run(rewrite))


def _unwelcome(instr: Instr, locks: Sequence[Field]) -> Sequence[Field]:
    """Return the locks that must not be held before an instruction."""
    match instr:
        case Acquire(field):
            return locks[locks.index(field) :]
        case Return():
            return locks
        case _:
            return ()


def _assert(emitter: Emitter, lock: Field, claim: str, instr: Instr, *, held: bool) -> None:
    found = emitter.temp(BOOL)
    emitter.emit(Holds(found, lock, None, sole=False, span=instr.span))
    condition = Var(found) if held else Unary("!", Var(found), BOOL)
    emitter.emit(Assert(claim, condition, (), "", lock.label, instr.span))

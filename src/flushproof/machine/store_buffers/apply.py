"""The store buffers of a whole program: what is buffered, what may wait where, and the new code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.analysis.held_locks import guarded_locks as only_holders_free
from flushproof.ir.code import Acquire, Exchange, Field, StoreFence, TryAcquire, Write
from flushproof.ir.program import CallLimits, Operation, Program, Role
from flushproof.ir.types import LockWord
from flushproof.machine.store_buffers.buffer_cells import BufferCell, cell_field
from flushproof.machine.store_buffers.buffered_fields import ROLES, buffered_fields
from flushproof.machine.store_buffers.checks import ClaimView
from flushproof.machine.store_buffers.instrument import Weaver
from flushproof.machine.store_buffers.may_contain import Buffering, Contents, contents_before
from flushproof.support.record import Record
from flushproof.support.source import Span


class Buffered(Record, frozen=True):
    """Operations with store buffers.

    `full`: a buffer may be full when the code stores, and then drains although it need not.
    `unlocks` are the cells that tell whether an unlock waits in some buffer.
    """

    operations: tuple[Operation, ...]
    full: bool
    unlocks: tuple[Field, ...]


def add_store_buffers(
    program: Program, view: ClaimView, limits: CallLimits, capacity: int, *, unordered: bool = False
) -> Buffered:
    """Give every thread of a program without claims a store buffer of `capacity` entries.

    `view` is what the claims to come look at. The program runs within the `limits`. If `unordered`,
    stores to different locations may leave a buffer in any order (PSO).
    """
    fields = buffered_fields(program, view.fields)
    reliable = only_holders_free(program.operations)
    buffering = Buffering(
        fields,
        capacity,
        _changing(program),
        waited=frozenset() if view.free else _waited(program, reliable),
        noticed="access" in view.events,
        seen="unlock" in view.events or ("step" in view.events and view.holders),
        unordered=unordered,
        fences=any(isinstance(i, StoreFence) for o in program.operations for i in o.code),
    )
    contents: dict[str, tuple[Contents, ...]] = {}
    done: dict[str, Operation] = {}
    for role in ROLES:
        operations = program.of(role)
        calls = limits.loads if role is Role.LOAD else limits.flushes
        contents |= contents_before(operations, buffering, calls)
        spans = _spans(operations, buffering)
        for o in operations:
            weaver = Weaver(o, buffering, contents[o.name], limits.flushers, spans, reliable)
            done[o.name] = weaver.run()
    return Buffered(
        operations=tuple(done[o.name] for o in program.operations),
        full=any(
            buffering.stores(instr) and len(queue) == capacity
            for o in program.operations
            for instr, queues in zip(o.code, contents[o.name], strict=True)
            for queue in queues
        ),
        unlocks=tuple(_unlocks(program, contents, limits.flushers)),
    )


def _waited(program: Program, reliable: frozenset[str]) -> frozenset[Field]:
    """Return the locks that are only ever waited for, so that nobody can fail to get one."""
    code = [i for o in program.operations for i in o.code]
    tried = {i.field for i in code if isinstance(i, TryAcquire)}
    taken = {i.field for i in code if isinstance(i, Acquire)}
    return frozenset(f for f in taken - tried if f.name in reliable)


def _unlocks(
    program: Program, contents: Mapping[str, tuple[Contents, ...]], flushers: int
) -> Iterator[Field]:
    """Yield the cells that may hold an unlock, each once."""
    for role in ROLES:
        queues = {q for o in program.of(role) for row in contents[o.name] for q in row}
        entries = {(k, f) for q in queues for k, f in enumerate(q) if isinstance(f.type, LockWord)}
        owners = 1 if role is Role.LOAD else max(flushers, 1)
        for slot, lock in sorted(entries, key=lambda e: (e[0], e[1].name)):
            for k in range(owners):
                yield cell_field(BufferCell(slot, "pending", lock), role, k)


def _changing(program: Program) -> frozenset[str]:
    return frozenset(
        i.field.name for o in program.operations for i in o.code if isinstance(i, (Write, Exchange))
    )


def _spans(operations: tuple[Operation, ...], buffering: Buffering) -> Mapping[Field, Span]:
    """Return the place of the store to each field that is stored to in one place only."""
    found: dict[Field, set[Span]] = {}
    for field, span in _stores(operations, buffering):
        found.setdefault(field, set()).add(span)
    return {field: spans.pop() for field, spans in found.items() if len(spans) == 1}


def _stores(
    operations: tuple[Operation, ...], buffering: Buffering
) -> Iterator[tuple[Field, Span]]:
    for operation in operations:
        for instr in operation.code:
            if isinstance(instr, Write) and buffering.stores(instr):
                yield instr.field, instr.span or operation.span

"""The store buffers of a whole program: what is buffered, what may wait where, and the new code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.ir.code import Exchange, Field, Release, Write
from flushproof.ir.program import Limits, Operation, Program, Role
from flushproof.machine.buffers.contents import Buffering, Contents, contents_before
from flushproof.machine.buffers.fields import ROLES, buffered_fields, guarded
from flushproof.machine.buffers.weave import Weaver
from flushproof.record import Record
from flushproof.source import Span


class View(Record, frozen=True):
    """What claims look at: the names of the fields they read, and whether accesses themselves."""

    fields: frozenset[str]
    accesses: bool


class Buffered(Record, frozen=True):
    """Operations with store buffers.

    `full`: a buffer may be full when the code stores, and then drains although it need not.
    `unlocks`: a store to what others access without a common lock may wait when a lock is freed.
    """

    operations: tuple[Operation, ...]
    full: bool
    unlocks: bool


def buffered(program: Program, view: View, limits: Limits, capacity: int) -> Buffered:
    """Give every thread of a program without claims a store buffer of `capacity` entries.

    `view` is what the claims to come look at. The program runs within the `limits`.
    """
    fields = buffered_fields(program, view.fields)
    buffering = Buffering(fields, capacity, _changing(program), view.accesses)
    contents: dict[str, tuple[Contents, ...]] = {}
    done: dict[str, Operation] = {}
    for role in ROLES:
        operations = program.of(role)
        calls = limits.loads if role is Role.LOAD else limits.flushes
        contents |= contents_before(operations, buffering, calls)
        spans = _spans(operations, buffering)
        for o in operations:
            done[o.name] = Weaver(o, buffering, contents[o.name], limits.flushers, spans).run()
    waiting = [
        (instr, queue)
        for o in program.operations
        for instr, queues in zip(o.code, contents[o.name], strict=True)
        for queue in queues
    ]
    safe = guarded(program)
    return Buffered(
        operations=tuple(done[o.name] for o in program.operations),
        full=any(buffering.stores(i) and len(q) == capacity for i, q in waiting),
        unlocks=any(
            isinstance(i, Release) and any(f.name not in safe for f in q) for i, q in waiting
        ),
    )


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

"""What may be in a thread's store buffer at each position (a forward may-analysis).

A queue is the sequence of the fields stored to, oldest first; queues are at most `capacity` long.
An unlock by a plain store is there as the lock. Where stores may go to memory in another order than
they were made in (PSO), it is chosen as a store is made which of those before it it goes before; an
unlock, and a store that releases, goes before none. The buffer survives a call, so what the calls
of a role may leave is there when one begins.

Some locks are only ever waited for, and no claim looks at whether they are free (`waited`). Nobody
can tell such a lock that is freed from one that is not yet, since a thread that waits may as well
try later. So its unlock goes to memory as soon as all stores before it have.

Lemma L24, Lemma L36 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import or_

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.dataflow import solve_forward
from flushproof.ir.analysis.held_locks import tried_branches
from flushproof.ir.code import (
    Acquire,
    BeginAtomic,
    Exchange,
    Fence,
    Field,
    FieldScope,
    Freeing,
    Hypercall,
    Instr,
    Mode,
    Read,
    Release,
    Return,
    Stop,
    TryAcquire,
    Write,
)
from flushproof.ir.program import Operation
from flushproof.machine.store_buffers.buffered_fields import DIRECT
from flushproof.support.record import Record

Queue = tuple[Field, ...]
Contents = frozenset[Queue]

EMPTY: Contents = frozenset({()})


class Buffering(Record, frozen=True):
    """The fields that are buffered, how many entries there are, and the fields ever written.

    `waited` are the locks of which an unlock is in memory once the stores before it are. `noticed`:
    some claim notices stores as they are made; `seen`: the same of unlocks. `unordered`: a store
    may go to memory before others that its thread made before it; with `fences` some have to wait.
    """

    fields: frozenset[Field]
    capacity: int
    changing: frozenset[str]
    waited: frozenset[Field]
    noticed: bool
    seen: bool
    unordered: bool
    fences: bool

    def stores(self, instr: Instr) -> bool:
        """Tell whether an instruction puts a store into the buffer."""
        match instr:
            case Write(field=f, mode=mode):
                return mode not in DIRECT and f in self.fields
            case Release(freeing=freeing):
                return freeing is Freeing.STORE
            case _:
                return False

    def settled(self, queue: Queue) -> Queue:
        """Return what is left of a queue without unlocks at its head that need not wait."""
        while queue and queue[0] in self.waited:
            queue = queue[1:]
        return queue

    def popped(self, contents: Contents) -> Contents:
        """Return what is left where something was there and the oldest entry went to memory."""
        return frozenset(self.settled(q[1:]) for q in contents if q)

    def drained(self, contents: Contents) -> Contents:
        """Return what may be left when any number of entries has gone to memory."""
        return frozenset(self.settled(q[k:]) for q in contents for k in range(len(q) + 1))

    def with_room(self, contents: Contents) -> Contents:
        """Return what is left where a full buffer has made room for one entry."""
        return frozenset(self.settled(q[1:]) if len(q) == self.capacity else q for q in contents)

    def appended(self, contents: Contents, instr: Write | Release) -> Contents:
        """Return what is there once a store, or an unlock, has been made."""
        placed = (p for q in self.with_room(contents) for p in self._placed(q, instr))
        return frozenset(map(self.settled, placed)) | self.passed(contents, instr)

    def passed(self, contents: Contents, instr: Write | Release) -> Contents:
        """Return the full queues all of which a store may go to memory before."""
        full = (q for q in contents if len(q) == self.capacity)
        return frozenset(q for q in full if all(self.passes(instr, f) for f in q))

    def _placed(self, queue: Queue, instr: Write | Release) -> Iterator[Queue]:
        """Yield a queue with one more entry, in each place where that may be."""
        at = len(queue)
        yield (*queue, instr.field)
        while at and self.passes(instr, queue[at - 1]):
            at -= 1
            yield (*queue[:at], instr.field, *queue[at:])

    def passes(self, instr: Write | Release, earlier: Field) -> bool:
        """Tell whether a store may go to memory before one to `earlier` that was made before it.

        Of two vCPUs' fields of one name they may differ.
        """
        store = isinstance(instr, Write) and instr.mode is not Mode.RELEASE
        other = instr.field != earlier or earlier.scope is FieldScope.VCPU
        return self.unordered and store and other

    def drains_before(self, instr: Instr) -> bool:
        """Tell whether a drain before an instruction differs from one after it.

        It does where others may notice the instruction; whatever drains everything needs no other
        drains before it.
        """
        match instr:
            case Read(field=f, mode=mode):
                return mode not in DIRECT and f.name in self.changing
            case Write(mode=mode):
                stored = self.stores(instr) and not self.noticed
                return mode not in DIRECT and not stored
            case Release(freeing=Freeing.STORE):
                return self.seen
            case TryAcquire() | Return():
                return True
            case _:
                return False

    def drains_after(self, instr: Instr) -> bool:
        """Tell whether an instruction is followed by drains that nothing may ever come after."""
        return isinstance(instr, Return)


def drains_all(instr: Instr) -> bool:
    """Tell whether an instruction waits until every store before it is in memory.

    An attempt to take a lock does so only where it finds the lock free.
    """
    match instr:
        case Acquire() | Exchange() | Hypercall() | Fence() | BeginAtomic():
            return True
        case Release(freeing=freeing):
            return freeing is Freeing.LOCKED
        case _:
            return False


def contents_after(instr: Instr, before: Contents, buffering: Buffering) -> Contents:
    """Return what may be there right after an instruction."""
    if drains_all(instr):
        return EMPTY
    if isinstance(instr, (Write, Release)) and buffering.stores(instr):
        return buffering.appended(before, instr)
    if isinstance(instr, TryAcquire):
        return before | EMPTY
    return before


def contents_before(
    operations: Sequence[Operation], buffering: Buffering, calls: int
) -> Mapping[str, tuple[Contents, ...]]:
    """Return the contents before each position of the operations of one role, by name.

    A thread makes so many `calls` at most.
    """
    entry = EMPTY
    found = {o.name: _of_call(o, entry, buffering) for o in operations}
    for _ in range(1, calls):
        left = (row[at] for o in operations for at, row in _ends(o, found[o.name]))
        merged = entry.union(*left)
        if merged == entry:
            break
        entry = merged
        found = {o.name: _of_call(o, entry, buffering) for o in operations}
    return found


def _ends(
    operation: Operation, row: tuple[Contents, ...]
) -> list[tuple[int, tuple[Contents, ...]]]:
    return [(at, row) for at, i in enumerate(operation.code) if isinstance(i, Stop)]


def _of_call(operation: Operation, entry: Contents, buffering: Buffering) -> tuple[Contents, ...]:
    code = operation.code
    got = tried_branches(code)

    def flow(at: int, before: Contents) -> Iterator[tuple[int, Contents]]:
        instr = code[at]
        here = buffering.drained(before) if buffering.drains_before(instr) else before
        out = contents_after(instr, here, buffering)
        if buffering.drains_after(instr):
            out = buffering.drained(out)
        for target in successor_positions(code, at):
            # Who got the lock has waited until its stores were in memory.
            yield target, EMPTY if (at, target) in got else out

    found = solve_forward(entry, flow, or_)
    return tuple(found.get(at, EMPTY) for at in range(len(code)))

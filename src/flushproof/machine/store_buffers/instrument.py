"""Store buffers woven into the code of an operation.

A store goes into the running thread's buffer (its cells), and so does an unlock that is one. A load
looks there first, the youngest entry first. Acquire, a Release by a locked instruction, Exchange,
Hypercall and Fence wait until the buffer is empty. An attempt to take a lock reads it first, its
own unlock in the buffer before memory; it fails at once, or waits likewise and tries. Before any
other instruction that others may notice, and after a return, any number of entries may go to
memory, the oldest first, and under PSO in an order chosen as the stores are made. Each does so in a
step of its own, for which the thread may have to wait: so a drain at any moment is one that was
chosen before the next noticeable instruction, and what drains long after a call has returned was
chosen when it did. What was not chosen stays for the next call. Nobody notices a store as it is
made, unless a claim does; a drain before it may as well come after it, for a full buffer drains
anyway.

Events: an access happens to a claim when the code makes it (`Access`, or `Read` from memory), with
the locks held then; so does an unlock. Memory changes when a store drains (`Write` with
`Mode.DRAIN`), or an unlock (`Release` that goes `to_memory`), which is followed by the claims'
`step`. To a claim a thread no longer holds a lock once it has issued the unlock (`holds`, `owns`,
LOCKS), and it is free when others can take it (`unlocked`).

Lemma L24, Lemma L36 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flushproof.ir.analysis.held_locks import tried_branches
from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import (
    Access,
    Assign,
    Available,
    Binary,
    Branch,
    Drain,
    Expr,
    Field,
    FieldScope,
    Freeing,
    Havoc,
    Instr,
    Ite,
    Mode,
    Read,
    Release,
    StoreFence,
    TryAcquire,
    Var,
    Write,
)
from flushproof.ir.passes.cleanup import clean_code
from flushproof.ir.program import Operation
from flushproof.ir.rewrite import CodeRewriter
from flushproof.ir.types import BOOL, LockWord
from flushproof.lower import convert
from flushproof.lower.values import FALSE, TRUE
from flushproof.machine.store_buffers.buffer_cells import BufferCell, BufferCells, entry_cells
from flushproof.machine.store_buffers.buffered_fields import DIRECT
from flushproof.machine.store_buffers.may_contain import EMPTY, Buffering, Contents, drains_all
from flushproof.support.record import replace
from flushproof.support.source import Span


class Weaver:
    """One operation being given a store buffer.

    `contents` says what may be in the buffer before each position; `flushers` is how many flusher
    threads there are; `stores` is where the code stores to a field; of the `reliable` locks only
    holders free one.
    """

    def __init__(
        self,
        operation: Operation,
        buffering: Buffering,
        contents: tuple[Contents, ...],
        flushers: int,
        stores: Mapping[Field, Span],
        reliable: frozenset[str],
    ) -> None:
        self.operation = operation
        self.buffering = buffering
        self.contents = contents
        self.stores = stores
        self.reliable = reliable
        self.tried = tried_branches(operation.code)
        self.emitter = Emitter(operation.name, temporary="%b")
        self.cells = BufferCells(self.emitter, operation, flushers)
        self.rewriter = CodeRewriter(self.emitter, operation.code)

    def run(self) -> Operation:
        """Return the operation with its buffer."""
        return replace(self.operation, code=clean_code(self.rewriter.run(self._instr)))

    def _instr(self, at: int, instr: Instr) -> None:
        span = instr.span or self.operation.span
        before = self.contents[at]
        if self.buffering.drains_before(instr):
            self._drain_some(before, span)
            before = self.buffering.drained(before)
        match instr:
            case Write() if self.buffering.stores(instr):
                self._store(instr, before, span)
            case Release() if self.buffering.stores(instr):
                self._unlock(instr, before, span)
            case TryAcquire():
                self._try(instr, before, self._lost(at), span)
            case Read() if instr.mode not in DIRECT:
                self._load(instr, before, span)
            case StoreFence():
                self._fence(before, span)
            case _:
                if drains_all(instr):
                    self._drain_all(before, span)
                self.rewriter.keep(instr)
        if self.buffering.drains_after(instr):
            self._drain_some(before, span)

    # Stores and loads ------------------------------------------------------------------------

    def _store(self, instr: Write, before: Contents, span: Span) -> None:
        end = self.emitter.label()
        self._pass_all(instr, self.buffering.passed(before, instr), end, span)
        before = self._make_room(before, span)
        self.emitter.emit(_made(instr, span))
        self._append(instr, before, span)
        self.emitter.place(end)

    def _pass_all(self, instr: Write, full: Contents, end: Label, span: Span) -> None:
        """Let a store go to memory at once, before all that fills the buffer."""
        if not full:
            return
        staying = self.emitter.label()
        passable: Expr = TRUE
        for slot in range(self.buffering.capacity):
            here = self._passable(instr, slot, {q[slot] for q in full}, span)
            passable = convert.conjoin_conditions(passable, here)
        self._choose(passable, staying, span)
        self.emitter.emit(_made(instr, span))
        self.emitter.emit(Drain(span))
        where = self.stores.get(instr.field, span)
        self.emitter.emit(Write(instr.field, instr.index, instr.value, Mode.DRAIN, where))
        self.emitter.jump(end, span)
        self.emitter.place(staying)

    def _make_room(self, before: Contents, span: Span) -> Contents:
        """Let the oldest entry of a full buffer go to memory; return what may be left."""
        capacity = self.buffering.capacity
        full = frozenset(q for q in before if len(q) == capacity)
        if full:
            end = self._where(self._occupied(capacity - 1, before), span)
            self._drain(full, span)
            self.emitter.place(end)
        return self.buffering.with_room(before)

    def _append(self, instr: Write | Release, before: Contents, span: Span) -> None:
        """Fill the first empty entry."""
        end = self.emitter.label()
        for slot in sorted({len(q) for q in before}):
            longer = self._where_not(self._occupied(slot, before), span)
            for cell in self._entry(slot, instr.field):
                self.cells.write(cell, _part(cell, instr), span)
            self._advance(instr, slot, frozenset(q for q in before if len(q) == slot), span)
            self.emitter.jump(end, span)
            self.emitter.place(longer)
        self.emitter.place(end)

    def _entry(self, slot: int, field: Field) -> tuple[BufferCell, ...]:
        return entry_cells(slot, field, fences=self.buffering.fences)

    def _advance(self, instr: Write | Release, slot: int, before: Contents, span: Span) -> None:
        """Let the new entry at a slot go to memory before some of those that were there before."""
        end = self.emitter.label()
        while slot:
            before = frozenset(q for q in before if self.buffering.passes(instr, q[slot - 1]))
            if not before:
                break
            fields = {q[slot - 1] for q in before}
            self._choose(self._passable(instr, slot - 1, fields, span), end, span)
            for field in sorted(fields | {instr.field}, key=_name):
                self._swap(self._entry(slot - 1, field), self._entry(slot, field), span)
            slot -= 1
        self.emitter.place(end)

    def _passable(
        self, instr: Write | Release, slot: int, fields: Iterable[Field], span: Span
    ) -> Expr:
        """Return the condition that the entry at a slot is one that a store need not wait for."""
        found: Expr = FALSE
        for field in sorted(fields, key=_name):
            here = self.cells.read(BufferCell(slot, "pending", field), span)
            if self.buffering.fences:
                fenced = self.cells.read(BufferCell(slot, "fenced", field), span)
                here = convert.conjoin_conditions(here, convert.negate_condition(fenced))
            if field == instr.field and isinstance(instr, Write) and instr.index is not None:
                index = self.cells.read(BufferCell(slot, "index", field), span)
                other = Binary("!=", index, instr.index, BOOL)
                here = convert.conjoin_conditions(here, other)
            found = convert.disjoin_conditions(found, here)
        return found

    def _choose(self, condition: Expr, end: Label, span: Span) -> None:
        """Go on where a condition holds, or to the end, as one likes; else to the end."""
        self._go_on(condition, end, span)
        self._pick(end, span)

    def _pick(self, end: Label, span: Span) -> None:
        """Go on or to the end, as one likes."""
        pick = self.emitter.temp(BOOL)
        self.emitter.emit(Havoc(pick, span))
        self._go_on(Var(pick), end, span)

    def _swap(self, first: Iterable[BufferCell], second: Iterable[BufferCell], span: Span) -> None:
        for a, b in zip(first, second, strict=True):
            left, right = self.cells.read(a, span), self.cells.read(b, span)
            self.cells.write(a, right, span)
            self.cells.write(b, left, span)

    def _fence(self, before: Contents, span: Span) -> None:
        """Let no later store go to memory before those that are there."""
        for slot, field in sorted({(k, f) for q in before for k, f in enumerate(q)}, key=_at):
            pending = self.cells.read(BufferCell(slot, "pending", field), span)
            self.cells.write(BufferCell(slot, "fenced", field), pending, span)

    def _load(self, instr: Read, before: Contents, span: Span) -> None:
        """Take the youngest entry for the location, and look into memory if there is none."""
        value: Expr | None = None
        found: Expr = FALSE
        for slot in range(self.buffering.capacity):
            if any(q[slot : slot + 1] == (instr.field,) for q in before):
                here = self._matches(slot, instr, span)
                mine = self.cells.read(BufferCell(slot, "value", instr.field), span)
                value = mine if value is None else Ite(here, mine, value, mine.type)
                found = convert.disjoin_conditions(found, here)
        if value is None:
            self.emitter.emit(instr)
            return
        forwarded, memory, end = (self.emitter.label() for _ in range(3))
        self.emitter.branch(found, forwarded, memory, span)
        self.emitter.place(forwarded)
        self.emitter.emit(
            Access(instr.field, instr.index, value, write=False, mode=instr.mode, span=span)
        )
        self.emitter.emit(Assign(instr.target, value, span))
        self.emitter.jump(end, span)
        self.emitter.place(memory)
        self.emitter.emit(instr)
        self.emitter.place(end)

    def _matches(self, slot: int, instr: Read | TryAcquire, span: Span) -> Expr:
        pending = self.cells.read(BufferCell(slot, "pending", instr.field), span)
        if instr.index is None:
            return pending
        index = self.cells.read(BufferCell(slot, "index", instr.field), span)
        return Binary("&", pending, Binary("==", index, instr.index, BOOL), BOOL)

    # Locks -----------------------------------------------------------------------------------

    def _unlock(self, instr: Release, before: Contents, span: Span) -> None:
        """Put an unlock into the buffer, but make it at once where it would not stay there."""
        before = self._make_room(before, span)
        end = self.emitter.label()
        if instr.field in self.buffering.waited and before >= EMPTY:
            empty = self._where(self._occupied(0, before), span)
            self._issue(instr, before - EMPTY, span)
            self.emitter.jump(end, span)
            self.emitter.place(empty)
            self.emitter.emit(instr)
        else:
            self._issue(instr, before, span)
        self.emitter.place(end)

    def _issue(self, instr: Release, before: Contents, span: Span) -> None:
        if before:
            self.emitter.emit(replace(instr, freeing=Freeing.ISSUED))
            self._append(instr, before, span)

    def _try(self, instr: TryAcquire, before: Contents, lost: Label | None, span: Span) -> None:
        """Look whether a lock is free and fail if not, else try with an empty buffer.

        `lost` is where a failed attempt leads, None if just behind it.
        """
        end = self.emitter.label()
        if any(before):
            attempt, failed, free = (self.emitter.label() for _ in range(3))
            self._unless_empty(before, attempt, span)
            own = self._where_not(self._own_unlock(instr, before, span), span)
            available = self.emitter.temp(BOOL)
            self.emitter.emit(
                Available(available, instr.field, instr.index, instr.shared, instr.span)
            )
            self.emitter.branch(Var(available), free, failed, span)
            self.emitter.place(failed)
            self.emitter.assign(instr.target, FALSE, span)
            self.emitter.jump(end if lost is None else lost, span)
            self.emitter.place(free)
            self.emitter.place(own)
            self._drain_all(before, span)
            self.emitter.place(attempt)
        self.emitter.emit(instr)
        self.emitter.place(end)

    def _lost(self, at: int) -> Label | None:
        """Return where an attempt leads that fails, where a branch just behind it says so."""
        match self.operation.code[at + 1]:
            case Branch(_, then, otherwise) if (at + 1, then) in self.tried:
                return self.rewriter.labels[otherwise]
            case _:
                return None

    def _own_unlock(self, instr: TryAcquire, before: Contents, span: Span) -> Expr:
        """Return the condition that the buffer holds an unlock of the lock."""
        found: Expr = FALSE
        for slot in range(self.buffering.capacity):
            if any(q[slot : slot + 1] == (instr.field,) for q in before):
                found = convert.disjoin_conditions(found, self._matches(slot, instr, span))
        return found

    # Drains ----------------------------------------------------------------------------------

    def _drain_all(self, contents: Contents, span: Span) -> None:
        end = self.emitter.label()
        while any(contents):
            self._unless_empty(contents, end, span)
            self._drain(contents, span)
            contents = self.buffering.popped(contents)
        self.emitter.place(end)

    def _drain_some(self, contents: Contents, span: Span) -> None:
        end = self.emitter.label()
        while any(contents):
            self._unless_empty(contents, end, span)
            self._pick(end, span)
            self._drain(contents, span)
            contents = self.buffering.popped(contents)
        self.emitter.place(end)

    def _unless_empty(self, contents: Contents, end: Label, span: Span) -> None:
        self._go_on(self._occupied(0, contents), end, span)

    def _drain(self, contents: Contents, span: Span) -> None:
        """Let the oldest entry go to memory, where there is one, and unlocks that settle then."""
        self.emitter.emit(Drain(span))
        self._pop(frozenset(q for q in contents if q), span)

    def _pop(self, contents: Contents, span: Span) -> None:
        """Let the oldest entry go to memory, if any where `contents` has an empty queue."""
        end = self.emitter.label()
        heads = sorted({q[0] for q in contents if q}, key=_name)
        for field in heads:
            sure = field == heads[-1] and EMPTY.isdisjoint(contents)
            pending = TRUE if sure else self.cells.read(BufferCell(0, "pending", field), span)
            other = self._where(pending, span)
            self._to_memory(field, span)
            here = frozenset(q for q in contents if q[:1] == (field,))
            self._shift(here, span)
            self._settle(frozenset(q[1:] for q in here), span)
            self.emitter.jump(end, span)
            self.emitter.place(other)
        self.emitter.place(end)

    def _settle(self, contents: Contents, span: Span) -> None:
        """Let the oldest entry go to memory where it is an unlock that need not wait there."""
        waited = self.buffering.waited
        unlocks = frozenset(q for q in contents if q and q[0] in waited)
        if unlocks:
            self._pop(unlocks if unlocks == contents else unlocks | EMPTY, span)

    def _to_memory(self, field: Field, span: Span) -> None:
        index = None
        if field.scope is FieldScope.VCPU:
            index = self.cells.read(BufferCell(0, "index", field), span)
        where = self.stores.get(field, span)
        if isinstance(field.type, LockWord):
            safe = field.name in self.reliable
            freeing = Freeing.DRAINED if safe else Freeing.OVERWRITTEN
            self.emitter.emit(Release(field, index, shared=False, span=where, freeing=freeing))
            return
        value = self.cells.read(BufferCell(0, "value", field), span)
        self.emitter.emit(Write(field, index, value, Mode.DRAIN, where))

    def _shift(self, contents: Contents, span: Span) -> None:
        """Move every entry to the place of the one before it."""
        fields = sorted({f for q in contents for f in q}, key=_name)
        for slot in range(max(map(len, contents))):
            for field in fields:
                moves = any(q[slot + 1 : slot + 2] == (field,) for q in contents)
                clears = any(q[slot] == field for q in contents if len(q) > slot)
                for cell in self._entry(slot, field):
                    if moves:
                        behind = replace(cell, slot=slot + 1)
                        self.cells.write(cell, self.cells.read(behind, span), span)
                    elif clears:
                        self.cells.clear(cell, span)

    # Conditions ------------------------------------------------------------------------------

    def _occupied(self, slot: int, contents: Contents) -> Expr:
        """Return the condition that there is an entry at a slot."""
        if all(len(q) > slot for q in contents):
            return TRUE
        found: Expr = FALSE
        for field in sorted({q[slot] for q in contents if len(q) > slot}, key=_name):
            flag = self.cells.read(BufferCell(slot, "pending", field), self.operation.span)
            found = convert.disjoin_conditions(found, flag)
        return found

    def _where(self, condition: Expr, span: Span) -> Label:
        """Let what follows happen where a condition holds; return the label of where it fails."""
        otherwise = self.emitter.label()
        self._go_on(condition, otherwise, span)
        return otherwise

    def _go_on(self, condition: Expr, otherwise: Label, span: Span) -> None:
        """Let what follows happen where a condition holds; go elsewhere where it does not."""
        if condition != TRUE:
            going = self.emitter.label()
            self.emitter.branch(condition, going, otherwise, span)
            self.emitter.place(going)

    def _where_not(self, condition: Expr, span: Span) -> Label:
        """Let what follows happen where a condition fails; return the label of where it holds."""
        holds = self.emitter.label()
        if condition != FALSE:
            going = self.emitter.label()
            self.emitter.branch(condition, holds, going, span)
            self.emitter.place(going)
        return holds


def _made(instr: Write, span: Span) -> Access:
    return Access(instr.field, instr.index, instr.value, write=True, mode=instr.mode, span=span)


def _part(cell: BufferCell, instr: Write | Release) -> Expr:
    match cell.part:
        case "pending":
            return TRUE
        case "fenced":
            return FALSE
        case "value":
            assert isinstance(instr, Write)
            return instr.value
        case "index":
            assert instr.index is not None
            return instr.index


def _name(field: Field) -> str:
    return field.name


def _at(entry: tuple[int, Field]) -> tuple[int, str]:
    return entry[0], entry[1].name

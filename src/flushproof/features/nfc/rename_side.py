"""One variant's code with names of its own, its locks turned into counters.

Operations are taken one after the other, so a lock that is not free when it is wanted never will
be: the call hangs. A counter says this where a lock would leave the whole step undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import map_expr, map_operands
from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import (
    Acquire,
    Assign,
    BeginAtomic,
    Binary,
    Branch,
    Check,
    Const,
    EndAtomic,
    Enter,
    Exchange,
    Expr,
    Fence,
    Field,
    Havoc,
    Hypercall,
    Instr,
    Ite,
    Jump,
    Local,
    Mode,
    Read,
    Release,
    Return,
    Stop,
    StoreFence,
    TryAcquire,
    Uninit,
    Var,
    Write,
)
from flushproof.ir.program import Operation
from flushproof.ir.rewrite import CodeRewriter
from flushproof.ir.types import BOOL, INT, LockWord
from flushproof.support.errors import InternalError
from flushproof.support.record import Record, replace

WRITTEN = -1
"""The counter of a lock that is held alone; else it counts readers."""


class SideNames(Record, frozen=True):
    """Names of one side: `side` is "old" or "new"."""

    side: str

    def local(self, x: Local) -> Local:
        """Return the local that stands for one of the variant."""
        return replace(x, name=f"{x.name}@{self.side}")

    def field(self, f: Field) -> Field:
        """Return the field that stands for one of the variant; a lock becomes a counter."""
        t = INT if isinstance(f.type, LockWord) else f.type
        return replace(f, name=f"{f.name}@{self.side}", label=f"{self.side} {f.label}", type=t)


class SideWatcher(Protocol):
    """What is to be told of a side's code: it emits the instruction, and more about it."""

    def hypercall(self, i: Hypercall) -> None:
        """Take note of a hypercall, in the names of the side."""

    def havoc(self, i: Havoc) -> None:
        """Take note of a free choice, in the names of the side."""

    def returned(self, value: Expr | None) -> None:
        """Take note of the value that is returned."""


class Ends(Record, frozen=True):
    """Where a side's code goes on: after it returned, or where it would wait for ever."""

    done: Label
    hangs: Label


def emit_operation(
    emitter: Emitter, operation: Operation, names: SideNames, watcher: SideWatcher, e: Ends
) -> None:
    """Emit one operation's code."""
    _Side(emitter, operation, names, watcher, e).run()


def place_part(
    emitter: Emitter,
    operation: Operation,
    names: SideNames,
    watcher: SideWatcher,
    e: Ends,
    start: int,
    stops: Mapping[int, Label],
) -> None:
    """Emit the code from `start` on, as far as to the positions `stops`, which are elsewhere."""
    _Side(emitter, operation, names, watcher, e).run_from(start, stops)


class _Side:
    """One operation being copied."""

    def __init__(
        self,
        emitter: Emitter,
        operation: Operation,
        names: SideNames,
        watcher: SideWatcher,
        ends: Ends,
    ) -> None:
        self.emitter = emitter
        self.operation = operation
        self.names = names
        self.watcher = watcher
        self.ends = ends
        self.rewriter = CodeRewriter(emitter, operation.code)

    def run(self) -> None:
        self.rewriter.rewrite_all(lambda _at, instr: self._instr(instr))

    def run_from(self, start: int, stops: Mapping[int, Label]) -> None:
        code = self.operation.code
        begin = self.emitter.label()
        self.emitter.jump(begin, None)
        for at in sorted(_reached(code, start, stops)):
            self.emitter.place(self.rewriter.labels[at])
            if at in stops:
                self.emitter.jump(stops[at], None)
            if at == start:
                self.emitter.place(begin)
            if at == start or at not in stops:
                self._instr(code[at])

    def _instr(self, instr: Instr) -> None:
        i = map_operands(instr, lambda x: Var(self.names.local(x)))
        match i:
            case Write(field) if field.ghost:
                pass
            case Assign() | Read() | Write() | Exchange() | Check():
                self._wait(i)
                self.emitter.emit(self._renamed(i))
            case Acquire() | TryAcquire() | Release():
                self._lock(i)
            case Hypercall(target):
                self.watcher.hypercall(replace(i, target=self.names.local(target)))
            case Havoc(target):
                self.watcher.havoc(replace(i, target=self.names.local(target)))
            case Return(value):
                self.watcher.returned(value)
            case Jump() | Branch():
                self.rewriter.keep(i)
            case Stop():
                self.emitter.jump(self.ends.done, None)
            case StoreFence() | Enter() | Fence() | Uninit() | BeginAtomic() | EndAtomic():
                pass
            case _:
                raise InternalError(f"no code of a variant: {i!r}")

    def _renamed(self, i: Assign | Read | Write | Exchange | Check) -> Instr:
        match i:
            case Assign(target):
                return replace(i, target=self.names.local(target))
            case Read(target, field):
                return replace(
                    i,
                    target=self.names.local(target),
                    field=self.names.field(field),
                    mode=_alone(i.mode),
                    until=None,
                )
            case Write(field):
                return replace(i, field=self.names.field(field), mode=_alone(i.mode))
            case Check():
                return i
            case Exchange(target, field, old=old):
                kept = None if old is None else self.names.local(old)
                value = map_expr(i.value, lambda x: Var(x if x != old or not kept else kept))
                return replace(
                    i,
                    target=self.names.local(target),
                    field=self.names.field(field),
                    value=value,
                    old=kept,
                    until=None,
                )

    def _wait(self, i: Instr) -> None:
        """Go on only where an access finds what it waits for; else the call hangs."""
        if not isinstance(i, (Read, Exchange)) or i.until is None:
            return
        found = self.emitter.temp(i.until.seen.type)
        field, seen = self.names.field(i.field), i.until.seen
        self.emitter.emit(Read(found, field, i.index, Mode.GHOST, i.span))
        go_on = self.emitter.label()
        condition = map_expr(i.until.condition, lambda x: Var(found if x == seen else x))
        self.emitter.branch(condition, go_on, self.ends.hangs, i.span)
        self.emitter.place(go_on)

    # Locks -----------------------------------------------------------------------------------

    def _lock(self, i: Acquire | TryAcquire | Release) -> None:
        counter = self.names.field(i.field)
        word = self.emitter.temp(INT)
        self.emitter.emit(Read(word, counter, i.index, Mode.GHOST, i.span))
        now = Var(word)
        free = _compare(">=" if i.shared else "==", now, 0)
        taken = _plus(now, 1) if i.shared else Const(WRITTEN, INT)
        match i:
            case Acquire():
                go_on = self.emitter.label()
                self.emitter.branch(free, go_on, self.ends.hangs, i.span)
                self.emitter.place(go_on)
                after: Expr = taken
            case TryAcquire(target):
                self.emitter.assign(self.names.local(target), free, i.span)
                after = Ite(free, taken, now, INT)
            case Release():
                after = _freed(now, shared=i.shared)
        self.emitter.emit(Write(counter, i.index, after, Mode.GHOST, i.span))


def _alone(mode: Mode) -> Mode:
    """Return the mode of an access where no blocks are kept: a call as a whole is one step."""
    return Mode.PLAIN if mode is Mode.ATOMIC else mode


def _reached(code: tuple[Instr, ...], start: int, stops: Mapping[int, Label]) -> frozenset[int]:
    """Return the positions that are reached from `start`, those of `stops` included."""
    found = {start}
    work = [start]
    while work:
        at = work.pop()
        for to in successor_positions(code, at):
            if to not in found:
                found.add(to)
                if to not in stops:
                    work.append(to)
    return frozenset(found)


def _freed(now: Expr, *, shared: bool) -> Expr:
    if shared:
        return Ite(_compare(">", now, 0), _plus(now, -1), now, INT)
    return Ite(_compare("==", now, WRITTEN), Const(0, INT), now, INT)


def _compare(op: str, e: Expr, value: int) -> Expr:
    match op:
        case ">=":
            return Binary(">=", e, Const(value, INT), BOOL)
        case ">":
            return Binary(">", e, Const(value, INT), BOOL)
        case _:
            return Binary("==", e, Const(value, INT), BOOL)


def _plus(e: Expr, value: int) -> Expr:
    return Binary("+", e, Const(value, INT), INT)


def list_lock_counters(operations: tuple[Operation, ...], names: SideNames) -> Iterator[Field]:
    """Yield the counters of a side, each once."""
    found: dict[str, Field] = {}
    for i in (i for o in operations for i in o.code):
        if isinstance(i, (Acquire, TryAcquire, Release)):
            found.setdefault(i.field.name, names.field(i.field))
    yield from (found[k] for k in sorted(found))

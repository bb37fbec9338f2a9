"""What happens in a counterexample, event by event, as a C program can be made to repeat it.

In: an instrumented program and a counterexample. Out: the calls, and the events in their order.
The interpreter runs the counterexample again, an instruction at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.interpreter import interpreter
from flushproof.engines.interpreter.interpreter import Location, Thread
from flushproof.engines.schedule import Call
from flushproof.ir.code import (
    Access,
    Acquire,
    Assign,
    BeginAtomic,
    CallWitness,
    Drain,
    EndAtomic,
    Enter,
    Exchange,
    Fence,
    Havoc,
    Hypercall,
    Instr,
    Local,
    Mode,
    Read,
    Release,
    Return,
    StoreFence,
    TryAcquire,
    Write,
)
from flushproof.ir.program import BYSTANDERS, Operation, Program
from flushproof.support.record import Record
from flushproof.support.source import Span

PLAIN = ("READ", "WRITE")


class ProgramEvent(Record, frozen=True):
    """One thing that one thread does; `kind` is one of those of `before.c`, `value` its result."""

    thread: int
    call: int
    kind: str
    location: Location | None = None
    value: int = 0
    span: Span | None = None
    root: int | None = None

    @property
    def plain(self) -> bool:
        """Tell whether this is a plain access, at which C code does not stop by itself."""
        return self.kind in PLAIN


class Happened(Record, frozen=True):
    """All that happens; `chosen` names the call witnesses that a call of a thread is.

    `ahead` are the plain accesses of operations in which a thread is left, one of which it stands
    before.
    """

    calls: Mapping[tuple[int, int], Call]
    events: tuple[ProgramEvent, ...]
    chosen: Mapping[tuple[int, int], frozenset[str]]
    witnesses: Mapping[str, int]
    vcpus: int
    ahead: frozenset[Span]


def collect_events(program: Program, found: Counterexample) -> Happened:
    """Run a counterexample and note its events."""
    return _Recorder(program, found).run()


class _Recorder:
    def __init__(self, program: Program, found: Counterexample) -> None:
        self.program = program
        self.found = found
        self.state = interpreter.initial_state(program, found.schedule)
        self.events: list[ProgramEvent] = []
        self.chosen: dict[tuple[int, int], set[str]] = {}
        self.calls: dict[tuple[int, int], Call] = {}

    def run(self) -> Happened:
        for position in self.found.schedule.order:
            thread = self.state.threads[position]
            self._step(thread)
            if self.state.violations:
                self._finish(thread)
                break
        return Happened(
            self.calls,
            tuple(self.events),
            {k: frozenset(v) for k, v in self.chosen.items()},
            self.found.schedule.witnesses,
            self.found.schedule.vcpus,
            self._ahead(self.found.schedule.order[-1:]),
        )

    def _ahead(self, last: Sequence[int]) -> frozenset[Span]:
        threads = enumerate(self.state.threads)
        left = (t for k, t in threads if k not in last and not self._ghostly(t))
        code = (i for t in left if t.operation is not None for i in t.operation.code)
        return frozenset(
            i.span
            for i in code
            if isinstance(i, Read | Write) and i.span is not None and _kind(i) in PLAIN
        )

    def _step(self, thread: Thread) -> None:
        while True:
            self._instruction(thread)
            done = thread.operation is None or bool(self.state.violations)
            if done or thread.pc in self.found.boundaries[_running(thread).name]:
                return

    def _finish(self, thread: Thread) -> None:
        """Go on to the event before which a claim failed, where it fails before one.

        What a counterexample does not choose any more may be anything.
        """
        count = len(self.events)
        thread.choices = chain(thread.choices, repeat(0))
        while thread.operation is not None and len(self.events) == count:
            instr = thread.operation.code[thread.pc]
            try:
                self._instruction(thread)
            except interpreter.Stuck as stuck:
                self._add(thread, instr, _kind(instr), stuck.location)

    def _instruction(self, thread: Thread) -> None:
        instr = None if thread.operation is None else thread.operation.code[thread.pc]
        before = len(self.state.happenings)
        interpreter.step_thread(self.state, thread, _each)
        if instr is None:
            name = thread.calls[thread.call].operation
            operation = next(o for o in self.program.operations if o.name == name)
            if operation.role not in BYSTANDERS:
                self.calls[thread.number, thread.call] = thread.calls[thread.call]
                self._add(thread, operation.code[0], "ENTER")
            return
        for h in self.state.happenings[before:]:
            self._note(thread, h)
        match instr:
            case Havoc(target) if not instr.from_claim:
                self._add(thread, instr, "ANYTHING", value=thread.locals[target])
            case Assign(Local(origin=CallWitness(claim, witness)) as target):
                if thread.locals[target] and claim == self.found.claim:
                    key = (thread.number, thread.call)
                    self.chosen.setdefault(key, set()).add(witness)
            case _:
                pass

    def _note(self, thread: Thread, h: interpreter.Happening) -> None:
        kind = _kind(h.instr)
        if isinstance(h.instr, Exchange) and h.instr.joined is not None:
            read = "READ_MARKED" if h.instr.joined is Mode.ONCE else "READ"
            self._add(thread, h.instr, read, h.location, h.before or 0)
        if kind:
            self._add(thread, h.instr, kind, h.location, h.value or 0, h.root)

    def _add(
        self,
        thread: Thread,
        instr: Instr,
        kind: str,
        location: Location | None = None,
        value: int = 0,
        root: int | None = None,
    ) -> None:
        if self._ghostly(thread):
            return
        self.events.append(
            ProgramEvent(thread.number, thread.call, kind, location, value, instr.span, root)
        )

    def _ghostly(self, thread: Thread) -> bool:
        return (thread.number, thread.call) not in self.calls


def _each(operation: Operation) -> frozenset[int]:
    return frozenset(range(len(operation.code)))


def _running(thread: Thread) -> Operation:
    assert thread.operation is not None
    return thread.operation


def _kind(instr: Instr) -> str:
    """Name the event that an instruction is, "" for none."""
    match instr:
        case Read(_, f, _, mode) | Write(f, _, _, mode):
            return "" if f.ghost or mode is Mode.GHOST else _access(instr, mode)
        case Exchange():
            return "EXCHANGE"
        case Acquire():
            return "READ_LOCK" if instr.shared else "LOCK"
        case TryAcquire():
            return "TRY_READ_LOCK" if instr.shared else "TRY_LOCK"
        case Release():
            return "READ_UNLOCK" if instr.shared else "UNLOCK"
        case Hypercall():
            return "HYPERCALL"
        case Fence():
            return "FENCE"
        case Return():
            return "RETURN"
        case StoreFence() | Enter() | Access() | Drain() | BeginAtomic() | EndAtomic():
            return ""
        case _:
            raise TypeError(instr)


def _access(instr: Read | Write, mode: Mode) -> str:
    name = "READ" if isinstance(instr, Read) else "WRITE"
    return f"{name}_MARKED" if mode.marked else name

"""A reference machine with store buffers, and the states that code can end in.

`endings` runs plain code with buffers of any length, and woven code without any: stores, drains and
loads of the former are done here, the cells and choices of the latter are ordinary instructions.
Nothing of `flushproof.machine.buffers` is used.

If `unordered`, a store may leave a buffer before others to different locations, as under PSO.

It is the machine of Owens, Sarkar and Sewell, A Better x86 Memory Model: x86-TSO (TPHOLs 2009). A
lock is a location that holds its holder's number. An unlock by a store is a store of 0 to it. To
take it is one locked instruction; to try is to read it, as the thread sees it, and to make one
locked instruction if that was 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.engines.interpreter.evaluate import LocalValues, evaluate
from flushproof.engines.interpreter.interpreter import boot_memory
from flushproof.ir.code import (
    Access,
    Acquire,
    Assign,
    Available,
    Branch,
    Check,
    Drain,
    Enter,
    Exchange,
    Expr,
    Fence,
    Field,
    Freeing,
    Havoc,
    Instr,
    Jump,
    Local,
    Mode,
    Read,
    Release,
    Return,
    Stop,
    StoreFence,
    TryAcquire,
    Write,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import LockWord
from flushproof.support.record import Record, replace

LEAVING = -1
"""What woven code leaves in a lock while its unlock waits; it is held for others."""

Location = tuple[str, int | None]
Ending = tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]
"""What each thread's calls returned, and memory."""


class Entry(Record, frozen=True):
    """A store that waits, or a barrier (without a place); `last`: those before it leave first."""

    where: Location | None
    value: int = 0
    last: bool = False


class Thread(Record, frozen=True):
    """One thread: what it returned, its calls with the present one, where it is, its buffer."""

    number: int
    returned: tuple[int, ...]
    left: tuple[Operation, ...]
    pc: int = 0
    locals: tuple[tuple[Local, int], ...] = ()
    buffer: tuple[Entry, ...] = ()

    def __hash__(self) -> int:
        """Leave the code out, which is long."""
        return hash((self.number, self.returned, len(self.left), self.pc, self.locals, self.buffer))


class State(Record, frozen=True):
    """Memory in the order of the machine's locations, and the threads."""

    memory: tuple[int, ...]
    threads: tuple[Thread, ...]


class Machine:
    """All runs of a program on one vCPU and some flushers, a load thread and flusher threads."""

    def __init__(
        self,
        program: Program,
        flushers: int,
        calls: int,
        *,
        locks: bool = True,
        buffers: bool = True,
        unordered: bool = False,
    ) -> None:
        """Make a machine of which the endings tell of `locks` whether they are free, if at all.

        Without `buffers` plain code runs under sequential consistency.
        """
        self.native = buffers and program.limits is None
        self.unordered = unordered
        first = boot_memory(program, 1)
        self.cells = {where: at for at, where in enumerate(first)}
        names = {f.name for f in program.fields if isinstance(f.type, LockWord)}
        self.locks = {at for where, at in self.cells.items() if where[0] in names}
        hidden = {"runs_on"} if locks else {"runs_on", *names}
        self.shared = tuple(
            self.cells[w] for w in first if not w[0].startswith("buffer:") and w[0] not in hidden
        )
        loads, flushes = program.of(Role.LOAD), program.of(Role.FLUSH)
        plans = [loads[:1] * calls]
        plans += [(flushes[k % len(flushes)],) * calls for k in range(flushers)]
        threads = tuple(_begun(Thread(n, (), p)) for n, p in enumerate(plans))
        self.calls = calls
        self.first = State(tuple(first.values()), threads)

    def endings(self, *, drained: bool = False) -> frozenset[Ending]:
        """Return every state in which all calls have returned, or only those with empty buffers."""
        seen = {self.first}
        work = [self.first]
        out: set[Ending] = set()
        while work:
            state = work.pop()
            waiting = drained and any(t.buffer for t in state.threads)
            if not waiting and all(len(t.returned) == self.calls for t in state.threads):
                memory = tuple(self._shown(state, k) for k in self.shared)
                out.add((tuple(t.returned for t in state.threads), memory))
            for after in self._successors(state):
                if after not in seen:
                    seen.add(after)
                    work.append(after)
        return frozenset(out)

    def _shown(self, state: State, cell: int) -> int:
        """Return what a location holds, of a lock only whether it is free."""
        value = state.memory[cell]
        return int(value != 0) if cell in self.locks else value

    def _successors(self, state: State) -> Iterator[State]:
        """Yield what may come next; what nobody else notices comes first, alone."""
        for at, thread in enumerate(state.threads):
            if thread.left and self._private(thread.left[0].code[thread.pc]):
                yield from self._step(state, at, thread)
                return
        for at, thread in enumerate(state.threads):
            for k, entry in enumerate(thread.buffer):
                if entry.where is not None and self._may_leave(thread.buffer[:k], entry):
                    rest = _without_barrier((*thread.buffer[:k], *thread.buffer[k + 1 :]))
                    left = replace(thread, buffer=rest)
                    yield self._with(state, at, left, {entry.where: entry.value})
            if thread.left:
                yield from self._step(state, at, thread)

    def _may_leave(self, before: tuple[Entry, ...], entry: Entry) -> bool:
        """Tell whether an entry may go to memory while those before it wait."""
        if not self.unordered or entry.last:
            return not before
        return all(e.where not in (None, entry.where) for e in before)

    def _private(self, instr: Instr) -> bool:
        match instr:
            case Read(field=f) | Write(field=f) if f.ghost:
                return True
            case Write() | Release(freeing=Freeing.STORE):
                return self.native
            case Read() | Exchange() | Fence() | Acquire() | Release():
                return False
            case TryAcquire() | Available():
                return False
            case _:
                return True

    def _with(
        self, state: State, at: int, thread: Thread, changes: Mapping[Location, int]
    ) -> State:
        memory = list(state.memory)
        for where, value in changes.items():
            memory[self.cells[where]] = value
        threads = (*state.threads[:at], thread, *state.threads[at + 1 :])
        return State(tuple(memory), threads)

    def _step(self, state: State, at: int, thread: Thread) -> Iterator[State]:
        instr = thread.left[0].code[thread.pc]
        on = replace(thread, pc=thread.pc + 1)
        env = LocalValues(dict(thread.locals), 1, thread.number + 1)
        if self.native and _locked(instr) and on.buffer:
            return
        match instr:
            case Stop():
                yield self._with(state, at, _begun(replace(thread, left=thread.left[1:])), {})
            case Return(value):
                result = 0 if value is None else evaluate(value, env)
                ended = replace(on, returned=(*thread.returned, result))
                yield self._with(state, at, ended, {})
            case Jump(target):
                yield self._with(state, at, replace(thread, pc=target), {})
            case Branch(condition, then, otherwise):
                to = then if evaluate(condition, env) else otherwise
                yield self._with(state, at, replace(thread, pc=to), {})
            case Havoc(target):
                for choice in (0, 1):
                    yield self._with(state, at, _assigned(on, target, choice), {})
            case Assign(target, value):
                yield self._with(state, at, _assigned(on, target, evaluate(value, env)), {})
            case _:
                yield from self._shared(state, at, on, instr, env)

    def _shared(
        self, state: State, at: int, on: Thread, instr: Instr, env: LocalValues
    ) -> Iterator[State]:
        match instr:
            case Read(target, f, index):
                where = _location(f, index, env)
                own = [e.value for e in on.buffer if e.where == where]
                value = own[-1] if own else state.memory[self.cells[where]]
                yield self._with(state, at, _assigned(on, target, value), {})
            case Write(f, index, value, mode):
                where, new = _location(f, index, env), evaluate(value, env)
                if self.native:
                    entry = Entry(where, new, last=mode is Mode.RELEASE)
                    yield self._with(state, at, _buffered(on, entry), {})
                else:
                    yield self._with(state, at, on, {where: new})
            case Exchange(target, f, index, None, value):
                where = _location(f, index, env)
                old = state.memory[self.cells[where]]
                yield self._with(
                    state, at, _assigned(on, target, old), {where: evaluate(value, env)}
                )
            case Acquire() | TryAcquire() | Available() | Release():
                yield from self._lock(state, at, on, instr, env)
            case StoreFence() if self.native and on.buffer:
                yield self._with(state, at, _buffered(on, Entry(None)), {})
            case Access() | Check() | Drain() | Enter() | Fence() | StoreFence():
                yield self._with(state, at, on, {})
            case _:
                raise AssertionError(instr)

    def _lock(  # noqa: C901 - a table of all instructions that touch locks
        self,
        state: State,
        at: int,
        on: Thread,
        instr: Acquire | TryAcquire | Available | Release,
        env: LocalValues,
    ) -> Iterator[State]:
        where = _location(instr.field, instr.index, env)
        word = state.memory[self.cells[where]]
        match instr:
            case Acquire():
                if not word:
                    yield self._with(state, at, on, {where: on.number + 1})
            case TryAcquire(target):
                seen = [e.value for e in on.buffer if e.where == where][-1:] or [word]
                if seen[0]:
                    yield self._with(state, at, _assigned(on, target, 0), {})
                elif not on.buffer:
                    yield self._with(state, at, _assigned(on, target, 1), {where: on.number + 1})
            case Available(target):
                yield self._with(state, at, _assigned(on, target, int(not word)), {})
            case Release(freeing=Freeing.STORE) if self.native:
                yield self._with(state, at, _buffered(on, Entry(where, last=True)), {})
            case Release(freeing=Freeing.ISSUED):
                yield self._with(state, at, on, {where: LEAVING} if word else {})
            case Release(freeing=Freeing.DRAINED):
                assert word == LEAVING, "only holders free the lock"
                yield self._with(state, at, on, {where: 0})
            case Release():
                yield self._with(state, at, on, {where: 0})


def _buffered(thread: Thread, entry: Entry) -> Thread:
    return replace(thread, buffer=(*thread.buffer, entry))


def _without_barrier(buffer: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return what is left where a barrier does not matter that nothing comes before."""
    while buffer and buffer[0].where is None:
        buffer = buffer[1:]
    return buffer


def _locked(instr: Instr) -> bool:
    match instr:
        case Exchange() | Fence() | Acquire() | Release(freeing=Freeing.LOCKED):
            return True
        case _:
            return False


def _begun(thread: Thread) -> Thread:
    given = {p: 0 for o in thread.left[:1] for p in o.parameters.all}
    return replace(thread, pc=0, locals=tuple(given.items()))


def _assigned(thread: Thread, target: Local, value: int) -> Thread:
    values = {**dict(thread.locals), target: value}
    return replace(thread, locals=tuple(sorted(values.items(), key=lambda e: e[0].name)))


def _location(f: Field, index: Expr | None, env: LocalValues) -> Location:
    return f.name, None if index is None else evaluate(index, env)

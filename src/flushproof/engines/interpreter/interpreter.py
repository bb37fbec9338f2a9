"""The interpreter: plain integers, one thread step at a time. It knows nothing of solvers.

A step begins at a boundary position of the code and ends before the next one, so the caller's
choice of boundaries is the granularity of interleaving.

Lemma L29 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import assert_never

from flushproof.engines.interpreter import lock_word
from flushproof.engines.interpreter.evaluate import LocalValues, evaluate
from flushproof.engines.schedule import Call, Schedule
from flushproof.ir.analysis.def_use import locals_of
from flushproof.ir.code import (
    LOCKS,
    Access,
    Acquire,
    Assert,
    Assign,
    Available,
    BeginAtomic,
    Branch,
    Check,
    Drain,
    EndAtomic,
    Enter,
    Every,
    Exchange,
    Expr,
    Fence,
    Field,
    FieldScope,
    Freeing,
    Havoc,
    Holds,
    Hypercall,
    Instr,
    Jump,
    Local,
    Read,
    Release,
    Return,
    Stop,
    StoreFence,
    TryAcquire,
    Uninit,
    Until,
    Write,
)
from flushproof.ir.program import BOOT_VCPU, Operation, Program, Role
from flushproof.ir.types import NO_VCPU, LockWord
from flushproof.support.record import Record, field

Location = tuple[str, int | None]
"""A field's name and a vCPU number; None for what there is once, as in instructions."""

FUEL = 1_000_000
"""So many instructions a step may have; loops that wait or do not count have a step a round."""


DECISIONS = 10_000
"""So many branches are noted; a counterexample for a reader has far fewer."""


class Stuck(Exception):  # noqa: N818 - what became of the thread; waiting is no error
    """The thread cannot step: it waits for a lock or for another value (`location`)."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self.location = location


class Undefined(Exception):  # noqa: N818 - what the code did, named as C names it
    """The code did something that C leaves undefined."""

    def __init__(self, text: str, instr: Instr) -> None:
        super().__init__(text)
        self.text = text
        self.instr = instr


class Endless(Undefined):
    """A step takes more instructions than are made, so what the code does is not known."""


class GoesOn(Exception):  # noqa: N818 - what became of the run; it is no deadlock
    """A deadlock was announced, or the end of everything, and some thread can go on or is not."""


class Wait(Record, frozen=True):
    """A thread that waits at `instr`, for a lock which thread number `holder` holds.

    It has no holder where it waits for another value than `found`.
    """

    thread: int
    call: int
    operation: str
    instr: Acquire | Read | Exchange
    location: Location
    holder: int | None
    found: int


class Happening(Record, frozen=True):
    """One executed instruction that a reader may want to know of.

    `value` is what was read, written or returned, or the hypercall's result; `before` what a
    location held; `root` the hypercall's root, `reach` whether it is of everything, the start and
    the number of pages. `kept`: an exchange found another value than it compares with.
    """

    step: int
    thread: int
    call: int
    operation: str
    instr: Instr
    location: Location | None = None
    value: int | None = None
    before: int | None = None
    root: int | None = None
    reach: tuple[int, int, int] | None = None
    kept: bool = False

    @property
    def writes(self) -> bool:
        """Tell whether the code writes to the location here, if only what it held before."""
        match self.instr:
            case Write():
                return True
            case Exchange():
                return not self.kept
            case Access(write=write):
                return write
            case _:
                return False


class Decision(Record, frozen=True):
    """A branch that was taken: its condition's locals, and how much had happened before it."""

    thread: int
    call: int
    operation: str
    instr: Branch
    then: bool
    values: Mapping[Local, int]
    at: int


class Violation(Record, frozen=True):
    """A failed assertion of a claim, with the named values of its handler."""

    claim: str
    instr: Assert
    values: Mapping[str, int]
    step: int
    thread: int
    call: int


class Thread(Record):
    """One thread's control state; `operation` is None between calls."""

    number: int
    calls: tuple[Call, ...]
    call: int = -1
    operation: Operation | None = None
    pc: int = 0
    locals: dict[Local, int] = field(default_factory=dict)
    choices: Iterator[int] = field(default_factory=lambda: iter(()))


class State(Record):
    """A running machine."""

    program: Program
    vcpus: int
    memory: dict[Location, int]
    locks: tuple[Location, ...]
    threads: list[Thread]
    happenings: list[Happening] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    waits: tuple[Wait, ...] = ()
    steps: int = 0
    decisions: list[Decision] = field(default_factory=list)
    """Noted where `deciding`."""
    deciding: bool = False


def boot_memory(program: Program, vcpus: int) -> dict[Location, int]:
    """Return the memory before the first operation."""
    memory = {x: 0 for f in program.fields for x in field_locations(f, vcpus)}
    for f, value in program.boot:
        for where in field_locations(f, vcpus):
            memory[where] = boot_value_at(value, where, vcpus)
    return memory


def boot_value_at(value: Expr, where: Location, vcpus: int) -> int:
    """Return what a location holds at boot; `value` may speak of the vCPU whose it is."""
    vcpu = NO_VCPU if where[1] is None else where[1]
    return evaluate(value, LocalValues({BOOT_VCPU: vcpu}, vcpus))


def field_locations(f: Field, vcpus: int) -> tuple[Location, ...]:
    """Every location of a field."""
    if f.scope is FieldScope.VM:
        return ((f.name, None),)
    return tuple((f.name, v) for v in range(vcpus))


def lock_locations(program: Program, vcpus: int) -> tuple[Location, ...]:
    """Every lock, in the order of the bits of a lock set."""
    return tuple(x for f in _locks(program) for x in field_locations(f, vcpus))


def _locks(program: Program) -> Iterator[Field]:
    return (f for f in program.fields if isinstance(f.type, LockWord))


def initial_state(program: Program, schedule: Schedule) -> State:
    """Return the boot state of a schedule."""
    memory = boot_memory(program, schedule.vcpus)
    for f in program.witnesses:
        memory[f.name, None] = schedule.witnesses.get(f.name, 0)
    threads = [Thread(p.number, p.calls) for p in schedule.plans]
    locks = lock_locations(program, schedule.vcpus)
    return State(program, schedule.vcpus, memory, locks, threads)


def replay(
    program: Program, schedule: Schedule, boundaries: Callable[[Operation], frozenset[int]]
) -> State:
    """Run a schedule to its end, or until just after the first violation.

    Raises:
        Stuck: a scheduled thread waits for a lock.
        Undefined: the code did something undefined.
        GoesOn: the schedule calls a state a deadlock or the end that is none.
    """
    state = initial_state(program, schedule)
    state.deciding = True
    for position in schedule.order:
        thread = state.threads[position]
        if _announces(state, thread, Role.DEADLOCK):
            state.waits = pending_waits(state)
        if _announces(state, thread, Role.END) and any(t.operation for t in state.threads):
            raise GoesOn
        step_thread(state, thread, boundaries, to_violation=True)
        if state.violations:
            break
    return state


def _announces(state: State, thread: Thread, role: Role) -> bool:
    """Tell whether the next step of a thread is that of claims about deadlocks, or the end."""
    if thread.operation is not None:
        return False
    names = {o.name for o in state.program.of(role)}
    return any(c.operation in names for c in thread.calls[thread.call + 1 :])


def pending_waits(state: State) -> tuple[Wait, ...]:
    """Return for what each thread that is in a call waits.

    Raises:
        GoesOn: one of them does not wait, or no thread is in a call.
        Undefined: a thread takes the lock of a vCPU that does not exist.
    """
    waits = tuple(_wait(state, t, t.operation) for t in state.threads if t.operation is not None)
    if not waits:
        raise GoesOn
    return waits


def _wait(state: State, thread: Thread, operation: Operation) -> Wait:
    instr = operation.code[thread.pc]
    if not isinstance(instr, (Acquire, Read, Exchange)):
        raise GoesOn
    env = _values(state, thread)
    where = _location(instr.field, instr.index, env, instr)
    word = state.memory[where]
    holder = None
    if isinstance(instr, Acquire):
        goes_on = lock_word.is_available(word, shared=instr.shared)
        holder = None if goes_on else lock_word.a_holder(word)
    else:
        goes_on = _ends_wait(instr.until, word, env)
    if goes_on:
        raise GoesOn
    return Wait(thread.number, thread.call, operation.name, instr, where, holder, word)


def _ends_wait(until: Until | None, value: int, env: LocalValues) -> bool:
    """Tell whether an access need not wait for another value than it finds."""
    return until is None or bool(evaluate(until.condition, _with_local(env, until.seen, value)))


def step_thread(
    state: State,
    thread: Thread,
    boundaries: Callable[[Operation], frozenset[int]],
    *,
    to_violation: bool = False,
    fuel: int = FUEL,
) -> None:
    """Let one thread make one step, or with `to_violation` what comes before a claim fails.

    Raises:
        Stuck: it waits.
        Undefined: the code did something undefined.
        Endless: the step has more than `fuel` instructions.
    """
    if thread.operation is None:
        _begin(state, thread)
    state.steps += 1
    for _ in range(fuel):
        operation = thread.operation
        assert operation is not None
        instr = operation.code[thread.pc]
        thread.pc = _execute(state, thread, instr)
        if isinstance(instr, Stop):
            thread.operation = None
            return
        if thread.pc in boundaries(operation) or (to_violation and state.violations):
            return
    raise Endless("a loop does not end", instr)


def _begin(state: State, thread: Thread) -> None:
    thread.call += 1
    call = thread.calls[thread.call]
    thread.operation = next(o for o in state.program.operations if o.name == call.operation)
    thread.pc = 0
    thread.locals = {p: call.arguments[p.name] for p in thread.operation.parameters.all}
    thread.choices = iter(call.choices)


def _values(state: State, thread: Thread) -> LocalValues:
    held = partial(lock_set, state, thread.number)
    return LocalValues(
        thread.locals, state.vcpus, thread.number + 1, held, partial(_all_free, state)
    )


def _all_free(state: State) -> bool:
    return all(state.memory[x] == lock_word.FREE for x in state.locks)


def lock_set(state: State, thread: int) -> int:
    """Return the set of locks a thread holds, as `HeldLocks` gives it."""
    total = 0
    for k, x in enumerate(state.locks):
        word = state.memory[x]
        total |= lock_word.is_holder_or_reader(word, thread) << k | lock_word.is_sole_holder(
            word, thread
        ) << (LOCKS + k)
    return total


def _execute(state: State, thread: Thread, instr: Instr) -> int:
    """Execute one instruction; return the next position."""
    env = _values(state, thread)
    try:
        return _dispatch(state, thread, instr, env)
    except ZeroDivisionError as error:
        text = "division by zero or an oversized shift"
        raise Undefined(text, instr) from error


def _dispatch(  # noqa: C901, PLR0912 - a table of all instructions
    state: State, thread: Thread, instr: Instr, env: LocalValues
) -> int:
    after = thread.pc + 1
    match instr:
        case Assign(target, value):
            thread.locals[target] = evaluate(value, env)
        case Read() | Write() | Exchange():
            _access(state, thread, instr, env)
        case Access(f, index, value):
            where = _location(f, index, env, instr)
            _note(state, thread, instr, where, evaluate(value, env))
        case Acquire() | TryAcquire() | Available() | Release():
            _lock(state, thread, instr, env)
        case Holds(target):
            word = state.memory[_location(instr.field, instr.index, env, instr)]
            test = lock_word.is_sole_holder if instr.sole else lock_word.is_holder_or_reader
            thread.locals[target] = int(test(word, thread.number))
        case Hypercall():
            _hypercall(state, thread, instr, env)
        case Havoc(target):
            thread.locals[target] = next(thread.choices)
        case Every():
            thread.locals[instr.target] = int(all(_each(state, instr, env)))
        case Check(condition, text):
            if not evaluate(condition, env):
                raise Undefined(text, instr)
        case Assert():
            _assert(state, thread, instr, env)
        case Jump(target):
            return target
        case Branch(condition, then, otherwise):
            holds = bool(evaluate(condition, env))
            if state.deciding and len(state.decisions) < DECISIONS:
                _decide(state, thread, instr, holds)
            return then if holds else otherwise
        case Return(value):
            result = None if value is None else evaluate(value, env)
            _note(state, thread, instr, value=result)
        case StoreFence() | Enter() | Drain() | Fence() | BeginAtomic() | EndAtomic():
            _note(state, thread, instr)
        case Uninit() | Stop():
            pass
        case _:
            assert_never(instr)
    return after


def _decide(state: State, thread: Thread, instr: Branch, then: bool) -> None:  # noqa: FBT001
    operation = thread.operation
    assert operation is not None
    seen = {x: thread.locals[x] for x in locals_of(instr.condition) if x in thread.locals}
    at = len(state.happenings)
    state.decisions.append(
        Decision(thread.number, thread.call, operation.name, instr, then, seen, at)
    )


def _note(
    state: State,
    thread: Thread,
    instr: Instr,
    location: Location | None = None,
    value: int | None = None,
    before: int | None = None,
    root: int | None = None,
    reach: tuple[int, int, int] | None = None,
    *,
    kept: bool = False,
) -> None:
    operation = thread.operation
    assert operation is not None
    state.happenings.append(
        Happening(
            state.steps,
            thread.number,
            thread.call,
            operation.name,
            instr,
            location,
            value,
            before,
            root,
            reach,
            kept,
        )
    )


def _location(f: Field, index: Expr | None, env: LocalValues, instr: Instr) -> Location:
    if index is None:
        return f.name, None
    number = evaluate(index, env)
    if not 0 <= number < env.vcpus:
        raise Undefined("a vCPU that does not exist is accessed", instr)
    return f.name, number


def _access(state: State, thread: Thread, instr: Read | Write | Exchange, env: LocalValues) -> None:
    where = _location(instr.field, instr.index, env, instr)
    before = state.memory[where]
    if isinstance(instr, (Read, Exchange)) and not _ends_wait(instr.until, before, env):
        raise Stuck(where)
    value = before
    matches = True
    match instr:
        case Read(target):
            thread.locals[target] = before
        case Write():
            value = evaluate(instr.value, env)
        case Exchange(target):
            matches = instr.compare is None or evaluate(instr.compare, env) == before
            value = evaluate(instr.value, _with_old(env, instr, before)) if matches else before
            thread.locals[target] = before
    state.memory[where] = value
    _note(state, thread, instr, where, value, before, kept=not matches)


def _with_old(env: LocalValues, instr: Exchange, before: int) -> LocalValues:
    return env if instr.old is None else _with_local(env, instr.old, before)


def _with_local(env: LocalValues, local: Local, value: int) -> LocalValues:
    return LocalValues({**env.locals, local: value}, env.vcpus, env.self, env.held, env.all_free)


def _lock(
    state: State,
    thread: Thread,
    instr: Acquire | TryAcquire | Available | Release,
    env: LocalValues,
) -> None:
    where = _location(instr.field, instr.index, env, instr)
    before = state.memory[where]
    after = before
    if isinstance(instr, Release):
        after = _freed(before, thread, instr)
    elif isinstance(instr, Available):
        thread.locals[instr.target] = int(lock_word.is_available(before, shared=instr.shared))
    elif lock_word.is_available(before, shared=instr.shared):
        after = lock_word.take_lock(before, thread.number, shared=instr.shared)
    elif isinstance(instr, Acquire):
        raise Stuck(where)
    if isinstance(instr, TryAcquire):
        thread.locals[instr.target] = int(after != before)
    state.memory[where] = after
    _note(state, thread, instr, where, after, before)


def _freed(word: int, thread: Thread, instr: Release) -> int:
    match instr.freeing:
        case Freeing.LOCKED | Freeing.STORE | Freeing.OVERWRITTEN:
            return lock_word.free_lock(word, thread.number, shared=instr.shared)
        case Freeing.ISSUED:
            return lock_word.buffer_unlock(word)
        case Freeing.DRAINED:
            return lock_word.drain_unlock(word)
        case _:
            assert_never(instr.freeing)


def _hypercall(state: State, thread: Thread, instr: Hypercall, env: LocalValues) -> None:
    result = next(thread.choices)
    thread.locals[instr.target] = result
    reach = (evaluate(instr.whole, env), evaluate(instr.start, env), evaluate(instr.pages, env))
    _note(state, thread, instr, value=result, root=evaluate(instr.root, env), reach=reach)


def _each(state: State, instr: Every, env: LocalValues) -> Iterator[int]:
    for v in range(state.vcpus):
        inner = {**env.locals, instr.bound: v}
        for local, f in instr.reads:
            inner[local] = state.memory[f.name, v]
        yield evaluate(
            instr.condition, LocalValues(inner, env.vcpus, env.self, env.held, env.all_free)
        )


def _assert(state: State, thread: Thread, instr: Assert, env: LocalValues) -> None:
    if not evaluate(instr.condition, env):
        values = {name: evaluate(e, env) for name, e in instr.values}
        state.violations.append(
            Violation(instr.claim, instr, values, state.steps, thread.number, thread.call)
        )

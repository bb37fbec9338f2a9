"""The lines of a trace, from what the interpreter saw happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import assert_never

from flushproof.engines.interpreter import lock_word
from flushproof.engines.interpreter.interpreter import Happening, Wait
from flushproof.ir.code import (
    Access,
    Acquire,
    Available,
    Branch,
    Enter,
    Exchange,
    Field,
    Freeing,
    Hypercall,
    Instr,
    Mode,
    Read,
    Release,
    Return,
    TryAcquire,
    Write,
)
from flushproof.ir.program import Operation, Role
from flushproof.results.trace import HypercallNote, LockMark, TraceStep
from flushproof.support.record import Record, replace
from flushproof.support.source import Span
from flushproof.verify.trace.value_names import Names, number_words, place_name

_TAKEN: Mapping[LockMark, int] = {"acquire": 1, "release": -1}


class TraceView(Record, frozen=True):
    """What the lines are made from: thread names, operation roles, fields and value names."""

    threads: Mapping[int, str]
    roles: Mapping[str, Role]
    named: Mapping[str, Operation]
    arguments: Mapping[tuple[int, int], Mapping[str, int]]
    """Those of each call, by thread and call."""
    fields: Mapping[str, Field]
    names: Names
    roots: Mapping[tuple[int, int], int]
    """The root of each load, by thread and call."""
    several_locks: bool
    decided: tuple[str, ...] = ()
    """What is said of decisions; a happening that is one has the number of its text as value."""


def is_visible(h: Happening, view: TraceView) -> bool:
    """Tell whether a reader follows it: not the claims' own doings, and no reads."""
    if view.roles[h.operation] not in (Role.LOAD, Role.FLUSH):
        return False
    match h.instr:
        case Write(field, mode=mode):
            return mode is not Mode.GHOST and not field.ghost
        case Access(write=wrote):
            return wrote
        case Acquire() | TryAcquire() | Release() | Exchange():
            return True
        case Available(shared=shared):
            return not lock_word.is_available(h.value or 0, shared=shared)
        case Hypercall() | Return() | Enter() | Branch():
            return True
        case _:
            return False


def takes_lock(h: Happening) -> bool:
    """Tell whether a thread got a lock."""
    return isinstance(h.instr, (Acquire, TryAcquire)) and h.value != h.before


def frees_lock(h: Happening) -> bool:
    """Tell whether others can take a lock from then on."""
    return isinstance(h.instr, Release) and h.instr.freeing is not Freeing.ISSUED


def trace_steps(
    happenings: list[Happening], waits: tuple[Wait, ...], view: TraceView
) -> tuple[TraceStep, ...]:
    """Return the steps of a trace, at its end one for each thread that waits.

    A load that nothing interrupts is one line; what a call reads is shown where others interrupt
    it.
    """
    parts = Counter(key for key, _ in groupby(_shown(happenings, view, frozenset()), key=_call))
    interrupted = frozenset(call for call, count in parts.items() if count > 1)
    out: list[TraceStep] = []
    for _, group in groupby(_shown(happenings, view, interrupted), key=_call):
        out += _stretch(_without_entry(list(group), view), view, len(out) + 1)
    out += [_waiting(w, view, len(out) + k) for k, w in enumerate(waits, 1)]
    return tuple(_barred(out))


def _barred(steps: list[TraceStep]) -> Iterator[TraceStep]:
    """Let the bar of a thread go on from the first lock that it takes to the last that it frees."""
    held: Counter[str] = Counter()
    for step in steps:
        held[step.thread] += _TAKEN.get(step.lock, 0)
        holds = held[step.thread] > 0
        yield replace(step, lock="held") if holds and step.lock in ("none", "release") else step


def _waiting(w: Wait, view: TraceView, index: int) -> TraceStep:
    at = "" if w.instr.span is None else f"{w.instr.span.line}: "
    while_ = (
        "" if w.holder is not None else f" while it is {view.names.field(w.instr.field, w.found)}"
    )
    return TraceStep(
        index=index,
        thread=view.threads[w.thread],
        operation=_kind(w.operation, view),
        event="wait",
        text=f"{at}waits for {place_name(w.instr.field, w.location)}{while_}",
        span=w.instr.span,
        lock="none",
        changed=(),
        hypercall=None,
    )


def _call(h: Happening) -> tuple[int, int]:
    return h.thread, h.call


def _shown(
    happenings: list[Happening], view: TraceView, interrupted: frozenset[tuple[int, int]]
) -> list[Happening]:
    return [
        h for h in happenings if is_visible(h, view) or (_call(h) in interrupted and _is_read(h))
    ]


def _is_read(h: Happening) -> bool:
    match h.instr:
        case Read(mode=mode):
            return mode is not Mode.GHOST
        case Access(write=wrote):
            return not wrote
        case _:
            return False


def _without_entry(stretch: list[Happening], view: TraceView) -> list[Happening]:
    """Leave out that a flush begins where it goes on at once."""
    entry = isinstance(stretch[0].instr, Enter) and _is_flush(stretch[0].operation, view)
    return stretch[1:] if entry and len(stretch) > 1 else stretch


def _is_flush(operation: str, view: TraceView) -> bool:
    return view.roles[operation] is Role.FLUSH and operation not in view.named


def _is_load(operation: str, view: TraceView) -> bool:
    return view.roles[operation] is Role.LOAD and operation not in view.named


def _kind(operation: str, view: TraceView) -> str:
    """Return what an operation is called: its role, or its own name where it goes by that."""
    return operation if operation in view.named else str(view.roles[operation])


def _stretch(stretch: list[Happening], view: TraceView, index: int) -> list[TraceStep]:
    first = stretch[0]
    whole = isinstance(first.instr, Enter) and any(isinstance(h.instr, Return) for h in stretch)
    told = any(isinstance(h.instr, Hypercall) for h in stretch)
    if whole and not told and not _is_flush(first.operation, view):
        return [_whole_call(stretch, view, index)]
    return [_line(piece, view, index + k) for k, piece in enumerate(_merged(stretch))]


def _merged(stretch: list[Happening]) -> Iterator[tuple[Happening, ...]]:
    """Group what shares a line: an unlock and the return right after it."""
    held: Happening | None = None
    for h in stretch:
        if held is not None:
            if isinstance(h.instr, Return):
                yield (held, h)
                held = None
                continue
            yield (held,)
            held = None
        if frees_lock(h):
            held = h
        else:
            yield (h,)
    if held is not None:
        yield (held,)


def _whole_call(stretch: list[Happening], view: TraceView, index: int) -> TraceStep:
    first = stretch[0]
    taken = sum(takes_lock(h) for h in stretch)
    freed = sum(frees_lock(h) for h in stretch)
    mark: LockMark = "acquire" if taken > freed else "section" if taken else "none"
    return TraceStep(
        index=index,
        thread=view.threads[first.thread],
        operation=_kind(first.operation, view),
        event="load" if _is_load(first.operation, view) else "call",
        text=", ".join((call_words(first, view), *_buffered(stretch), *_result(stretch, view))),
        span=first.instr.span,
        lock=mark,
        changed=tuple(c for h in stretch for c in _changed(h, view)),
        hypercall=None,
        loads=_handed(first, view),
    )


def call_words(h: Happening, view: TraceView) -> str:
    """Write the call that something happened in: `load(A)`, or an operation's own name."""
    operation = view.named.get(h.operation)
    if operation is None:
        return f"load({_root(h, view)})" if _is_load(h.operation, view) else "flush"
    p, values = operation.parameters, view.arguments[h.thread, h.call]
    own = p.vcpu if operation.role is Role.LOAD else None
    given = (x for x in operation.given if x != own)
    words = (
        view.names.root(values[x.name]) if x == p.root else view.names.typed(x.type, values[x.name])
        for x in given
    )
    return f"{operation.name}({', '.join(words)})"


def _result(stretch: list[Happening], view: TraceView) -> Iterator[str]:
    """Yield what an operation returned that goes by its own name, if it did return a value."""
    last = stretch[-1]
    if last.operation in view.named and isinstance(last.instr, Return) and last.value is not None:
        yield f"returns {number_words(last.value)}"


def _buffered(stretch: list[Happening]) -> Iterator[str]:
    """Name the stores that are surely still in the buffer at the end of a load."""
    stores = [h for h in stretch if isinstance(h.instr, Access) and h.instr.write]
    drains = [h for h in stretch if isinstance(h.instr, Write) and h.instr.mode is Mode.DRAIN]
    for h in stores[len(drains) :]:
        if isinstance(h.instr, Access) and h.location is not None:
            yield f"buffers {place_name(h.instr.field, h.location)}"


def _root(h: Happening, view: TraceView) -> str:
    return view.names.root(view.roots[h.thread, h.call])


def _changed(h: Happening, view: TraceView) -> tuple[tuple[str, str], ...]:
    match h.instr:
        case Write(field) | Exchange(_, field) if h.location is not None and h.value is not None:
            if h.value == h.before:
                return ()
            return ((place_name(field, h.location), view.names.field(field, h.value)),)
        case _:
            return ()


def _line(piece: tuple[Happening, ...], view: TraceView, index: int) -> TraceStep:
    h = piece[0]
    note = None
    if isinstance(h.instr, Hypercall) and h.root is not None:
        note = HypercallNote(view.names.root(h.root), h.value == 0)
    return TraceStep(
        index=index,
        thread=view.threads[h.thread],
        operation=_kind(h.operation, view),
        event=_event(h),
        text=", ".join(_text(x, view) for x in piece),
        span=instruction_place(h.instr),
        lock=_mark(h),
        changed=_changed(h, view),
        hypercall=note,
        loads=_handed(piece[-1], view),
    )


def _handed(h: Happening, view: TraceView) -> str:
    """Return the root of a load that begins or ends here."""
    ends = isinstance(h.instr, (Enter, Return)) and _is_load(h.operation, view)
    return _root(h, view) if ends else ""


def instruction_place(instr: Instr) -> Span | None:
    """Return the place of an instruction, for a hypercall that in the operation's own code."""
    match instr:
        case Hypercall(site=Span() as site):
            return site
        case _:
            return instr.span


def _event(h: Happening) -> str:
    match h.instr:
        case Acquire() | TryAcquire() | Available():
            return "lock"
        case Release():
            return "unlock"
        case Hypercall():
            return "hypercall"
        case Return():
            return "return"
        case Enter():
            return "enter"
        case Read() | Access(write=False):
            return "read"
        case Access():
            return "store"
        case Branch():
            return "decision"
        case _:
            return "write"


def _mark(h: Happening) -> LockMark:
    match h.instr:
        case Acquire() | TryAcquire() if takes_lock(h):
            return "acquire"
        case Release() if frees_lock(h):
            return "release"
        case _:
            return "none"


def _text(h: Happening, view: TraceView) -> str:
    span = instruction_place(h.instr)
    at = "" if span is None else f"{span.line}: "
    match h.instr:
        case Acquire() | TryAcquire() | Available() | Release():
            return _lock(h, h.instr, at, view)
        case Hypercall():
            root = view.names.flushed(h.root or 0)
            return f"{at}flush {root} {'ok' if h.value == 0 else 'failed'}"
        case Return():
            if not _is_flush(h.operation, view):
                return " ".join((f"{call_words(h, view)} returns", *_given_back(h, view)))
            return "return" if h.value is None else f"return {_code(h.value)}"
        case Enter():
            return f"{call_words(h, view)} begins"
        case Branch():
            return f"{at}{view.decided[h.value or 0]}"
        case Read(field=f) | Write(field=f) | Exchange(field=f) | Access(field=f):
            return "" if h.location is None else _access(h, at, f, place_name(f, h.location), view)
        case _:
            return ""


def _lock(
    h: Happening, instr: Acquire | TryAcquire | Available | Release, at: str, view: TraceView
) -> str:
    match instr:
        case Acquire(shared=shared):
            word = "read lock" if shared else "lock"
        case TryAcquire() | Available():
            word = "lock" if takes_lock(h) else f"{at}lock not free"
        case Release(freeing=Freeing.ISSUED):
            word = f"{at}buffers unlock"
        case Release(shared=shared):
            word = "read unlock" if shared else "unlock"
        case _:
            assert_never(instr)
    drains = isinstance(instr, Release) and instr.freeing.to_memory
    return f"{_named(word, instr.field, h, view)}{' drains' * drains}"


def _named(word: str, field: Field, h: Happening, view: TraceView) -> str:
    """Name the lock where there is more than one."""
    if not view.several_locks or h.location is None:
        return word
    return f"{word} {place_name(field, h.location)}"


def _access(h: Happening, at: str, field: Field, where: str, view: TraceView) -> str:
    value = view.names.field(field, h.value or 0)
    match h.instr:
        case Read():
            return f"{at}reads {value} in {where}"
        case Exchange() if h.kept:
            return f"{at}finds {value} in {where}"
        case Access(write=False):
            return f"{at}reads own {value} in {where}"
        case Access():
            return f"{at}buffers {where} = {value}"
        case Write(mode=Mode.DRAIN):
            return f"{where} drains"
        case _ if h.value == h.before:
            return f"{at}{where} stays {value}"
        case _:
            return f"{at}write"


def _given_back(h: Happening, view: TraceView) -> Iterator[str]:
    if h.operation in view.named and h.value is not None:
        yield number_words(h.value)


def _code(value: int) -> str:
    return "0" if value == 0 else "an error"

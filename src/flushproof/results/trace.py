"""Counterexample traces as frozen data, already in the reader's words: roots are A, B, C."""

from __future__ import annotations

from typing import Literal

from flushproof.support.record import Record
from flushproof.support.source import Span

LockMark = Literal["none", "acquire", "held", "release", "section"]


class HypercallNote(Record, frozen=True):
    """One hypercall as seen in a trace: the root's letter or name, and whether it succeeded."""

    root: str
    ok: bool


class TraceStep(Record, frozen=True):
    """One line of a trace.

    `thread` is "vcpu1", "flusher0" or "thread0"; `operation` is "load", "flush" or the name of
    another one; `text` is the cell, such as "load(A)" or "flush A failed"; `lock` says what the
    step did to the lock bar of its column ("section": the step takes and releases a lock within
    itself); `changed` maps field names such as "ept_pointer[1]" to values, in order of change;
    `loads` is the root of the load that this step is, begins or ends, "" in all else.
    """

    index: int
    thread: str
    operation: str
    event: str
    text: str
    span: Span | None
    lock: LockMark
    changed: tuple[tuple[str, str], ...]
    hypercall: HypercallNote | None
    loads: str = ""


class Blame(Record, frozen=True):
    """A source place that the trace rests on, and what happened there."""

    span: Span
    text: str


EventKind = Literal[
    "enter", "return", "lock", "unlock", "hypercall", "read", "write", "store", "drain"
]


class TraceEvent(Record, frozen=True):
    """Something that the code did which other threads, or the hypervisor, can see.

    `thread` is a position in `Recipe.threads`, `call` counts the thread's calls from 0; `field`
    is the member that is touched, "" for none; `outcome` the result of a hypercall.
    """

    thread: int
    call: int
    kind: EventKind
    field: str = ""
    outcome: int | None = None


class RecordedCall(Record, frozen=True):
    """One call of an operation; `arguments` are by role: vcpu, root, whole, start and pages."""

    operation: str
    role: str
    arguments: tuple[tuple[str, int], ...]


class RecordedThread(Record, frozen=True):
    """The calls of one thread in order; a vCPU's thread has its number."""

    name: str
    number: int
    calls: tuple[RecordedCall, ...]


class Recipe(Record, frozen=True):
    """What it takes to make another variant do the same.

    `witnesses` are what the claim's monitor chose at the beginning, `initial` the shared fields and
    their first values as a reader calls them, `roots` the values that roots stand for.
    """

    witnesses: tuple[tuple[str, int], ...]
    threads: tuple[RecordedThread, ...]
    events: tuple[TraceEvent, ...]
    initial: tuple[tuple[str, str], ...]
    roots: tuple[tuple[str, int], ...]


class Trace(Record, frozen=True):
    """One counterexample.

    `columns` are the threads that appear, in order; `standing` maps a thread to what is true of
    it at the end ("still on A"); `headline` is one sentence; `because` one line; `blame` at least
    one place, the first one is the main one and the rest are notes; `smallest` counts what it took.
    """

    vcpus: int
    columns: tuple[str, ...]
    steps: tuple[TraceStep, ...]
    standing: tuple[tuple[str, str], ...]
    headline: str
    because: str
    blame: tuple[Blame, ...]
    smallest: str
    recipe: Recipe | None = None

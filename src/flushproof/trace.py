"""Counterexample traces as frozen data, already in the reader's words: roots are A, B, C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flushproof.source import Span

LockMark = Literal["none", "acquire", "held", "release", "section"]


@dataclass(frozen=True, slots=True)
class HypercallNote:
    """One hypercall as seen in a trace: the root's letter or name, and whether it succeeded."""

    root: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace.

    `thread` is "vcpu1" or "flusher0"; `operation` is "load" or "flush"; `text` is the cell, such as
    "load(A)" or "flush A failed"; `lock` says what the step did to the lock bar of its column
    ("section": the step takes and releases a lock within itself); `changed` maps field names such
    as "ept_pointer[1]" to values, in order of change; `loads` is the root of the load that this
    step is, begins or ends, "" in all else.
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


@dataclass(frozen=True, slots=True)
class Blame:
    """A source place that the trace rests on, and what happened there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One counterexample.

    `columns` are the threads that appear, in order; `standing` maps a thread to what is true of
    it at the end ("still on A"); `headline` is one sentence; `because` one line; `blame` at least
    one place, the first one is the main one and the rest are notes; `smallest` counts what it took.
    """

    vcpus: int
    columns: tuple[str, ...]
    steps: tuple[Step, ...]
    standing: tuple[tuple[str, str], ...]
    headline: str
    because: str
    blame: tuple[Blame, ...]
    smallest: str

"""Reading traces back from ITF files.

In: the text of a file, which anybody may have written. Out: a `Saved`; whatever does not fit is a
diagnostic.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import ClassVar, TypeVar, get_args

from flushproof.ir.types import ROOT
from flushproof.results.saved_trace import Saved
from flushproof.results.trace import (
    Blame,
    EventKind,
    HypercallNote,
    LockMark,
    Recipe,
    RecordedCall,
    RecordedThread,
    Trace,
    TraceEvent,
    TraceStep,
)
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record
from flushproof.support.source import Source, Span

VERSION = 1
KINDS: tuple[EventKind, ...] = get_args(EventKind)
MARKS: tuple[LockMark, ...] = get_args(LockMark)
ACTING = ("load", "flush")
"""The roles of calls that are carried out again; the others are made where they are due."""

T = TypeVar("T")


class NoTrace(Diagnostic, frozen=True, kw_only=True):
    """A file that holds no trace, or not one of this program."""

    CODE: ClassVar[str] = "FP0901"
    TITLE: ClassVar[str] = "`{path}` is no saved trace: {reason}"
    HELP: ClassVar[str] = "`flushproof refute FILE --claim NAME --format itf` saves one"

    path: str
    reason: str


class _Misfit(Exception):  # noqa: N818 - a value that is not what it should be
    """What is wrong, and where."""


class _At(Record, frozen=True):
    """A value in the document, and the way there."""

    value: object
    way: str

    def member(self, name: str) -> _At:
        if not isinstance(self.value, dict) or name not in self.value:
            raise _Misfit(f"`{self.way}` has no `{name}`")
        return _At(self.value[name], f"{self.way}.{name}" if self.way else name)

    def items(self) -> list[_At]:
        if not isinstance(self.value, list):
            raise _Misfit(f"`{self.way}` is no list")
        return [_At(v, f"{self.way}[{k}]") for k, v in enumerate(self.value)]

    def each(self, make: Callable[[_At], T]) -> tuple[T, ...]:
        return tuple(make(item) for item in self.items())

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise _Misfit(f"`{self.way}` is no text")
        return self.value

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            raise _Misfit(f"`{self.way}` is neither true nor false")
        return self.value

    def number(self) -> int:
        """Return an integer, written plainly or as `#bigint`."""
        value = self.value
        if isinstance(value, dict) and isinstance(value.get("#bigint"), str):
            value = _integer(value["#bigint"])
        if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > ROOT.width:
            raise _Misfit(f"`{self.way}` is no integer")
        return value

    def pairs(self, make: Callable[[_At], T]) -> tuple[tuple[str, T], ...]:
        return self.each(lambda pair: (pair.two()[0].text(), make(pair.two()[1])))

    def two(self) -> list[_At]:
        found = self.items()
        if len(found) != 2:
            raise _Misfit(f"`{self.way}` is no pair")
        return found

    def one_of(self, choices: tuple[T, ...]) -> T:
        for choice in choices:
            if self.value == choice:
                return choice
        raise _Misfit(f"`{self.way}` is not one of {', '.join(map(str, choices))}")

    @property
    def absent(self) -> bool:
        return self.value is None


def _integer(text: str) -> int | None:
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 25 else None


def read_itf(source: Source) -> Saved:
    """Return the trace that a file holds.

    Raises:
        InputError: it holds none, or not all of it.
    """
    try:
        return _saved(_At(json.loads(source.text), ""))
    except (ValueError, RecursionError) as error:
        reason = (
            f"it is no JSON ({error})" if isinstance(error, ValueError) else "it nests too deep"
        )
        raise InputError(NoTrace(span=None, path=source.name, reason=reason)) from None
    except _Misfit as misfit:
        raise InputError(NoTrace(span=None, path=source.name, reason=str(misfit))) from None


def _saved(document: _At) -> Saved:
    meta = document.member("#meta").member("flushproof")
    if meta.member("version").number() != VERSION:
        raise _Misfit(f"it is of version {meta.member('version').number()}, not {VERSION}")
    return Saved(
        claim=meta.member("claim").text(),
        text=meta.member("text").text(),
        path=document.member("#meta").member("source").text(),
        sha256=meta.member("sha256").text(),
        function=meta.member("function").text(),
        spec=meta.member("spec").text(),
        memory=meta.member("memory").one_of(tuple(MemoryModel)),
        loads=meta.member("loads").number(),
        flushes=meta.member("flushes").number(),
        flushers=meta.member("flushers").number(),
        trace=_trace(meta, document.member("states")),
        sources=meta.member("sources").each(
            lambda s: Source(s.member("name").text(), s.member("text").text())
        ),
    )


def _trace(meta: _At, states: _At) -> Trace:
    steps = tuple(_step(state.member("step")) for state in states.items()[1:])
    blame = meta.member("blame").each(_blame)
    vcpus = meta.member("vcpus").number()
    if not steps or not blame or not 1 <= vcpus <= 4096:
        raise _Misfit("it has no steps, no place in the code, or no vCPUs")
    recipe = meta.member("recipe")
    return Trace(
        vcpus=vcpus,
        columns=meta.member("threads").each(_At.text),
        steps=steps,
        standing=meta.member("standing").pairs(_At.text),
        headline=meta.member("headline").text(),
        because=meta.member("because").text(),
        blame=blame,
        smallest=meta.member("smallest").text(),
        recipe=None if recipe.absent else _recipe(recipe),
    )


def _blame(at: _At) -> Blame:
    span = _span(at)
    if span is None:
        raise _Misfit(f"`{at.way}` is no place")
    return Blame(span, at.member("text").text())


def _span(at: _At) -> Span | None:
    file = at.member("file").text()
    line, column, end_line, end_column = (
        at.member(name).number() for name in ("line", "column", "end_line", "end_column")
    )
    if not file:
        return None
    try:
        return Span(file, line, column, end_line, end_column)
    except ValueError:
        raise _Misfit(f"`{at.way}` is no place") from None


def _step(at: _At) -> TraceStep:
    note = HypercallNote(at.member("root").text(), at.member("ok").truth())
    return TraceStep(
        index=at.member("index").number(),
        thread=at.member("thread").text(),
        operation=at.member("operation").text(),
        event=at.member("event").text(),
        text=at.member("text").text(),
        span=_span(at),
        lock=at.member("lock").one_of(MARKS),
        changed=at.member("changed").member("#map").pairs(_At.text),
        hypercall=note if at.member("issued").truth() else None,
        loads=at.member("loads").text(),
    )


def _recipe(at: _At) -> Recipe:
    threads = at.member("threads").each(_thread)
    events = at.member("events").each(_event)
    acting = [sum(c.role in ACTING for c in t.calls) for t in threads]
    for e in events:
        if not 0 <= e.thread < len(threads) or not 0 <= e.call < acting[e.thread]:
            raise _Misfit(f"`{at.way}.events` speaks of a call that is not there")
    return Recipe(
        witnesses=at.member("witnesses").pairs(_At.number),
        threads=threads,
        events=events,
        initial=at.member("initial").pairs(_At.text),
        roots=at.member("roots").pairs(_At.number),
    )


def _thread(at: _At) -> RecordedThread:
    number = at.member("number").number()
    if not 0 <= number < 1 << 16:
        raise _Misfit(f"`{at.way}` has no number of a thread")
    return RecordedThread(at.member("name").text(), number, at.member("calls").each(_call))


def _call(at: _At) -> RecordedCall:
    return RecordedCall(
        at.member("operation").text(),
        at.member("role").text(),
        at.member("arguments").pairs(_At.number),
    )


def _event(at: _At) -> TraceEvent:
    parts = at.items()
    if len(parts) != 5:
        raise _Misfit(f"`{at.way}` is no event")
    thread, call, kind, field, outcome = parts
    return TraceEvent(
        thread.number(),
        call.number(),
        kind.one_of(KINDS),
        field.text(),
        None if outcome.absent else outcome.number(),
    )

"""A counterexample by itself, with all that it takes to step through it and to try it elsewhere.

In: a report and a refuted claim of it. Out: frozen data, and the states that a trace goes through,
computed from its steps alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from flushproof.results.trace import Trace, TraceStep
from flushproof.results.verdict import ClaimResult, Report
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record
from flushproof.support.source import Source

OUTSIDE = "none"
"""What a vCPU runs on that is not in the guest."""


class Saved(Record, frozen=True):
    """One counterexample.

    `path` is the file that was given, `spec` that with its set-up, "" for the built-in one;
    `sources` are the texts that the trace points into, the spec's among them.
    """

    claim: str
    text: str
    path: str
    sha256: str
    function: str
    spec: str
    memory: MemoryModel
    loads: int
    flushes: int
    flushers: int
    trace: Trace
    sources: tuple[Source, ...]

    def source(self, name: str) -> Source | None:
        """Return the text of a file."""
        return next((s for s in self.sources if s.name == name), None)


class Moment(Record, frozen=True):
    """What is true after a step, in a reader's words: shared fields, roots in use, lock holders."""

    fields: Mapping[str, str]
    runs_on: Mapping[str, str]
    holding: frozenset[str]


def save_trace(
    report: Report, result: ClaimResult, spec: str, sources: Mapping[str, Source]
) -> Saved:
    """Return the counterexample of a refuted claim, with those sources that it names."""
    trace = result.trace
    assert trace is not None
    wanted = {*trace_files(trace), spec}
    return Saved(
        claim=result.claim,
        text=result.text,
        path=report.path,
        sha256=report.sha256,
        function=report.function,
        spec=spec,
        memory=result.scope.memory,
        loads=result.scope.loads or 0,
        flushes=result.scope.flushes or 0,
        flushers=result.scope.flushers or 0,
        trace=trace,
        sources=tuple(sources[name] for name in sorted(wanted) if name in sources),
    )


def trace_files(trace: Trace) -> tuple[str, ...]:
    """Return the names of the files that a trace points into, sorted."""
    spans = [*(s.span for s in trace.steps), *(b.span for b in trace.blame)]
    return tuple(sorted({s.file for s in spans if s is not None}))


def trace_moments(trace: Trace) -> tuple[Moment, ...]:
    """Return the state before the first step and after each one."""
    initial = {} if trace.recipe is None else dict(trace.recipe.initial)
    vcpus = {f"vcpu{v}": OUTSIDE for v in range(trace.vcpus)}
    out = [Moment(initial, vcpus, frozenset())]
    for step in trace.steps:
        out.append(_after(out[-1], step))
    return tuple(out)


def _after(before: Moment, step: TraceStep) -> Moment:
    root = _root(step)
    runs_on = before.runs_on if root is None else {**before.runs_on, step.thread: root}
    return Moment({**before.fields, **dict(step.changed)}, runs_on, _holding(before.holding, step))


def _root(step: TraceStep) -> str | None:
    """Return on what a vCPU runs after a step, None for a step that does not change it."""
    if step.operation != "load":
        return None
    match step.event:
        case "enter":
            return OUTSIDE
        case "load" | "return":
            return step.loads or OUTSIDE
        case "unlock":
            return step.loads or None
        case _:
            return None


def _holding(before: frozenset[str], step: TraceStep) -> frozenset[str]:
    match step.lock:
        case "acquire" | "held":
            return before | {step.thread}
        case "release" | "section" | "none":
            return before - {step.thread}
        case _:
            assert_never(step.lock)

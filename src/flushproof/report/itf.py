"""A counterexample in Apalache's Informal Trace Format (ADR 015), which `replay` reads back.

In: a `Saved`. Out: one JSON document. The states hold the shared fields, what each vCPU runs on,
who holds a lock, and the step that led there; what no state has is in `#meta`.
"""

from __future__ import annotations

from flushproof import __version__
from flushproof.report.json_report import Tree, dump_document
from flushproof.results.saved_trace import Moment, Saved, trace_moments
from flushproof.results.trace import Recipe, TraceStep
from flushproof.support.source import Span

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"
VERSION = 1
VARIABLES = {
    "fields": "Str -> Str",
    "holding": "Set(Str)",
    "runs_on": "Str -> Str",
    "step": "{ index: Int, thread: Str, operation: Str, event: Str, text: Str, lock: Str, "
    "loads: Str, changed: Str -> Str, issued: Bool, root: Str, ok: Bool, file: Str, line: Int, "
    "column: Int, end_line: Int, end_column: Int }",
}

Value = object


def render(saved: Saved) -> str:
    """Return the document as text."""
    return dump_document(itf_document(saved))


def itf_document(saved: Saved) -> Tree:
    """Return the document."""
    trace = saved.trace
    after = zip((None, *trace.steps), trace_moments(trace), strict=True)
    return {
        "#meta": _meta(saved),
        "params": [],
        "vars": sorted(VARIABLES),
        "states": [_state(number, step, m) for number, (step, m) in enumerate(after)],
    }


def _meta(saved: Saved) -> Tree:
    trace = saved.trace
    return {
        "format": "ITF",
        "format-description": FORMAT,
        "description": f"{saved.claim}: {trace.headline}",
        "source": saved.path,
        "varTypes": VARIABLES,
        "flushproof": {
            "version": VERSION,
            "tool": __version__,
            "claim": saved.claim,
            "text": saved.text,
            "sha256": saved.sha256,
            "function": saved.function,
            "spec": saved.spec,
            "memory": str(saved.memory),
            "loads": saved.loads,
            "flushes": saved.flushes,
            "flushers": saved.flushers,
            "vcpus": trace.vcpus,
            "threads": list(trace.columns),
            "standing": [list(pair) for pair in trace.standing],
            "headline": trace.headline,
            "because": trace.because,
            "smallest": trace.smallest,
            "blame": [{**_span(b.span), "text": b.text} for b in trace.blame],
            "recipe": None if trace.recipe is None else _recipe(trace.recipe),
            "sources": [{"name": s.name, "text": s.text} for s in saved.sources],
        },
    }


def _recipe(recipe: Recipe) -> Tree:
    return {
        "witnesses": _numbers(recipe.witnesses),
        "roots": _numbers(recipe.roots),
        "initial": [list(pair) for pair in recipe.initial],
        "threads": [
            {
                "name": t.name,
                "number": t.number,
                "calls": [
                    {
                        "operation": c.operation,
                        "role": c.role,
                        "arguments": _numbers(c.arguments),
                    }
                    for c in t.calls
                ],
            }
            for t in recipe.threads
        ],
        "events": [[e.thread, e.call, e.kind, e.field, e.outcome] for e in recipe.events],
    }


def _numbers(pairs: tuple[tuple[str, int], ...]) -> list[list[Value]]:
    return [[name, itf_integer(value)] for name, value in pairs]


def _state(number: int, step: TraceStep | None, moment: Moment) -> Tree:
    return {
        "#meta": {"index": number},
        "fields": _map(moment.fields.items()),
        "holding": {"#set": sorted(moment.holding)},
        "runs_on": _map(moment.runs_on.items()),
        "step": _nothing() if step is None else _step(step),
    }


def _nothing() -> Tree:
    """Return the step that led to the first state: none did, but a record has all its members."""
    return _step(TraceStep(0, "", "", "", "", None, "none", (), None))


def _step(step: TraceStep) -> Tree:
    call = step.hypercall
    return {
        "index": itf_integer(step.index),
        "thread": step.thread,
        "operation": step.operation,
        "event": step.event,
        "text": step.text,
        "lock": step.lock,
        "loads": step.loads,
        "changed": _map(step.changed),
        "issued": call is not None,
        "root": "" if call is None else call.root,
        "ok": call is not None and call.ok,
        **{name: _typed(value) for name, value in _span(step.span).items()},
    }


def _span(span: Span | None) -> Tree:
    """Return a place; line 0 of no file is none."""
    if span is None:
        return dict.fromkeys(("line", "column", "end_line", "end_column"), 0) | {"file": ""}
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _typed(value: object) -> Value:
    return itf_integer(value) if isinstance(value, int) else value


def itf_integer(value: int) -> Tree:
    """Return an integer as the format has it, for readers with small ones of their own."""
    return {"#bigint": str(value)}


def _map(pairs: object) -> Tree:
    assert hasattr(pairs, "__iter__")
    return {"#map": [[name, value] for name, value in pairs]}

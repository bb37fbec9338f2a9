"""Reports as one JSON document, whose shape `schema.json` beside this module fixes.

In: reports. Out: plain dictionaries, and the text. `vcpus` is "all" for every number, else a pair;
further keys may be added under the same `schema_version`, none is removed or changes its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from flushproof import __version__
from flushproof.report.exit_code import NOTHING_ASKED, exit_code
from flushproof.results.atomicity import AtomicSteps, OperationSteps
from flushproof.results.second_opinion import Opinion
from flushproof.results.trace import Trace, TraceStep
from flushproof.results.verdict import EXIT_OK, ClaimResult, Expected, Report, Sane, VerdictScope
from flushproof.support.diagnostics import InputError
from flushproof.support.installed import installed_version
from flushproof.support.source import Source, Span

SCHEMA_VERSION = 2

Tree = dict[str, object]


def report_document(report: Report, code: int | None = None) -> Tree:
    """Return the document about one variant; `code` replaces the exit code of the report."""
    return {
        **document_head(),
        **report_body(report),
        "exit": report.exit_code if code is None else code,
    }


def reports_document(reports: Sequence[Report], code: int | None = None) -> Tree:
    """Return the document about several specs, each with its own exit code."""
    bodies = [{**report_body(r), "exit": r.exit_code} for r in reports]
    return {
        **document_head(),
        "reports": bodies,
        "exit": exit_code(reports) if code is None else code,
    }


def atomicity_document(path: str, source: Source | None, steps: Sequence[AtomicSteps]) -> Tree:
    """Return the document about atomic steps; it decides no claim."""
    about = {"path": path, "sha256": "" if source is None else source.sha256}
    listed = [_seen(s) for s in steps]
    return {**document_head(), "source": about, "claims": [], "atomicity": listed, "exit": EXIT_OK}


def _seen(steps: AtomicSteps) -> Tree:
    return {
        "claim": steps.claim or None,
        "vcpus": steps.vcpus,
        "flushers": steps.flushers,
        "operations": [_cut_operation(o) for o in steps.operations],
        "fields": [
            {"field": f.label, "locks": list(f.locks), "bare": list(f.bare)} for f in steps.fields
        ],
    }


def _cut_operation(operation: OperationSteps) -> Tree:
    accesses = [
        {"span": span_tree(a.span), "does": a.does, "moves": a.moves, "steps": list(a.steps)}
        for a in operation.accesses
    ]
    return {
        "operation": operation.role,
        "function": operation.name,
        "accesses": accesses,
        "begins": [list(reasons) for reasons in operation.begins],
    }


def refusal_document(error: InputError) -> Tree:
    """Return the document about input that is not accepted."""
    return {**document_head(), "errors": error_trees(error), "exit": error.exit_code}


def error_trees(error: InputError) -> list[Tree]:
    """Return what is said about input that is not accepted."""
    return [
        {
            "code": d.CODE or None,
            "title": d.title,
            "label": d.label or None,
            "help": d.help or None,
            "span": None if d.span is None else span_tree(d.span),
            "notes": [
                {"text": n.text, "span": None if n.span is None else span_tree(n.span)}
                for n in d.notes
            ],
        }
        for d in error.diagnostics
    ]


def dump_document(document: Tree) -> str:
    """Return the document as ASCII text that ends in a newline."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def z3_version() -> str:
    """Return the version of the installed solver, without loading it."""
    return installed_version("z3-solver") or "unknown"


def document_head() -> Tree:
    """Return what every document begins with."""
    tool = {"name": "flushproof", "version": __version__, "z3": z3_version()}
    return {"schema_version": SCHEMA_VERSION, "tool": tool}


def report_body(report: Report) -> Tree:
    """Return what is said about one variant."""
    source = {"path": report.path, "sha256": report.sha256, "function": report.function}
    return {
        "source": source | ({"read_as": report.read_as} if report.read_as else {}),
        "spec": report.spec or None,
        "claims": [_claim(r) for r in report.results],
        "reason": None if report.results else NOTHING_ASKED,
    }


def _claim(result: ClaimResult) -> Tree:
    return {
        "claim": result.claim,
        "text": result.text,
        "verdict": str(result.verdict),
        "expected": _expected(result.expected),
        "as_expected": result.as_expected,
        "vcpus": _vcpus(result.scope),
        "smallest_vcpus": result.smallest_vcpus,
        "scope": scope_tree(result.scope),
        "assumptions": list(result.assumptions),
        "reason": result.reason or None,
        "could_fail": None if result.sane is None else _sane(result.sane),
        "seconds": round(result.seconds, 3),
        "trace": None if result.trace is None else trace_tree(result.trace),
        "invariant": list(result.invariant),
        "second_opinion": None if result.opinion is None else _opinion(result.opinion),
    }


def _opinion(opinion: Opinion) -> Tree:
    return {
        "solver": opinion.solver,
        "questions": opinion.asked,
        "agreed": opinion.agreed,
        "reason": opinion.reason or None,
    }


def _sane(sane: Sane) -> Tree:
    b = sane.breaker
    breaker = None
    if b is not None:
        breaker = {
            "span": {"file": b.file, "line": b.line},
            "words": b.words,
            "before": list(b.before),
            "after": list(b.after),
            "vcpus": b.vcpus,
        }
    return {"mutant": breaker, "tried": sane.tried}


def _expected(expected: Expected | None) -> Tree | None:
    if expected is None:
        return None
    return {
        "verdict": str(expected.verdict),
        "vcpus": expected.vcpus,
        "every_number": expected.every_number,
    }


def _vcpus(scope: VerdictScope) -> str | list[int]:
    return "all" if scope.vcpus is None else list(scope.vcpus)


def scope_tree(scope: VerdictScope) -> Tree:
    """Return what a verdict covers."""
    return {
        "vcpus": _vcpus(scope),
        "loads": scope.loads,
        "flushes": scope.flushes,
        "flushers": scope.flushers,
        "interleavings": scope.interleavings,
        "rounds": scope.rounds,
        "roots": scope.roots,
        "boot": scope.boot,
        "bound_hit": False,  # no loop is cut at a bound; the schema has it since its first version
        "memory": str(scope.memory),
        "store_buffer": scope.buffer,
    }


def trace_tree(trace: Trace) -> Tree:
    """Return one schedule."""
    return {
        "vcpus": trace.vcpus,
        "threads": list(trace.columns),
        "headline": trace.headline,
        "steps": [_step(s) for s in trace.steps],
        "standing": dict(trace.standing),
        "because": trace.because,
        "blame": [{"span": span_tree(b.span), "text": b.text} for b in trace.blame],
        "smallest": trace.smallest,
    }


def _step(step: TraceStep) -> Tree:
    call = step.hypercall
    return {
        "index": step.index,
        "thread": step.thread,
        "operation": step.operation,
        "event": step.event,
        "text": step.text,
        "lock": step.lock,
        "span": None if step.span is None else span_tree(step.span),
        "changed": dict(step.changed),
        "loads": step.loads or None,
        "hypercall": None if call is None else {"root": call.root, "ok": call.ok},
    }


def span_tree(span: Span) -> Tree:
    """Return where something begins."""
    return {"file": span.file, "line": span.line, "column": span.column}

"""Findings as SARIF 2.1.0, the format of code scanning.

A claim is a rule, a finding a result. A counterexample is a code flow: its first thread flow is the
whole run in order, since viewers show only that one, and one for each thread follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from urllib.parse import quote

from flushproof import __version__
from flushproof.report.exit_code import NOTHING_ASKED
from flushproof.report.findings import NOTHING, Finding, Results, list_findings
from flushproof.report.json_report import Tree, dump_document
from flushproof.report.trace_table import thread_title
from flushproof.results.trace import Trace, TraceStep
from flushproof.results.verdict import Report
from flushproof.support.source import Span

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
EVERYONE = "all threads"


def render(results: Results) -> str:
    """Return the log as text."""
    return dump_document(sarif_document(results))


def sarif_document(results: Results) -> Tree:
    """Return the log: one run."""
    rules = {r.claim: r.text for report in results.reports for r in report.results}
    if any(not report.results for report in results.reports):
        rules[NOTHING] = NOTHING_ASKED
    names = list(rules)
    run: Tree = {
        "tool": {"driver": _driver(rules)},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": results.code}],
        "artifacts": _artifacts(results.reports),
        "results": [_result(f, names) for f in list_findings(results)],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(rules: dict[str, str]) -> Tree:
    listed = [
        {"id": name, "shortDescription": {"text": text or name}} for name, text in rules.items()
    ]
    return {"name": "flushproof", "semanticVersion": __version__, "rules": listed}


def _artifacts(reports: Iterable[Report]) -> list[Tree]:
    known = {r.path: r.sha256 for r in reports}
    return [
        {"location": {"uri": uri_reference(path)}, **({"hashes": {"sha-256": sha}} if sha else {})}
        for path, sha in known.items()
    ]


def uri_reference(path: str) -> str:
    """Return a path as a reference: relative as it is, absolute with its scheme."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix())


def _result(f: Finding, rules: list[str]) -> Tree:
    trace = f.trace
    tree: Tree = {
        "ruleId": f.name,
        "ruleIndex": rules.index(f.name),
        "kind": "open" if f.undecided else "fail",
        "level": "none" if f.undecided else f.level,
        "message": {"text": f.text},
        "locations": [_location(f.span)],
        "partialFingerprints": {"claim/v1": f"{PurePath(f.report.path).name}:{f.name}"},
    }
    if f.result is not None:
        verdict = str(f.result.verdict)
        tree["properties"] = {"verdict": verdict, "vcpus": f.result.smallest_vcpus}
    if trace is None:
        return tree
    notes = [_location(b.span, b.text) for b in trace.blame[1:]]
    flows = [{"threadFlows": _flows(trace)}]
    return {**tree, "relatedLocations": notes, "codeFlows": flows}


def _flows(trace: Trace) -> list[Tree]:
    acting = [t for t in trace.columns if any(s.thread == t for s in trace.steps)]
    whole = _flow(EVERYONE, trace.steps, trace, named=True)
    own = (
        _flow(thread_title(t, trace.columns), (s for s in trace.steps if s.thread == t), trace)
        for t in acting
    )
    return [whole, *own]


def _flow(name: str, steps: Iterable[TraceStep], trace: Trace, *, named: bool = False) -> Tree:
    return {"id": name, "locations": [_step(s, trace, named=named) for s in steps]}


def _step(step: TraceStep, trace: Trace, *, named: bool) -> Tree:
    who = f"{thread_title(step.thread, trace.columns)}: " if named else ""
    changed = ", ".join(f"{name} = {value}" for name, value in step.changed)
    text = f"{who}{step.text}" + (f" ({changed})" if changed else "")
    state = {name: {"text": value} for name, value in step.changed}
    where = {"message": {"text": text}} if step.span is None else _location(step.span, text)
    return {
        "location": where,
        "executionOrder": step.index,
        "importance": "essential" if step.hypercall or step.changed else "important",
        **({"state": state} if state else {}),
    }


def _location(span: Span, text: str = "") -> Tree:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    physical = {"artifactLocation": {"uri": uri_reference(span.file)}, "region": region}
    message: Tree = {"message": {"text": text}} if text else {}
    return {"physicalLocation": physical, **message}

"""The forms in which `prove`, `refute` and `check` can report, in one table.

Each is a pure function from `Results` to text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flushproof.report import github, itf, jsonl, ktap, one_line, sarif, summary, text
from flushproof.report import json_report as json
from flushproof.report.findings import Results
from flushproof.results import saved_trace
from flushproof.results.verdict import Report

Renderer = Callable[[Results], str]

TEXT = "text"
LINES = "jsonl"
TRACE = "itf"


def _text(results: Results) -> str:
    if results.many:
        return summary.render(results.reports, results.sources, results.width)
    return text.render(results.reports[0], results.sources, results.width)


def _json(results: Results) -> str:
    if results.many:
        tree = json.reports_document(results.reports, results.code)
    else:
        tree = json.report_document(results.reports[0], results.code)
    if results.refused is not None:
        tree["errors"] = json.error_trees(results.refused)
    return json.dump_document(tree)


def _itf(results: Results) -> str:
    """Return the first counterexample, nothing where there is none."""
    for report in results.reports:
        for result in report.results:
            if result.trace is not None:
                return itf.render(
                    saved_trace.save_trace(report, result, results.spec, results.sources)
                )
    return ""


FORMATS: Mapping[str, Renderer] = {
    TEXT: _text,
    "json": _json,
    LINES: jsonl.render,
    TRACE: _itf,
    "sarif": sarif.render,
    "ktap": ktap.render,
    "github": github.render,
    "report": one_line.render,
}


BEGINS: Mapping[str, str] = {
    **dict.fromkeys(("json", LINES, TRACE, "sarif"), "{"),
    "ktap": ktap.VERSION,
    "github": "::",
}
"""How a file in some form begins; one that begins otherwise is not replaced."""


def list_shown_files(reports: Iterable[Report]) -> tuple[str, ...]:
    """Return the names of the files that some form wants the text of, sorted."""
    traces = (r.trace for report in reports for r in report.results)
    return tuple(
        sorted({name for t in traces if t is not None for name in saved_trace.trace_files(t)})
    )

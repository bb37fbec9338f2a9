"""Results as JSON lines: one for each claim as soon as it is decided, and a last one.

A line is one object, whose shape is `#/$defs/jsonl` of `schema.json`.
"""

from __future__ import annotations

import json

from flushproof.report.findings import Results
from flushproof.report.json_report import Tree, document_head, error_trees, report_body
from flushproof.results.verdict import ClaimResult, Report
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace


def render(results: Results) -> str:
    """Return the lines of all results and the last one."""
    lines = [line for report in results.reports for line in report_lines(report)]
    return "".join((*lines, last_line(results.code, results.refused)))


def report_lines(report: Report) -> list[str]:
    """Return a line for each result; where nothing was asked one that says so."""
    return [result_line(report, r) for r in report.results] or [_about(report)]


def result_line(report: Report, result: ClaimResult) -> str:
    """Return the line of one result; `report` says what it is about, its results do not matter."""
    return _about(replace(report, results=(result,)))


def _about(report: Report) -> str:
    return _line({**document_head(), "kind": "result", **report_body(report)})


def last_line(code: int, refused: InputError | None = None) -> str:
    """Return the line that says that all is over, and how; `refused` is input that was not read."""
    errors = {} if refused is None else {"errors": error_trees(refused)}
    return _line({**document_head(), "kind": "end", "exit": code, **errors})


def _line(tree: Tree) -> str:
    return json.dumps(tree, ensure_ascii=True, separators=(",", ":")) + "\n"

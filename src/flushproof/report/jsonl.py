"""Results as JSON lines: one for each claim as soon as it is decided, and a last one.

A line is one object, whose shape is `#/$defs/jsonl` of `schema.json`.
"""

from __future__ import annotations

import json

from flushproof.record import replace
from flushproof.report.findings import Results
from flushproof.report.json import Tree, body, head
from flushproof.verdict import ClaimResult, Report


def render(results: Results) -> str:
    """Return the lines of all results and the last one."""
    lines = [result_line(report, r) for report in results.reports for r in report.results]
    return "".join((*lines, last_line(results.code)))


def result_line(report: Report, result: ClaimResult) -> str:
    """Return the line of one result; `report` says what it is about, its results do not matter."""
    about = body(replace(report, results=(result,)))
    return _line({**head(), "kind": "result", **about})


def last_line(code: int) -> str:
    """Return the line that says that all is over, and how."""
    return _line({**head(), "kind": "end", "exit": code})


def _line(tree: Tree) -> str:
    return json.dumps(tree, ensure_ascii=True, separators=(",", ":")) + "\n"

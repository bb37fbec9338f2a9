"""One line for each finding, `file:line:col: level: text [claim]`, as editors and CI jump to it."""

from __future__ import annotations

from flushproof.report.findings import Finding, Results, list_findings
from flushproof.report.plain import escape_unprintable


def render(results: Results) -> str:
    """Return the lines; nothing where nothing is found."""
    return "".join(f"{_line(f)}\n" for f in list_findings(results))


def _line(f: Finding) -> str:
    where = f"{f.span.file}:{f.span.line}:{f.span.column}"
    return escape_unprintable(f"{where}: {f.level}: {f.text} [{f.name}]")

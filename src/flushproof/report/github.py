"""Findings as commands of GitHub's runner, which shows them beside the lines of a pull request."""

from __future__ import annotations

from flushproof.report.findings import Finding, Results, list_findings
from flushproof.report.plain import escape_unprintable

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def render(results: Results) -> str:
    """Return a command for each finding."""
    return "".join(f"{_command(f)}\n" for f in list_findings(results))


def _command(f: Finding) -> str:
    properties = {
        "file": f.span.file,
        "line": str(f.span.line),
        "endLine": str(f.span.end_line),
        "col": str(f.span.column),
        "title": f"flushproof: {f.name}",
    }
    if f.span.line == f.span.end_line:
        properties["endColumn"] = str(f.span.end_column)
    listed = ",".join(f"{name}={_escaped(value, _PROPERTY)}" for name, value in properties.items())
    return f"::{f.level} {listed}::{_escaped(_message(f), _DATA)}"


def _message(f: Finding) -> str:
    trace = f.trace
    if trace is None:
        return f.text
    notes = [f"{b.span.file}:{b.span.line} {b.text}" for b in trace.blame[1:]]
    return "\n".join((f.text, *notes, f"because {trace.because}"))


def _escaped(text: str, table: dict[str, str]) -> str:
    """Escape what the runner reads itself; each character is looked at once."""
    return "".join(table.get(c) or escape_unprintable(c) for c in text)

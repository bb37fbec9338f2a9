"""Explanations of claims and codes as text: plain ASCII within the width."""

from __future__ import annotations

from flushproof.report.explanations import ClaimExplained, CodeExplained, Explanations
from flushproof.report.plain import escape_unprintable, hang_text
from flushproof.report.text import join_blocks

TAB = 8
CONTINUED = 4
"""How much deeper the rest of a broken line of code stands."""


def render_listing(known: Explanations, width: int) -> str:
    """Return the names of all claims and codes, each with a line of what it says."""
    claims = _column([(c.name, c.text) for c in known.claims], width)
    codes = _column([(c.code, c.title) for c in known.codes], width)
    return join_blocks([["claims", *claims], ["diagnostics", *codes]])


def render_claim(told: ClaimExplained, example: str, width: int) -> str:
    """Return what a claim means; `example` is the finished text of a counterexample, or ""."""
    said = [*_labelled("means", told.means, width), *_labelled("guests", told.guests, width)]
    blocks = [
        hang_text("", f"{told.name}: {told.text}", width, indent=2),
        said,
        [f"  {escape_unprintable(told.file)}:{told.line}", *_code(told.lines, width)],
        _labelled("example", "" if example else "nothing that comes with it breaks it", width),
    ]
    return join_blocks(blocks) + (f"\n{example}" if example else "")


def render_code(told: CodeExplained, width: int) -> str:
    """Return what a diagnostic means."""
    head = hang_text("", f"{told.code}: {told.title}", width, indent=2)
    said = [*_labelled("means", told.means, width), *_labelled("help", told.help, width)]
    return join_blocks([head, [*said, *_labelled("exit", str(told.exit_code), width)]])


def _column(rows: list[tuple[str, str]], width: int) -> list[str]:
    left = max((len(name) for name, _ in rows), default=0)
    return [line for name, text in rows for line in hang_text(f"  {name:<{left}}  ", text, width)]


def _labelled(label: str, text: str, width: int) -> list[str]:
    return hang_text(f"  {label:<8} ", text, width) if text else []


def _code(lines: tuple[str, ...], width: int) -> list[str]:
    shown = (escape_unprintable(line.expandtabs(TAB)) for line in lines)
    return [part for line in shown for part in _continued(f"      {line}".rstrip(), width)]


def _continued(line: str, width: int) -> list[str]:
    """Break a line of code that is too long at a blank, with a backslash as C has it."""
    margin = len(line) - len(line.lstrip())
    found = line.rfind(" ", margin, width - 2)
    if len(line) <= width or found <= margin:
        return [line]
    later = " " * min(margin + CONTINUED, width // 2) + line[found + 1 :].lstrip()
    if len(later) >= len(line):
        return [line]
    return [f"{line[:found].rstrip()} \\", *_continued(later, width)]

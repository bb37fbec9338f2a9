"""Variants side by side as text: verdicts, what calls cost, and one schedule for each excess.

In: a `SideBySide`. Out: plain ASCII text within the width. A cost above the least possible is
marked; the schedule shown for it is the one with the fewest vCPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flushproof.report.exit_code import verdict_counts
from flushproof.report.plain import DEFAULT_WIDTH, hang_text, pack_pieces, shorten_names
from flushproof.report.scope import describe_coverage
from flushproof.report.summary import explain_marks, names_of, verdict_tables
from flushproof.report.text import REPLAYED, join_blocks
from flushproof.report.trace_table import trace_table
from flushproof.results.costs import Cost, Costs, SideBySide
from flushproof.results.verdict import Expected, Report
from flushproof.support.record import replace
from flushproof.support.wording import count_noun

TITLE = "hypercalls that one call issues at most"
MORE, OPEN = "* more than the least possible, which is one for each root in use", "? not known"
END = "at most"
CELL = 4

Key = tuple[int, int]


def render(found: SideBySide, width: int = DEFAULT_WIDTH) -> str:
    """Return everything as text that ends in a newline."""
    reports = [_as_found(r) for r in found.reports]
    names = names_of(reports)
    pairs = tuple(zip(names, found.costs, strict=True))
    return join_blocks(
        [
            *verdict_tables(reports, width),
            explain_marks(reports, width),
            *_cost_tables(pairs, width),
            _legend(found.costs, width),
            *(_schedule(name, costs, width) for name, costs in pairs),
            *(_unknown(name, costs, width) for name, costs in pairs),
            *_scopes(pairs, width),
            [line for r in found.reports for line in _tally(r, width)],
        ]
    )


def _legend(costs: Sequence[Costs], width: int) -> list[str]:
    """Return what the marks beside costs mean, those that occur."""
    cells = [cell for c in costs for cell in c.cells]
    more, unknown = any(c.excess for c in cells), any(c.most is None for c in cells)
    pieces = [text for text, there in ((MORE, more), (OPEN, unknown)) if there]
    return pack_pieces(["; ".join(pieces)], width) if pieces else []


def _as_found(report: Report) -> Report:
    """Return the report under its path, with no verdict standing out as unexpected."""
    results = (replace(r, expected=Expected(r.verdict, r.smallest_vcpus)) for r in report.results)
    return replace(report, spec="", results=tuple(results))


def _tally(report: Report, width: int) -> list[str]:
    return hang_text("", f"{report.path}: {verdict_counts(report.results)}", width, indent=2)


# The table -------------------------------------------------------------------------------------


def _cost_tables(pairs: Sequence[tuple[str, Costs]], width: int) -> Iterator[list[str]]:
    """Yield tables that fit the width: a column for each number of vCPUs and of roots."""
    names = shorten_names([name for name, _ in pairs], width // 3)
    left = max(len(n) for n in (*names, "vCPUs")) + 2
    keys = sorted({(c.vcpus, c.roots) for _, costs in pairs for c in costs.cells})
    room = max(1, (width - left) // CELL)
    for start in range(0, len(keys), room):
        part = keys[start : start + room]
        cells = [[_shown(costs.at(*k)) for k in part] for _, costs in pairs]
        yield [
            *(hang_text("", TITLE, width) if start == 0 else []),
            _row("vCPUs", left, _changing([str(v) for v, _ in part])),
            _row("roots", left, [str(r) for _, r in part]),
            *(_row(name, left, row) for name, row in zip(names, cells, strict=True)),
            _row("least", left, [str(r) for _, r in part]),
        ]


def _changing(values: list[str]) -> list[str]:
    """Leave out what is the same as before."""
    return [v if k == 0 or values[k - 1] != v else "" for k, v in enumerate(values)]


def _row(name: str, left: int, cells: list[str]) -> str:
    return f"{name:<{left}}{''.join(f'{c:<{CELL}}' for c in cells)}".rstrip()


def _shown(cost: Cost | None) -> str:
    if cost is None:
        return "-"
    if cost.most is None:
        return "?"
    return f"{cost.most}*" if cost.excess else str(cost.most)


# Schedules -------------------------------------------------------------------------------------


def _schedule(name: str, costs: Costs, width: int) -> list[str]:
    cost = costs.telling
    if cost is None or cost.trace is None:
        return []
    return [
        *hang_text(
            f"{name}: ", f"{cost.trace.headline}, with {count_noun(cost.vcpus, 'vCPU')}", width, 2
        ),
        "",
        *trace_table(cost.trace, width, END),
        "",
        *hang_text("  because  ", cost.trace.because, width),
        *hang_text("  smallest ", cost.trace.smallest, width),
        *hang_text("  checked  ", REPLAYED, width),
    ]


def _unknown(name: str, costs: Costs, width: int) -> list[str]:
    reasons = dict.fromkeys(c.reason for c in costs.cells if c.most is None)
    return [line for r in reasons for line in hang_text(f"{name}: ", f"not known: {r}", width, 2)]


def _scopes(pairs: Sequence[tuple[str, Costs]], width: int) -> Iterator[list[str]]:
    """Yield what the costs cover, once for variants that share it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, costs in pairs:
        groups.setdefault((describe_coverage(costs), ", ".join(costs.assumptions)), []).append(name)
    for (scope, assumed), names in groups.items():
        yield [
            *hang_text("costs    ", ", ".join(names), width),
            *hang_text("  scope    ", scope, width),
            *(hang_text("  assuming ", assumed, width) if assumed else []),
        ]

"""Costs as the page shows them: a plot for each variant, a table, and the schedules.

In: variants side by side and the sources by name. Out: a `CostView` for the templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from flushproof.report.html.cases import ScheduleCase, cost_case
from flushproof.report.html.plot import Panel, cost_panels
from flushproof.report.scope import describe_coverage
from flushproof.results.costs import Cost, Costs
from flushproof.support.record import Record
from flushproof.support.source import Source
from flushproof.support.wording import count_noun


class Price(Record, frozen=True):
    """One cell of the table; `kind` chooses its colours, `target` is the anchor of its schedule."""

    text: str
    words: str
    kind: str
    target: str


class CostView(Record, frozen=True):
    """The table: groups of columns by vCPUs with their numbers of roots, a row for each variant."""

    columns: tuple[tuple[str, tuple[int, ...]], ...]
    rows: tuple[tuple[str, tuple[Price, ...]], ...]
    covers: tuple[tuple[str, str], ...]
    panels: tuple[Panel, ...]
    cases: tuple[ScheduleCase, ...]


def costs_view(
    names: Sequence[str], costs: Sequence[Costs], sources: Mapping[str, Source]
) -> CostView:
    """Arrange costs of variants by their names."""
    keys = sorted({(c.vcpus, c.roots) for each in costs for c in each.cells})
    groups = groupby(keys, key=lambda key: key[0])
    pairs = tuple(zip(names, costs, strict=True))
    return CostView(
        columns=tuple((count_noun(v, "vCPU"), tuple(r for _, r in part)) for v, part in groups),
        rows=tuple(
            (name, tuple(_price(k, each.at(*key)) for key in keys))
            for k, (name, each) in enumerate(pairs)
        ),
        covers=tuple((name, describe_coverage(each)) for name, each in pairs),
        panels=cost_panels(names, costs),
        cases=tuple(
            cost_case(_anchor(k, c), name, each, c, c.trace, sources)
            for k, (name, each) in enumerate(pairs)
            for c in each.cells
            if c.trace is not None
        ),
    )


def _anchor(number: int, cost: Cost) -> str:
    return f"c{number}-{cost.vcpus}-{cost.roots}"


def _price(number: int, cost: Cost | None) -> Price:
    if cost is None:
        return Price("-", "not looked for", "none", "")
    if cost.most is None:
        return Price("?", f"not known: {cost.reason}", "open", "")
    words = f"at most {count_noun(cost.most, 'hypercall')}, least possible {cost.least}"
    target = "" if cost.trace is None else _anchor(number, cost)
    text = f"{cost.most} (+{cost.excess})" if cost.excess else str(cost.most)
    return Price(text, words, "refuted" if cost.excess else "all", target)

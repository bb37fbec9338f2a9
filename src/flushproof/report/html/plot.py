"""The plot of costs: a panel for each variant, a bar for each number of vCPUs and of roots.

In: costs of variants. Out: geometry in pixels, that a template turns into SVG. The lower part of a
bar is what is needed, the upper part what is more than that; all panels have the same scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from flushproof.results.costs import Cost, Costs
from flushproof.support.record import Record
from flushproof.support.wording import count_noun

BAR = 15
STEP = 18
GROUP = 14
LEFT = 14
TOP = 46
PLOT = 84
BELOW = 40
TALLEST_UNIT = 20.0
ACROSS = 900
GAP = 22


class CostBar(Record, frozen=True):
    """One cost: `needed` and `excess` are heights above `base`, `outline` that of the least."""

    x: float
    base: float
    needed: float
    excess: float
    outline: float
    text: str
    roots: int
    wide: float = BAR

    @property
    def middle(self) -> float:
        """Return the middle of the bar."""
        return self.x + self.wide / 2


class BarGroup(Record, frozen=True):
    """The bars with one number of vCPUs, and where its name stands."""

    text: str
    middle: float
    bars: tuple[CostBar, ...]


class Panel(Record, frozen=True):
    """The plot of one variant; `told` says the same in words."""

    name: str
    width: float
    height: float
    base: float
    groups: tuple[BarGroup, ...]
    told: str


class Sheet(Record, frozen=True):
    """Panels on a drawing of their own, each with its place."""

    width: float
    height: float
    panels: tuple[tuple[float, float, Panel], ...]


def cost_panels(names: Sequence[str], costs: Sequence[Costs]) -> tuple[Panel, ...]:
    """Return a panel for each variant."""
    highest = max((max(c.most or 0, c.least) for each in costs for c in each.cells), default=1)
    unit = min(TALLEST_UNIT, PLOT / max(highest, 1))
    return tuple(_panel(name, each, unit) for name, each in zip(names, costs, strict=True))


def layout_sheet(shown: Sequence[Panel], above: float) -> Sheet:
    """Return panels side by side, a few in each row, below a heading of height `above`."""
    width = max((p.width for p in shown), default=0.0) + GAP
    height = max((p.height for p in shown), default=0.0) + GAP
    across = max(1, min(int(ACROSS // width), len(shown)))
    placed = tuple(
        (GAP + (k % across) * width, above + (k // across) * height, p) for k, p in enumerate(shown)
    )
    rows = -(-len(shown) // across)
    return Sheet(max(GAP + across * width, 480), above + rows * height, placed)


def _panel(name: str, costs: Costs, unit: float) -> Panel:
    base = TOP + PLOT
    groups = tuple(_groups(costs, unit, base))
    right = max((b.x + BAR for g in groups for b in g.bars), default=LEFT)
    told = "; ".join(_told(c) for c in costs.cells)
    return Panel(name, right + LEFT, base + BELOW, base, groups, told)


def _groups(costs: Costs, unit: float, base: float) -> Iterator[BarGroup]:
    x = float(LEFT)
    for vcpus, part in groupby(costs.cells, key=lambda c: c.vcpus):
        bars = []
        for cost in part:
            bars.append(_bar(cost, x, unit, base))
            x += STEP
        text = str(vcpus)
        yield BarGroup(text, (bars[0].x + bars[-1].x + BAR) / 2, tuple(bars))
        x += GROUP


def _bar(cost: Cost, x: float, unit: float, base: float) -> CostBar:
    most = cost.most or 0
    return CostBar(
        x=x,
        base=base,
        needed=min(most, cost.least) * unit,
        excess=cost.excess * unit,
        outline=cost.least * unit,
        text="?" if cost.most is None else str(cost.most),
        roots=cost.roots,
    )


def _told(cost: Cost) -> str:
    most = "not known" if cost.most is None else f"at most {cost.most}"
    where = f"{count_noun(cost.vcpus, 'vCPU')}, {count_noun(cost.roots, 'root')}"
    return f"{where}: {most}, least {cost.least}"

"""Two tiers of tests: `pytest` runs a sample of each kind, `pytest -m ''` runs all.

What is not in the sample is marked `slow`: by that mark, or as a parameter that the mark `sample`
of its function does not name. Of the spec files the sample is one of each kind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from support.places import SPECS

FAST = "not slow"
"""The expression of marks that `pyproject.toml` has, for want of another."""

SAMPLED_SPECS = frozenset(SPECS / f"{n}.spec" for n in ("vcpu0_first", "litmus/sb_half_fence"))
SIBLING = "FAST_SIBLING"
"""The variable by which a module that is slow throughout names the one that samples for it."""


Lump = range | ParameterSet
"""Seeds, and the mark that they are slow."""


class Tiers:
    """What was collected: the modules, which of them are slow throughout, and idle words."""

    def __init__(self, items: Iterable[pytest.Item]) -> None:
        self.fast: set[Path] = set()
        self.siblings: dict[Path, str | None] = {}
        self.words: dict[tuple[str, str], int] = defaultdict(int)
        for item in items:
            self._add(item)

    @property
    def slow_throughout(self) -> dict[Path, str | None]:
        """Modules without an item in the sample, and the siblings that they name."""
        return {p: s for p, s in self.siblings.items() if p not in self.fast}

    @property
    def idle_words(self) -> set[tuple[str, str]]:
        """Functions and words of their samples that no parameter has."""
        return {k for k, n in self.words.items() if not n}

    def _add(self, item: pytest.Item) -> None:
        module = item.getparent(pytest.Module)
        self.siblings[item.path] = getattr(module.obj, SIBLING, None) if module else None
        if not is_slow(item):
            self.fast.add(item.path)
        mark = item.get_closest_marker("sample")
        for word in mark.args if mark else ():
            function = item.nodeid.partition("[")[0]
            self.words[function, word] += word in _parameters(item)


TIERS = pytest.StashKey[Tiers]()


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Mark what is not in the sample."""
    before: Counter[str] = Counter()
    for item in items:
        function = item.nodeid.partition("[")[0]
        if not _in_sample(item, before[function]):
            item.add_marker(pytest.mark.slow)
        before[function] += 1


def is_slow(item: pytest.Item) -> bool:
    """Tell whether an item is left out of the sample."""
    return item.get_closest_marker("slow") is not None


def _in_sample(item: pytest.Item, position: int) -> bool:
    if item.path.suffix == ".spec":
        return item.path in SAMPLED_SPECS or SPECS not in item.path.parents
    mark = item.get_closest_marker("sample")
    if mark is None:
        return True
    every = mark.kwargs.get("every")
    named = any(word in _parameters(item) for word in mark.args)
    return named or (every is not None and position % every == 0)


def _parameters(item: pytest.Item) -> str:
    return item.callspec.id if isinstance(item, pytest.Function) else ""


def lumps(first: int, count: int, size: int, quick: int = 20) -> list[Lump]:
    """Return the seeds from `first` on as ranges, the first of them the sample, others slow.

    There are `quick` seeds in the sample, and `size` in each range after it.
    """
    end = first + count
    start = min(first + quick, end)
    rest = (range(k, min(k + size, end)) for k in range(start, end, size))
    return [range(first, start), *(pytest.param(r, marks=pytest.mark.slow) for r in rest)]


def seeds_of(lump: Lump) -> range:
    """Return the seeds of a lump."""
    seeds = lump if isinstance(lump, range) else lump.values[0]
    assert isinstance(seeds, range)
    return seeds

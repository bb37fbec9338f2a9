"""Who is told how far a run has come: of results, of mutants, and of what workers look at."""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap

from flushproof.results.mutation import MutantResult
from flushproof.results.verdict import ClaimResult
from flushproof.support.record import Record

SLOTS = 1024


class Board:
    """What workers have looked at so far: a byte for each claim, which forked ones share."""

    def __init__(self) -> None:
        self._counts = mmap(-1, SLOTS)

    def look(self, claim: int) -> None:
        """Count a number of vCPUs with which a claim has been looked at."""
        slot = claim % SLOTS
        self._counts[slot] = min(255, self._counts[slot] + 1)

    @property
    def looked(self) -> int:
        """How many claims times numbers of vCPUs have been looked at."""
        return sum(self._counts[:])


class Listener(Record, frozen=True):
    """Somebody who is told of each result, how many there will be, and what is looked at."""

    told: Callable[[ClaimResult], None]
    planned: Callable[[int], None]
    board: Board

    def __call__(self, result: ClaimResult) -> None:
        """Hear of one more result."""
        self.told(result)


class MutantListener(Record, frozen=True):
    """Somebody who is told how many mutants there are, and of each, in order."""

    planned: Callable[[int], None] = lambda _: None
    told: Callable[[MutantResult], None] = lambda _: None

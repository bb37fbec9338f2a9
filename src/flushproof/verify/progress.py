"""Who is told how far a run has come: of results, of mutants, and of what workers look at.

Workers are processes that were forked, so a board is memory that they share with who shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from mmap import mmap
from zlib import crc32

from msgspec import msgpack

from flushproof.results.mutation import MutantResult
from flushproof.results.verdict import ClaimResult, EarlyVerdict
from flushproof.support.record import Record

SLOTS = 1024
NOTES = 128
"""So many claims at once may have an early verdict told."""
NOTE, HEAD = 4096, 8


class Board:
    """What workers have looked at so far, and what they know already of claims that are open."""

    def __init__(self) -> None:
        self._counts = mmap(-1, SLOTS)
        self._notes = mmap(-1, NOTES * NOTE)

    def look(self, claim: int) -> None:
        """Count a number of vCPUs with which a claim has been looked at."""
        slot = claim % SLOTS
        self._counts[slot] = min(255, self._counts[slot] + 1)

    @property
    def looked(self) -> int:
        """How many claims times numbers of vCPUs have been looked at."""
        return sum(self._counts[:])

    def note(self, claim: int, early: EarlyVerdict | None) -> None:
        """Put up what is known of a claim by now; None takes it down.

        What is too long is not put up. The length is written last, and what is read meanwhile has
        a wrong sum.
        """
        if claim >= NOTES:
            return
        text = b"" if early is None else msgpack.encode(early)
        start = claim * NOTE
        self._notes[start : start + HEAD] = bytes(HEAD)
        if not text or len(text) > NOTE - HEAD:
            return
        self._notes[start + HEAD : start + HEAD + len(text)] = text
        head = len(text).to_bytes(4) + crc32(text).to_bytes(4)
        self._notes[start : start + HEAD] = head

    @property
    def early(self) -> tuple[EarlyVerdict, ...]:
        """What is known by now of claims that are still open."""
        found = (self._read(claim * NOTE) for claim in range(NOTES))
        return tuple(early for early in found if early is not None)

    def _read(self, start: int) -> EarlyVerdict | None:
        head = self._notes[start : start + HEAD]
        length, total = int.from_bytes(head[:4]), int.from_bytes(head[4:])
        text = self._notes[start + HEAD : start + HEAD + min(length, NOTE - HEAD)]
        if not text or crc32(text) != total:
            return None
        return msgpack.decode(text, type=EarlyVerdict)


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

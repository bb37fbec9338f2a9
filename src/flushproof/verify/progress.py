"""Progress on stderr: only on a terminal, only once a second has passed, with an estimate.

In: a stream, whether it is a terminal, and a clock. Out: one line that rewrites itself and is gone
before anything else is printed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from mmap import mmap
from typing import TextIO

from flushproof.results.mutation import MutantResult
from flushproof.results.verdict import ClaimResult
from flushproof.support.record import Record

PATIENCE = 1.0
INTERVAL = 0.25
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


def progress_line(done: int, total: int | None, noun: str, elapsed: float, looked: int = 0) -> str:
    """Return such as "3 of 7 claims, 9 vCPU counts, 4 s, about 6 s left"."""
    counts = f", {looked} vCPU count{'' if looked == 1 else 's'}" if looked else ""
    if total is None or done == 0:
        reached = f"{done} {noun} done" if total is None else f"{done} of {total} {noun}"
        return f"{reached}{counts}, {elapsed:.0f} s"
    left = elapsed / done * max(total - done, 0)
    return f"{done} of {total} {noun}{counts}, {elapsed:.0f} s, about {left:.0f} s left"


class Progress:
    """Counts finished parts of a job and shows them while it runs."""

    def __init__(
        self,
        stream: TextIO,
        *,
        shown: bool,
        noun: str,
        total: int | None,
        clock: Callable[[], float],
        board: Board | None = None,
    ) -> None:
        self._board = board
        self._timed = False
        self._stream = stream
        self._shown = shown
        self._noun = noun
        self._total = total
        self._clock = clock
        self._started = clock()
        self._done = 0
        self._last = ""

    def expect(self, total: int) -> None:
        """Learn how many parts there are."""
        self._total = total

    def advance(self) -> None:
        """Count one more finished part."""
        self._done += 1
        self.tick()

    def tick(self) -> None:
        """Show what has been reached by now."""
        elapsed = self._clock() - self._started
        if self._shown and elapsed >= PATIENCE:
            looked = 0 if self._board is None else self._board.looked
            line = progress_line(self._done, self._total, self._noun, elapsed, looked)
            self._write(line)

    def start(self) -> None:
        """Show it again and again from now on, also while nothing is finished.

        A timer does it rather than a thread, since workers are forked. Without a main thread or
        timers the line appears when something is finished only.
        """
        if not self._shown or threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGALRM, lambda *_: self.tick())
        signal.setitimer(signal.ITIMER_REAL, PATIENCE, INTERVAL)
        self._timed = True

    def clear(self) -> None:
        """Remove the line for good."""
        if self._timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            self._timed = False
        if self._last:
            self._write("")

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line:<{len(self._last)}}" + ("" if line else "\r"))
        self._stream.flush()
        self._last = line


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

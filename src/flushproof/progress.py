"""Progress on stderr: only on a terminal, only once a second has passed, with an estimate.

In: a stream, whether it is a terminal, and a clock. Out: one line that rewrites itself and is gone
before anything else is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

PATIENCE = 1.0


def progress_line(done: int, total: int | None, noun: str, elapsed: float) -> str:
    """Return such as "3 of 7 specs, 4 s, about 6 s left"."""
    if total is None or done == 0:
        return f"{done} {noun} done, {elapsed:.0f} s"
    left = elapsed / done * max(total - done, 0)
    return f"{done} of {total} {noun}, {elapsed:.0f} s, about {left:.0f} s left"


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
    ) -> None:
        self._stream = stream
        self._shown = shown
        self._noun = noun
        self._total = total
        self._clock = clock
        self._started = clock()
        self._done = 0
        self._last = ""

    def advance(self) -> None:
        """Count one more finished part."""
        self._done += 1
        elapsed = self._clock() - self._started
        if self._shown and elapsed >= PATIENCE:
            self._write(progress_line(self._done, self._total, self._noun, elapsed))

    def clear(self) -> None:
        """Remove the line."""
        if self._last:
            self._write("")

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line:<{len(self._last)}}" + ("" if line else "\r"))
        self._stream.flush()
        self._last = line

"""Progress on stderr: on a terminal, only once a second has passed, with an estimate.

In: a stream, whether it is a terminal, a clock, and a board of what workers know. Out: one line,
cut to the terminal's width, and below it what is known of claims that are open; all is gone before
anything else is printed. Where there is no terminal, such a claim is told of in a line of its own,
once. What commands say of finished parts has a line each, too, on a terminal above the one that is
rewritten.
"""

from __future__ import annotations

import signal
import textwrap
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from flushproof.cli.terminal import Terminal, write_text
from flushproof.report.plain import escape_unprintable
from flushproof.report.scope import early_phrase
from flushproof.results.verdict import EarlyVerdict
from flushproof.verify.progress import Board

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0
INTERVAL = 0.25


def progress_line(done: int, total: int | None, noun: str, elapsed: float, looked: int = 0) -> str:
    """Return such as "3 of 7 claims, 9 vCPU counts, 4 s, about 6 s left"."""
    counts = f", {looked} vCPU count{'' if looked == 1 else 's'}" if looked else ""
    if total is None or done == 0:
        reached = f"{done} {noun} done" if total is None else f"{done} of {total} {noun}"
        return f"{reached}{counts}, {elapsed:.0f} s"
    left = elapsed / done * max(total - done, 0)
    return f"{done} of {total} {noun}{counts}, {elapsed:.0f} s, about {left:.0f} s left"


class ProgressLine:
    """Counts finished parts of a job, and shows them and what is known early while it runs."""

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
        # Made at once: the timer may ring in the middle of an import.
        self._screen = _make_screen(stream) if shown else None
        self._stream = None if shown or board is None else stream
        self._lines = None if shown else stream
        self._running = ""
        self._told: set[str] = set()
        self._line: TaskID | None = None
        self._noun = noun
        self._total = total
        self._clock = clock
        self._started = clock()
        self._done = 0

    def expect(self, total: int) -> None:
        """Learn how many parts there are."""
        self._total = total

    def begin(self, running: str) -> None:
        """Learn what is at work before anything is finished."""
        self._running = running

    def advance(self, said: str = "", running: str = "") -> None:
        """Count one more finished part.

        What is `said` of it has a line of its own once a second has passed; `running` names what
        is at work now.
        """
        self._done += 1
        self._running = running
        if said:
            self._say(said)
        self.tick()

    def _say(self, text: str) -> None:
        elapsed = self._clock() - self._started
        if elapsed < PATIENCE:
            return
        shown = escape_unprintable(text)
        if self._screen is not None:
            self._screen.console.print(shown, markup=False, highlight=False, soft_wrap=True)
        elif self._lines is not None:
            reached = progress_line(self._done, self._total, self._noun, elapsed)
            at_work = f"; running: {self._running}" if self._running else ""
            write_text(self._lines, f"{shown} ({reached}{escape_unprintable(at_work)})\n")

    def tick(self) -> None:
        """Show what has been reached by now."""
        if self._stream is not None:
            self._tell_early(self._stream)
        if self._screen is None:
            return
        now = self._clock()
        elapsed = now - self._started
        if elapsed < PATIENCE:
            return
        looked = 0 if self._board is None else self._board.looked
        line = progress_line(self._done, self._total, self._noun, elapsed, looked)
        width = self._screen.console.width
        if self._running:
            line = f"{line}; running: {escape_unprintable(self._running)}"
        line = "\n".join((line, *(_wrapped(early, width) for early in self._known_early(now))))
        if self._line is None:
            self._line = self._screen.add_task(line)
            self._screen.start()
        self._screen.update(self._line, description=line, refresh=True)

    def _tell_early(self, stream: TextIO) -> None:
        """Write a plain line for each claim of which something is known that was not told of."""
        for early in self._known_early(self._clock()):
            if early.claim not in self._told:
                self._told.add(early.claim)
                write_text(stream, f"{escape_unprintable(early_phrase(early))}\n")

    def _known_early(self, now: float) -> tuple[EarlyVerdict, ...]:
        """Return what is known of claims that have been open for a while."""
        known = () if self._board is None else self._board.early
        return tuple(early for early in known if now - early.since >= PATIENCE)

    def start(self) -> None:
        """Show it again and again from now on, also while nothing is finished.

        A timer does it rather than a thread, since workers are forked. Without a main thread or
        timers the line appears when something is finished only.
        """
        unseen = self._screen is None and self._stream is None
        if unseen or threading.current_thread() is not threading.main_thread():
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
        if self._screen is not None:
            self._screen.stop()
            self._screen = None
        self._stream = None


def _wrapped(early: EarlyVerdict, width: int) -> str:
    """Return what is known early in whole, since a scope cut short would say too much."""
    text = escape_unprintable(early_phrase(early))
    return textwrap.fill(text, max(width, 20), initial_indent="  ", subsequent_indent="    ")


def _make_screen(stream: TextIO) -> Progress:
    """Return a line that is drawn only when it is told to, without colour, and removed at last."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn
    from rich.table import Column

    console = Console(file=stream, force_terminal=True, color_system=None)
    # A run that is killed would leave the terminal without its cursor.
    console.show_cursor = lambda show=True: False  # type: ignore[method-assign] # noqa: ARG005
    column = Column(no_wrap=True, overflow="crop")
    return Progress(
        TextColumn("{task.description}", style="none", markup=False, table_column=column),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def start_progress(
    terminal: Terminal, noun: str, total: int | None, board: Board | None = None
) -> ProgressLine:
    """Return a progress line that shows itself from now on."""
    progress = ProgressLine(
        terminal.err,
        shown=terminal.live,
        noun=noun,
        total=total,
        clock=time.monotonic,
        board=board,
    )
    progress.start()
    return progress

"""The progress line of a command, on its terminal and by the clock."""

from __future__ import annotations

import time

from flushproof.cli.terminal import Terminal
from flushproof.verify.progress import Board, Progress


def start_progress(
    terminal: Terminal, noun: str, total: int | None, board: Board | None = None
) -> Progress:
    """Return a progress line that shows itself from now on, in a terminal only."""
    progress = Progress(
        terminal.err,
        shown=terminal.live,
        noun=noun,
        total=total,
        clock=time.monotonic,
        board=board,
    )
    progress.start()
    return progress

"""`flushproof watch`: a file checked again on each save."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from flushproof.cli.command import Command
from flushproof.cli.commands.watch.watcher import FileWatcher
from flushproof.cli.failures import EXIT_INTERRUPTED
from flushproof.cli.terminal import Terminal
from flushproof.frontend.c.load import load_source

PAUSE = 0.3
CLEAR = "\x1b[2J\x1b[H"


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="a spec file to check, or C to prove")
    command.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        metavar="...",
        help="options of `check`, or of `prove`, behind the file",
    )


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    load_source(arguments.file)
    command = "check" if arguments.file.endswith(".spec") else "prove"
    typed = [command, arguments.file, *arguments.options]
    again = partial(watch_check, arguments.main, typed, terminal)
    watcher = FileWatcher(arguments.file, again, partial(time.sleep, PAUSE))
    with suppress(KeyboardInterrupt):
        watcher.run()
    return 0


def watch_check(
    main: Callable[[list[str]], int], typed: list[str], terminal: Terminal, count: int
) -> None:
    """Run a command line on a cleared screen.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    if terminal.out.isatty() and terminal.environ.get("TERM") != "dumb":
        terminal.raw(CLEAR)
    elif count:
        terminal.raw("\n")
    if main(typed) == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if terminal.live:
        terminal.err.write("watching; Ctrl-C ends\n")


COMMAND = Command("watch", "check a file again on each save", _add, _run)

"""What the command line needs to know of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from flushproof.cli.terminal import Terminal
from flushproof.support.record import Record


class Command(Record, frozen=True):
    """One command: its name and purpose, its arguments, and what it does.

    `run` returns the exit code. It may raise `InputError`, `InternalError` and
    `KeyboardInterrupt`, which the command line turns into messages and exit codes.
    """

    name: str
    purpose: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Terminal], int]

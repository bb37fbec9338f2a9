"""What the command line needs to know of a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from flushproof.cli.terminal import Terminal
from flushproof.support.record import Record
from flushproof.verify.options import parse_range


class Command(Record, frozen=True):
    """One command: its name and purpose, its arguments, and what it does.

    `run` returns the exit code. It may raise `InputError`, `InternalError` and
    `KeyboardInterrupt`, which the command line turns into messages and exit codes.
    """

    name: str
    purpose: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Terminal], int]


def add_bounds(to: argparse._ActionsContainer) -> None:
    """Add the bounds of a search: vCPUs, loads and flushes."""
    to.add_argument("--vcpus", metavar="N|A..B", help="up to N vCPUs, or A to B vCPUs")
    to.add_argument("--loads", type=int, metavar="N", help="loads per vCPU")
    to.add_argument("--flushes", type=int, metavar="N", help="flushes per flusher")


def add_jobs(to: argparse._ActionsContainer) -> None:
    """Add the number of processes."""
    to.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="processes, 0: as many as CPUs"
    )


def vcpus_asked(arguments: argparse.Namespace) -> tuple[int, int] | None:
    """Return the range of vCPUs on the command line, None where there is none.

    Raises:
        InputError: it is no range.
    """
    return None if arguments.vcpus is None else parse_range(arguments.vcpus)

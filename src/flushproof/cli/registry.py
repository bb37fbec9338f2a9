"""The commands: each module or folder says how one is called and what it does.

A command's module imports neither the solver, the parser nor the colours before it runs.
"""

from __future__ import annotations

from flushproof.cli.command import Command
from flushproof.cli.commands import (
    check,
    compare,
    completion,
    config,
    explain,
    mutate,
    nfc,
    prove,
    recheck,
    refute,
    replay,
    reproduce,
    review,
    sweep,
    watch,
)

COMMANDS: tuple[Command, ...] = (
    prove.COMMAND,
    refute.COMMAND,
    check.COMMAND,
    nfc.COMMAND,
    review.COMMAND,
    compare.COMMAND,
    explain.COMMAND,
    replay.COMMAND,
    mutate.COMMAND,
    recheck.COMMAND,
    reproduce.COMMAND,
    sweep.COMMAND,
    watch.COMMAND,
    config.COMMAND,
    completion.COMMAND,
)
"""In the order in which `--help` shows them."""

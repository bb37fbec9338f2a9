"""Commands that stand by themselves: each module says how it is called and what it does.

A command's module imports neither the solver, the parser nor the colours before it runs.
"""

from __future__ import annotations

from flushproof.cli.command import Command
from flushproof.cli.commands import (
    compare,
    completion,
    config,
    explain,
    mutate,
    recheck,
    replay,
    reproduce,
    sweep,
    watch,
)

COMMANDS: tuple[Command, ...] = (
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

"""`flushproof compare`: variants side by side, in what holds of them and in what a call costs."""

from flushproof.cli.commands.compare.command import COMMAND

__all__ = ["COMMAND"]

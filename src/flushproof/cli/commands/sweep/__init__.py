"""`flushproof sweep`: many files under many bounds."""

from flushproof.cli.commands.sweep.command import COMMAND

__all__ = ["COMMAND"]

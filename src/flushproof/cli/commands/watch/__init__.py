"""`flushproof watch`: a file checked again on each save."""

from flushproof.cli.commands.watch.command import COMMAND

__all__ = ["COMMAND"]

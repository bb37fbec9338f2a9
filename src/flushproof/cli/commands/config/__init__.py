"""`flushproof config`: what holds, and who says so."""

from flushproof.cli.commands.config.command import COMMAND

__all__ = ["COMMAND"]

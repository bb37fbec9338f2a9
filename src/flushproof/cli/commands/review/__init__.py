"""`flushproof review`: what a patch does to the claims, and whether its message is true."""

from flushproof.cli.commands.review.command import COMMAND

__all__ = ["COMMAND"]

"""`flushproof mutate`: small edits of a variant, and which claims notice them."""

from flushproof.cli.commands.mutate.command import COMMAND

__all__ = ["COMMAND"]

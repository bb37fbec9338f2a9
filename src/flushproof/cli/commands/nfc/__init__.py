"""`flushproof nfc`: two variants held against each other, under the same operations."""

from flushproof.cli.commands.nfc.command import COMMAND

__all__ = ["COMMAND"]

"""`flushproof prove` and `refute`: claims about C files, or what a file is taken for."""

from flushproof.cli.commands.prove.command import COMMAND

__all__ = ["COMMAND"]

"""`flushproof replay`: a saved counterexample, step by step or elsewhere."""

from flushproof.cli.commands.replay.command import COMMAND

__all__ = ["COMMAND"]

"""`flushproof refute`: `prove`, expecting counterexamples of the claims that are named."""

from __future__ import annotations

from functools import partial

from flushproof.cli.command import Command
from flushproof.cli.commands.prove.arguments import add_arguments
from flushproof.cli.commands.prove.command import run_decision

COMMAND = Command(
    "refute",
    "search for a counterexample to one claim about a C file",
    partial(add_arguments, claims=True, evidence=False),
    partial(run_decision, "refute"),
)

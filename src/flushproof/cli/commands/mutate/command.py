"""`flushproof mutate FILE`: small edits of a variant, and which claims notice them."""

from __future__ import annotations

import argparse
from typing import ClassVar

from flushproof.cli.arguments import PLAIN, add_groups, add_named, read_options
from flushproof.cli.command import Command
from flushproof.cli.commands.mutate import json as mutate_json
from flushproof.cli.commands.mutate import text as mutate_text
from flushproof.cli.progress_line import start_progress
from flushproof.cli.terminal import Terminal
from flushproof.report import json_report as json
from flushproof.results.mutation import MutantResult, Mutation
from flushproof.results.verdict import EXIT_OK
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.verify.option import Group
from flushproof.verify.options import Options
from flushproof.verify.progress import MutantListener


class NoSuchMutant(Diagnostic, frozen=True, kw_only=True):
    """A number that no mutant has."""

    CODE: ClassVar[str] = "FP0127"
    TITLE: ClassVar[str] = "there is no mutant {number}"
    HELP: ClassVar[str] = "they are numbered 1..{count}"
    EXIT: ClassVar[int] = EXIT_USAGE

    number: int
    count: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="the variant: C, a spec or a kernel file")
    parser.add_argument("--spec", metavar="FILE", help="take the set-up from this spec file")
    add_named(parser, "claim")
    parser.add_argument(
        "--all-claims",
        action="store_true",
        help="ask every claim about every mutant, not only until one notices",
    )
    parser.add_argument(
        "--write", type=int, metavar="N", help="print the text of mutant N, and decide nothing"
    )
    add_groups(parser, Group.SEARCH)
    add_named(parser, "folders")
    add_named(parser, "jobs")
    add_named(parser, "format", choices=PLAIN)


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Judge the mutants and show them; return the exit code."""
    options = read_options(arguments)
    if arguments.write is not None:
        terminal.raw(_text(arguments, options))
        return EXIT_OK
    found = _mutate(arguments, options, terminal)
    if arguments.format == "json":
        terminal.raw(json.dump_document(mutate_json.mutation_document(found)))
    else:
        terminal.report(mutate_text.render(found, terminal.width))
    return found.exit_code


def _mutate(arguments: argparse.Namespace, options: Options, terminal: Terminal) -> Mutation:
    from flushproof import pipeline

    progress = start_progress(terminal, "mutants", None)

    def on_mutant(found: MutantResult) -> None:
        progress.advance(mutate_text.describe_result(found))

    listener = MutantListener(progress.expect, on_mutant)
    try:
        return pipeline.mutate(
            arguments.file, arguments.spec, options, listener, every=arguments.all_claims
        )
    finally:
        progress.clear()


def _text(arguments: argparse.Namespace, options: Options) -> str:
    from flushproof.features.mutation.mutants import make_mutants
    from flushproof.pipeline import Passes

    number: int = arguments.write
    listed = make_mutants(Passes(arguments.file, arguments.spec, options).setup)
    if not 1 <= number <= len(listed):
        raise InputError(NoSuchMutant(span=None, number=number, count=len(listed)))
    return listed[number - 1].source.text


COMMAND = Command(
    name="mutate",
    purpose="edit a variant in small ways, and say which claims notice each edit",
    add=add_arguments,
    run=run,
)

"""`flushproof mutate FILE`: small edits of a variant, and which claims notice them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, ClassVar

from flushproof.cli.arguments import PLAIN, add_groups, add_named, read_options
from flushproof.cli.command import Command
from flushproof.cli.progress_line import start_progress
from flushproof.cli.terminal import Terminal
from flushproof.features.mutation import json as mutate_json
from flushproof.features.mutation import text as mutate_text
from flushproof.report import json_report as json
from flushproof.results.mutation import MutantResult, Mutation
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.verify.option import Group

if TYPE_CHECKING:
    from flushproof.features.mutation.decide import Asked
    from flushproof.features.mutation.origin import SetupOrigin


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
    from flushproof.features.mutation.decide import Asked
    from flushproof.features.mutation.origin import read_origin
    from flushproof.verify.set_up import configure_setup, select_claims

    options = read_options(arguments)
    start = read_origin(arguments.file, arguments.spec, options.choices)
    claims = select_claims(start.setup, options)
    start = start.under(configure_setup(start.setup, options))
    if arguments.write is not None:
        terminal.raw(_text(start, arguments.write))
        return 0
    asked = Asked(claims, arguments.all_claims, options.processes)
    found = _mutate(start, asked, terminal)
    if arguments.format == "json":
        terminal.raw(json.dump_document(mutate_json.mutation_document(found)))
    else:
        terminal.report(mutate_text.render(found, terminal.width))
    return found.exit_code


def _mutate(start: SetupOrigin, asked: Asked, terminal: Terminal) -> Mutation:
    from flushproof.features.mutation.decide import judge_mutants
    from flushproof.features.mutation.mutants import make_mutants

    total = len(make_mutants(start.setup))
    progress = start_progress(terminal, "mutants", total)

    def on_mutant(_: MutantResult) -> None:
        progress.advance()

    try:
        return judge_mutants(start, asked, on_mutant)
    finally:
        progress.clear()


def _text(start: SetupOrigin, number: int) -> str:
    from flushproof.features.mutation.mutants import make_mutants

    listed = make_mutants(start.setup)
    if not 1 <= number <= len(listed):
        raise InputError(NoSuchMutant(span=None, number=number, count=len(listed)))
    return listed[number - 1].source.text


COMMAND = Command(
    name="mutate",
    purpose="edit a variant in small ways, and say which claims notice each edit",
    add=add_arguments,
    run=run,
)

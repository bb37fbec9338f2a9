"""`flushproof review`: what a patch does to the claims, and whether its message is true."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, ClassVar

from flushproof.cli.arguments import (
    add_bounds,
    add_kernel,
    add_named,
    add_output,
    read_options,
    refuse_twice_said,
)
from flushproof.cli.command import Command
from flushproof.cli.failures import limited_run
from flushproof.cli.progress_line import start_progress
from flushproof.cli.terminal import Terminal, load_sources
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.verify.option import Group
from flushproof.verify.options import Options, Reviewing

if TYPE_CHECKING:
    from flushproof.results.review import Review


class Needs(Diagnostic, frozen=True, kw_only=True):
    """An option that another argument cannot do without."""

    CODE: ClassVar[str] = "FP0101"
    TITLE: ClassVar[str] = "`{what}` needs `{option} FILE`"
    EXIT: ClassVar[int] = EXIT_USAGE

    what: str
    option: str


def _add(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("patch", nargs="?", metavar="PATCH", help="a patch, a mail or an mbox")
    what.add_argument("--git", metavar="REV..REV", help="what these commits did to --path")
    command.add_argument("--base", metavar="FILE", help="the file before the patch")
    command.add_argument(
        "--path", metavar="FILE", help="with --git: the file; else: which file of the patch"
    )
    command.add_argument("--spec", metavar="FILE", help="take the set-up from this spec file")
    add_kernel(command)
    add_named(command, "claim")
    add_bounds(command, Group.LIMITS, Group.METHOD)
    add_output(command)


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    options = read_options(arguments)
    refuse_twice_said(options, arguments.spec)
    reviewing = _reviewing(arguments)
    with limited_run(options.megabytes, arguments.format, terminal):
        found = _review(reviewing, arguments.spec, options, terminal)
        _show(found, arguments.format, terminal)
        return found.exit_code


def _reviewing(arguments: argparse.Namespace) -> Reviewing:
    base = arguments.path if arguments.git else arguments.base
    if base is None:
        needs, option = ("--git", "--path") if arguments.git else ("PATCH", "--base")
        raise InputError(Needs(span=None, what=needs, option=option))
    return Reviewing(base, arguments.patch or "", arguments.git or "", arguments.path)


def _review(reviewing: Reviewing, spec: str | None, options: Options, terminal: Terminal) -> Review:
    from flushproof import pipeline

    progress = start_progress(terminal, "versions", None)
    try:
        return pipeline.review(reviewing, spec, options, lambda _: progress.advance())
    finally:
        progress.clear()


def _show(found: Review, form: str, terminal: Terminal) -> None:
    from flushproof.cli.commands.review import json as review_json
    from flushproof.cli.commands.review import text
    from flushproof.report import json_report as json

    if form == "json":
        terminal.raw(json.dump_document(review_json.review_document(found)))
    else:
        sources = load_sources(text.list_reviewed_files(found))
        terminal.report(text.render(found, sources, terminal.width))


COMMAND = Command(
    "review",
    "say what a patch fixes, breaks and changes, and whether its message is true",
    _add,
    _run,
)

"""`flushproof prove`, and what `refute` shares with it."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from flushproof.cli.command import Command
from flushproof.cli.commands.prove.arguments import add_arguments, read_arguments
from flushproof.cli.commands.prove.one_file import EvidenceShown, decide_file
from flushproof.cli.commands.prove.stages import show_parts, show_stage, show_steps
from flushproof.cli.failures import limited_run
from flushproof.cli.many_files import decide_files
from flushproof.cli.terminal import Terminal
from flushproof.cli.verdict_output import place_output
from flushproof.results.verdict import EXIT_OK
from flushproof.support.atomic_write import check_writable
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.verify.certificate.head import BEGINS
from flushproof.verify.options import Options

if TYPE_CHECKING:
    from flushproof.runner.jobs import Decision


class NoPage(Diagnostic, frozen=True, kw_only=True):
    """A page was asked for, and nothing is decided that it could show."""

    CODE: ClassVar[str] = "FP0126"
    TITLE: ClassVar[str] = "`--html` needs verdicts, and this decides nothing"
    HELP: ClassVar[str] = "leave out `--emit`, `--list` or `--explain-atomicity`"
    EXIT: ClassVar[int] = EXIT_USAGE


def run_decision(decision: Decision, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show a stage of a file, or decide its claims; return the exit code."""
    options = read_arguments(arguments)
    with limited_run(options.megabytes, arguments.format, terminal):
        instead = arguments.emit or arguments.explain_atomicity or arguments.list
        if instead and arguments.html is not None:
            raise InputError(NoPage(span=None))
        output = place_output(arguments, terminal, tuple(arguments.files))
        output.check_places(options)
        if instead:
            return _show_instead(arguments, options, terminal)
        evidence = _evidence(arguments)
        if evidence.certificate is not None:
            check_writable(evidence.certificate, BEGINS)
        from flushproof.runner.jobs import Task

        files = tuple(dict.fromkeys(arguments.files))
        tasks = [Task(decision, file, arguments.spec, options) for file in files]
        if len(arguments.files) > 1:
            return decide_files(tasks, "files", output)
        return decide_file(tasks[0], evidence, output)


def _evidence(arguments: argparse.Namespace) -> EvidenceShown:
    typed = vars(arguments)
    return EvidenceShown(typed.get("show_invariant", False), typed.get("certificate"))


def _show_instead(arguments: argparse.Namespace, options: Options, terminal: Terminal) -> int:
    path, spec, form = arguments.files[0], arguments.spec, arguments.format
    if arguments.emit is not None:
        show_stage(path, spec, arguments.emit, options, terminal)
    elif arguments.explain_atomicity:
        show_steps(path, spec, options, form, terminal)
    else:
        show_parts(path, spec, options, form, terminal)
    return EXIT_OK


COMMAND = Command(
    "prove",
    "prove every claim about a C file, or show where it fails",
    partial(add_arguments, claims=False, evidence=True),
    partial(run_decision, "prove"),
)

"""`flushproof nfc`: two variants held against each other, under the same operations."""

from __future__ import annotations

import argparse

from flushproof.cli.arguments import (
    add_bounds,
    add_kernel,
    add_output,
    read_options,
    refuse_twice_said,
)
from flushproof.cli.command import Command
from flushproof.cli.failures import limited_run
from flushproof.cli.terminal import Terminal, load_sources
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.verify.option import Group
from flushproof.verify.options import Comparing


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument("old", metavar="OLD", help="the old variant, C or a spec file")
    command.add_argument("new", metavar="NEW", help="the new variant, C or a spec file")
    command.add_argument("--spec", metavar="FILE", help="take the set-up of both from this file")
    command.add_argument(
        "--as",
        dest="compared",
        choices=[str(c) for c in Compared],
        default=str(Compared.SEQUENCE),
        help="compare each call's hypercalls and result, or the set of its roots only",
    )
    _add_since(command.add_mutually_exclusive_group())
    command.add_argument(
        "--expect",
        choices=[str(r) for r in Relation if r not in (Relation.BOUNDED, Relation.UNKNOWN)],
        default=str(Relation.EQUAL),
        help="the verdict for which to exit with 0",
    )
    add_kernel(command)
    add_bounds(command, Group.LIMITS)
    add_output(command)


def _add_since(start: argparse._MutuallyExclusiveGroup) -> None:
    start.add_argument(
        "--from",
        dest="since",
        choices=[str(s) for s in Since],
        default=str(Since.BOOT),
        help="compare all calls, or those after any vCPU has loaded",
    )
    start.add_argument(
        "--after-load",
        dest="since",
        action="store_const",
        const=str(Since.LOAD),
        help="the same as `--from load`",
    )


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    options = read_options(arguments)
    refuse_twice_said(options, arguments.spec, (arguments.old, arguments.new))
    comparing = Comparing(
        Compared(arguments.compared), Since(arguments.since), Relation(arguments.expect)
    )
    with limited_run(options.megabytes, arguments.format, terminal):
        from flushproof import pipeline
        from flushproof.cli.commands.nfc import json as nfc_json
        from flushproof.cli.commands.nfc import text
        from flushproof.report import json_report as json

        found = pipeline.nfc(arguments.old, arguments.new, arguments.spec, options, comparing)
        if arguments.format == "json":
            terminal.raw(json.dump_document(nfc_json.comparison_document(found)))
        else:
            sources = load_sources(text.list_compared_files(found))
            terminal.report(text.render(found, sources, terminal.width))
        return found.exit_code


COMMAND = Command(
    "nfc",
    "compare two variants: do both issue the same hypercalls and return the same?",
    _add,
    _run,
)

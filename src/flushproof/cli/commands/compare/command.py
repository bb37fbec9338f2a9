"""`flushproof compare`: variants side by side, in what holds of them and in what a call costs."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from flushproof.cli.arguments import PLAIN, add_named, read_options
from flushproof.cli.command import Command
from flushproof.cli.progress_line import start_progress
from flushproof.cli.terminal import Terminal, load_sources
from flushproof.support.atomic_write import DRAWING, PAGE, check_writable, write_atomically
from flushproof.verify.options import Options

if TYPE_CHECKING:
    from flushproof.results.costs import SideBySide


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help="the variants, C or spec files")
    command.add_argument("--spec", metavar="FILE", help="take the set-up of all C from this file")
    add_named(command, "claim")
    _add_bounds(command.add_argument_group("bounds"))
    _add_files(command.add_argument_group("files"))


def _add_bounds(bounds: argparse._ArgumentGroup) -> None:
    add_named(bounds, "vcpus", metavar="N", help="costs, and verdicts, for up to N vCPUs")
    for name in ("loads", "flushes", "engine", "jobs", "max-steps", "cache-dir", "no-cache"):
        add_named(bounds, name)


def _add_files(files: argparse._ArgumentGroup) -> None:
    add_named(files, "format", choices=PLAIN)
    add_named(files, "html")
    files.add_argument("--svg", metavar="FILE", help="draw the costs in this file")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    for path, begins in ((arguments.html, PAGE), (arguments.svg, DRAWING)):
        if path is not None:
            check_writable(path, begins)
    found = _compared(arguments, read_options(arguments), terminal)
    _show(found, arguments, terminal)
    return found.exit_code


def _show(found: SideBySide, arguments: argparse.Namespace, terminal: Terminal) -> None:
    from flushproof.cli.commands.compare import json as costs_json
    from flushproof.cli.commands.compare import text as costs_text
    from flushproof.report import json_report as json
    from flushproof.report.html import page

    if arguments.format == "json":
        terminal.raw(json.dump_document(costs_json.costs_document(found)))
    else:
        terminal.report(costs_text.render(found, terminal.width))
    if arguments.svg is not None:
        write_atomically(arguments.svg, page.render_drawing(found), DRAWING)
    if arguments.html is not None:
        write_atomically(
            arguments.html,
            page.render_side_by_side(found, load_sources(page.places_of(found))),
            PAGE,
        )


def _compared(arguments: argparse.Namespace, options: Options, terminal: Terminal) -> SideBySide:
    from flushproof import pipeline
    from flushproof.results.costs import SideBySide
    from flushproof.runner.jobs import Task
    from flushproof.runner.run import run_tasks

    files = tuple(dict.fromkeys(arguments.files))
    progress = start_progress(terminal, "parts", 2 * len(files))
    try:
        tasks = tuple(Task("prove", f, arguments.spec, options) for f in files)
        reports = run_tasks(tasks, lambda _: progress.advance())
        costs = []
        for find in (partial(pipeline.find_costs, f, arguments.spec, options) for f in files):
            costs.append(find())
            progress.advance()
    finally:
        progress.clear()
    return SideBySide(reports, tuple(costs))


COMMAND = Command("compare", "put variants side by side: verdicts, and what calls cost", _add, _run)

"""`flushproof compare`: variants side by side, in what holds of them and in what a call costs."""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING

from flushproof.cli.command import Command, add_jobs, vcpus_asked
from flushproof.cli.terminal import Terminal, load_sources
from flushproof.support.atomic_write import DRAWING, PAGE, check_writable, write_atomically
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.options import ENGINES, Options, Sweeping
from flushproof.verify.progress import Progress

if TYPE_CHECKING:
    from flushproof.results.costs import SideBySide


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", metavar="FILE", help="the variants, C or spec files")
    command.add_argument("--spec", metavar="FILE", help="take the set-up of all C from this file")
    command.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="NAME",
        help="decide only this claim (may be repeated)",
    )
    _add_bounds(command.add_argument_group("bounds"))
    _add_files(command.add_argument_group("files"))


def _add_bounds(bounds: argparse._ArgumentGroup) -> None:
    bounds.add_argument("--vcpus", metavar="N", help="costs, and verdicts, for up to N vCPUs")
    bounds.add_argument("--loads", type=int, metavar="N", help="loads per vCPU")
    bounds.add_argument("--flushes", type=int, metavar="N", help="flushes per flusher")
    bounds.add_argument("--engine", choices=ENGINES, help="how to decide claims")
    add_jobs(bounds)
    bounds.add_argument(
        "--max-steps", type=int, metavar="N", help="the solver's own steps for one question"
    )
    bounds.add_argument("--cache-dir", metavar="DIR", help="keep verdicts here")
    bounds.add_argument("--no-cache", action="store_true", help="neither use nor keep verdicts")


def _add_files(files: argparse._ArgumentGroup) -> None:
    files.add_argument("--format", choices=("text", "json"), default="text")
    files.add_argument("--html", metavar="FILE", help="write everything as a page to this file too")
    files.add_argument("--svg", metavar="FILE", help="draw the costs in this file")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    for path, begins in ((arguments.html, PAGE), (arguments.svg, DRAWING)):
        if path is not None:
            check_writable(path, begins)
    found = _compared(arguments, _options(arguments), terminal)
    _show(found, arguments, terminal)
    return found.exit_code


def _show(found: SideBySide, arguments: argparse.Namespace, terminal: Terminal) -> None:
    from flushproof.features.cost import json as costs_json
    from flushproof.features.cost import text as costs_text
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


def _options(arguments: argparse.Namespace) -> Options:
    cache = None if arguments.no_cache else arguments.cache_dir or verdict_folder()
    return Options(
        vcpus=vcpus_asked(arguments),
        loads=arguments.loads,
        flushes=arguments.flushes,
        claims=tuple(dict.fromkeys(arguments.claim)),
        engine=arguments.engine,
        jobs=arguments.jobs,
        steps=arguments.max_steps,
        project=arguments.project,
        sweeping=Sweeping(cache),
    )


def _compared(arguments: argparse.Namespace, options: Options, terminal: Terminal) -> SideBySide:
    from flushproof import pipeline
    from flushproof.results.costs import SideBySide
    from flushproof.runner.jobs import Task
    from flushproof.runner.run import run_tasks

    files = tuple(dict.fromkeys(arguments.files))
    progress = Progress(
        terminal.err,
        shown=terminal.live,
        noun="parts",
        total=2 * len(files),
        clock=time.monotonic,
    )
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


COMMAND = Command("compare", "put variants side by side: verdicts, and cost", _add, _run)

"""`flushproof sweep`: many files under many bounds, wherever the jobs run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product

from flushproof.cli.arguments import PLAIN, add_named, read_options
from flushproof.cli.command import Command
from flushproof.cli.commands.sweep.text import Swept, exit_code, render, sweep_document
from flushproof.cli.progress_line import start_progress
from flushproof.cli.spec_files import find_specs
from flushproof.cli.terminal import Terminal
from flushproof.report import json_report as json
from flushproof.report.exit_code import verdict_counts
from flushproof.support.record import replace
from flushproof.verify.options import Options, parse_range

BOUNDS = ("vcpus", "loads", "flushes")


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="C or spec files, or folders of spec files"
    )
    add_named(command, "claim")
    bounds = command.add_argument_group("bounds", "each may be repeated: all combinations count")
    for name in BOUNDS:
        add_named(bounds, name, action="append", default=[])
    for name in ("memory", "max-steps"):
        add_named(bounds, name)
    jobs = command.add_argument_group("many jobs")
    for name in ("jobs", "executor"):
        add_named(jobs, name)
    add_named(jobs, "cache-dir", flags=("--cache-dir", "--cache"))
    add_named(jobs, "no-cache")
    add_named(command, "format", choices=PLAIN)


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.runner.jobs import Task
    from flushproof.runner.run import stream_reports

    paths = find_specs(arguments.files)
    asked = list(_options(arguments))
    tasks = [Task("refute", path, None, options) for path in paths for options in asked]
    progress = start_progress(terminal, "jobs", len(tasks))
    done: dict[int, Swept] = {}
    try:
        for index, report in stream_reports(tasks):
            done[index] = Swept(_name(tasks[index].options), report)
            found = verdict_counts(report.results)
            progress.advance(f"{report.path}: {done[index].bounds}: {found}")
    finally:
        progress.clear()
        swept = [done[index] for index in sorted(done)]
        if swept:
            _show(swept, arguments.format, terminal)
    return exit_code(swept)


def _show(swept: list[Swept], form: str, terminal: Terminal) -> None:
    """Show what is decided, also where the rest was interrupted."""
    if form == "json":
        terminal.raw(json.dump_document(sweep_document(swept)))
    else:
        terminal.report(render(swept, terminal.width))


def _options(arguments: argparse.Namespace) -> Iterator[Options]:
    """Yield the options of each combination of bounds.

    Raises:
        InputError: a bound is not accepted.
    """
    common = read_options(arguments, without=BOUNDS)
    ranges = [parse_range(text) for text in arguments.vcpus]
    bounds = (ranges, arguments.loads, arguments.flushes)
    for vcpus, loads, flushes in product(*(dict.fromkeys(b) or (None,) for b in bounds)):
        yield replace(common, vcpus=vcpus, loads=loads, flushes=flushes)


def _name(options: Options) -> str:
    """Return such as "1..4 x 2 x 2", with `-` for what the spec says."""
    vcpus = "-" if options.vcpus is None else f"{options.vcpus[0]}..{options.vcpus[1]}"
    others = ("-" if n is None else str(n) for n in (options.loads, options.flushes))
    return " x ".join((vcpus, *others))


COMMAND = Command("sweep", "decide claims about many files under many bounds", _add, _run)

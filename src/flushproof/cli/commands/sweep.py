"""`flushproof sweep`: many files under many bounds, wherever the jobs run."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import product

from flushproof.cli.command import Command, add_jobs
from flushproof.cli.run import find_specs
from flushproof.cli.shell_completion import list_claim_names
from flushproof.cli.terminal import Terminal
from flushproof.report import json_report as json
from flushproof.runner.text import Swept, exit_code, render, sweep_document
from flushproof.support.memory_model import MemoryModel
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.options import LOCAL, Options, Sweeping, parse_range
from flushproof.verify.progress import Progress


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="C or spec files, or folders of spec files"
    )
    claim = command.add_argument(
        "--claim", action="append", default=[], metavar="NAME", help="decide only this claim"
    )
    vars(claim)["completer"] = list_claim_names
    bounds = command.add_argument_group("bounds", "each may be repeated: all combinations count")
    bounds.add_argument(
        "--vcpus", action="append", default=[], metavar="N|A..B", help="up to N vCPUs, or A to B"
    )
    for name, help_ in (("--loads", "loads per vCPU"), ("--flushes", "flushes per flusher")):
        bounds.add_argument(name, action="append", type=int, default=[], metavar="N", help=help_)
    bounds.add_argument("--memory", choices=tuple(MemoryModel), help="memory model: sc or tso")
    bounds.add_argument(
        "--max-steps", type=int, metavar="N", help="steps that a solver may take for one question"
    )
    jobs = command.add_argument_group("many jobs")
    add_jobs(jobs)
    jobs.add_argument("--executor", default=LOCAL, metavar="NAME", help="see `check --help`")
    jobs.add_argument("--cache-dir", "--cache", metavar="DIR", help="keep verdicts here")
    jobs.add_argument("--no-cache", action="store_true", help="neither use nor keep verdicts")
    command.add_argument("--format", choices=("text", "json"), default="text")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.runner.jobs import Task
    from flushproof.runner.run import stream_reports

    paths = find_specs(arguments.files)
    asked = list(_options(arguments))
    tasks = [Task("refute", path, None, options) for path in paths for options in asked]
    progress = Progress(
        terminal.err, shown=terminal.live, noun="jobs", total=len(tasks), clock=time.monotonic
    )
    done: dict[int, Swept] = {}
    try:
        for index, report in stream_reports(tasks):
            done[index] = Swept(_name(tasks[index].options), report)
            progress.advance()
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
    cache = None if arguments.no_cache else arguments.cache_dir or verdict_folder()
    ranges = [parse_range(text) for text in arguments.vcpus]
    bounds = (ranges, arguments.loads, arguments.flushes)
    for vcpus, loads, flushes in product(*(dict.fromkeys(b) or (None,) for b in bounds)):
        yield Options(
            vcpus=vcpus,
            loads=loads,
            flushes=flushes,
            claims=tuple(dict.fromkeys(arguments.claim)),
            jobs=arguments.jobs,
            memory=None if arguments.memory is None else MemoryModel(arguments.memory),
            project=arguments.project,
            steps=arguments.max_steps,
            sweeping=Sweeping(cache, arguments.executor),
        )


def _name(options: Options) -> str:
    """Return such as "1..4 x 2 x 2", with `-` for what the spec says."""
    vcpus = "-" if options.vcpus is None else f"{options.vcpus[0]}..{options.vcpus[1]}"
    others = ("-" if n is None else str(n) for n in (options.loads, options.flushes))
    return " x ".join((vcpus, *others))


COMMAND = Command("sweep", "decide claims about many files under many bounds", _add, _run)

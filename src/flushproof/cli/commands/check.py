"""`flushproof check`: the verdicts that spec files expect, held against those found."""

from __future__ import annotations

import argparse

from flushproof.cli.arguments import (
    add_bounds,
    add_groups,
    add_named,
    add_output,
    add_sanity,
    read_options,
)
from flushproof.cli.command import Command
from flushproof.cli.failures import limited_run
from flushproof.cli.many_files import decide_files
from flushproof.cli.spec_files import find_specs
from flushproof.cli.terminal import Terminal
from flushproof.cli.verdict_output import place_output
from flushproof.report.formats import FORMATS
from flushproof.verify.option import Group


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "specs", nargs="+", metavar="SPEC", help="spec files, or folders searched for `*.spec`"
    )
    add_named(command, "claim")
    add_bounds(command, Group.LIMITS, Group.METHOD, Group.REQUIRED)
    add_groups(add_output(command, tuple(FORMATS)), Group.PAGE)
    add_groups(command, Group.AGREEMENT)
    add_sanity(command)
    jobs = command.add_argument_group("many jobs")
    add_named(jobs, "executor")
    add_named(jobs, "cache-dir", flags=("--cache-dir", "--cache"))
    add_named(jobs, "no-cache")


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    options = read_options(arguments)
    with limited_run(options.megabytes, arguments.format, terminal):
        from flushproof.runner.jobs import Task

        output = place_output(arguments, terminal, tuple(arguments.specs), expectations=True)
        output.check_places(options)
        tasks = [
            Task("check", path, None, options) for path in find_specs(arguments.specs, only=True)
        ]
        return decide_files(tasks, "specs", output)


COMMAND = Command(
    "check", "compare the verdicts that spec files expect with those found", _add, _run
)

"""The arguments of `prove` and `refute`."""

from __future__ import annotations

import argparse
from typing import ClassVar

from flushproof.cli.arguments import (
    add_bounds,
    add_groups,
    add_kernel,
    add_named,
    add_output,
    add_sanity,
    read_options,
    refuse_twice_said,
)
from flushproof.report.formats import FORMATS
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.verify.option import Group
from flushproof.verify.options import Options

STAGES = ("ast", "ir", "smt2")
SHOWN_OF_ONE_FILE = ("emit", "list", "explain_atomicity", "show_invariant", "certificate")


class OneFile(Diagnostic, frozen=True, kw_only=True):
    """An option that shows one file, and several files."""

    CODE: ClassVar[str] = "FP0122"
    TITLE: ClassVar[str] = "`{option}` shows one file at a time"
    EXIT: ClassVar[int] = EXIT_USAGE

    option: str


class TwoSpecs(Diagnostic, frozen=True, kw_only=True):
    """A spec file is to be decided under another one."""

    CODE: ClassVar[str] = "FP0134"
    TITLE: ClassVar[str] = "`{path}` is a spec itself, and `--spec` gives another one"
    HELP: ClassVar[str] = "name the C file that is to be decided under the spec"
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str


def add_arguments(command: argparse.ArgumentParser, *, claims: bool, evidence: bool) -> None:
    """Add the arguments; with `claims` some has to be named, and with `evidence` it is shown."""
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="variants, kernel-like C or spec files"
    )
    command.add_argument("--spec", metavar="FILE", help="take the set-up from this spec file")
    instead = command.add_mutually_exclusive_group()
    instead.add_argument("--emit", choices=STAGES, help="print one stage and decide nothing")
    instead.add_argument(
        "--explain-atomicity",
        action="store_true",
        help="show which code is one step for other threads, and why; decide nothing",
    )
    instead.add_argument(
        "--list", action="store_true", help="show what was recognised in FILE, and decide nothing"
    )
    add_named(command, "claim", required=claims)
    add_kernel(command)
    bounds = add_bounds(command, Group.LIMITS, Group.METHOD)
    if evidence:
        add_groups(bounds, Group.REQUIRED)
    output = add_output(command, tuple(FORMATS))
    add_groups(output, Group.PAGE, *([Group.EVIDENCE] if evidence else []))
    add_groups(command, Group.AGREEMENT)
    add_sanity(command)
    add_groups(command.add_argument_group("many jobs"), Group.JOBS)


def read_arguments(arguments: argparse.Namespace) -> Options:
    """Return the options.

    Raises:
        InputError: they do not go together, or not with so many files.
    """
    shown = (name for name in SHOWN_OF_ONE_FILE if vars(arguments).get(name))
    option = next((f"--{name.replace('_', '-')}" for name in shown), None)
    if option is not None and len(arguments.files) > 1:
        raise InputError(OneFile(span=None, option=option))
    spec = next((f for f in arguments.files if f.endswith(".spec")), None)
    if arguments.spec is not None and spec is not None:
        raise InputError(TwoSpecs(span=None, path=spec))
    options = read_options(arguments)
    refuse_twice_said(options, arguments.spec, arguments.files)
    return options

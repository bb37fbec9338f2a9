"""The command line: arguments in, one `Request` out, and its exit code back.

Neither `--help` nor importing this module loads the solver, the parser or the colours. stdout
carries the report, stderr progress and errors.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from flushproof import __version__
from flushproof.commands import Pipeline, Request, run
from flushproof.config import ENGINES, Choices, Options, SaidTwice, parse_range
from flushproof.diagnostics import InputError
from flushproof.memory import Memory
from flushproof.report.json import z3_version
from flushproof.report.plain import DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH, visible
from flushproof.report.style import COLOUR_CHOICES
from flushproof.terminal import Terminal

STAGES = ("ast", "ir", "smt2")

EPILOG = """\
exit codes:
  0   every claim is as expected
  1   some claim is otherwise
  2   wrong usage or configuration
  3   no verdict: unknown, a limit was hit, or the claim could not fail
  4   input not accepted: parse error, or C outside the subset
  70  internal error
"""


class _Parser(argparse.ArgumentParser):
    """A parser that repeats foreign arguments without their control characters."""

    def error(self, message: str) -> NoReturn:
        """Explain wrong usage on stderr and exit with 2."""
        super().error(visible(message))


def main(argv: Sequence[str] | None = None, pipeline: Callable[[], Pipeline] | None = None) -> int:
    """Run the command line and return the exit code; `pipeline` loads the real one by default."""
    arguments = parser().parse_args(argv)
    terminal = Terminal(sys.stdout, sys.stderr, os.environ, arguments.color, arguments.width)
    try:
        request = _request(arguments)
    except InputError as error:
        terminal.input_error(error)
        return error.exit_code
    return run(request, pipeline or _real_pipeline, terminal)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = _Parser(
        prog="flushproof",
        description="Decide claims about KVM's remote TLB flush on Hyper-V from its C text.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=_version())
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_decide(commands, "prove", "prove every claim about a C file, or show where it fails")
    _add_decide(commands, "refute", "search for a counterexample to one claim about a C file")
    _add_check(commands)
    return top


def _version() -> str:
    return f"flushproof {__version__} (z3 {z3_version()})"


def _add_decide(commands: argparse._SubParsersAction[_Parser], name: str, purpose: str) -> None:
    command = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
    command.add_argument("file", metavar="FILE", help="the variant, kernel-like C")
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
    _add_claim(command, required=name == "refute")
    _add_kernel(command)
    _add_common(command)


def _add_kernel(command: argparse.ArgumentParser) -> None:
    kernel = command.add_argument_group("kernel files", "instead of what their names tell")
    kernel.add_argument("--flush", metavar="NAME", help="the function that flushes")
    kernel.add_argument("--load", metavar="NAME", help="the function that loads a vCPU's root")
    kernel.add_argument("--cache", metavar="FIELD", help="the field that holds the cached root")
    kernel.add_argument(
        "-I",
        action="append",
        default=[],
        dest="folders",
        metavar="DIR",
        help="look for headers here too (may be repeated)",
    )


def _add_check(commands: argparse._SubParsersAction[_Parser]) -> None:
    purpose = "compare the verdicts that spec files expect with those found"
    command = commands.add_parser("check", help=purpose, description=purpose, allow_abbrev=False)
    command.add_argument(
        "specs", nargs="+", metavar="SPEC", help="spec files, or folders searched for `*.spec`"
    )
    _add_claim(command, required=False)
    _add_common(command)


def _add_claim(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument(
        "--claim",
        action="append",
        default=[],
        required=required,
        metavar="NAME",
        help="decide only this claim (may be repeated)",
    )


def _add_common(command: argparse.ArgumentParser) -> None:
    bounds = command.add_argument_group("bounds")
    bounds.add_argument("--vcpus", metavar="N|A..B", help="up to N vCPUs, or A to B vCPUs")
    bounds.add_argument("--loads", type=int, metavar="N", help="loads per vCPU")
    bounds.add_argument("--flushes", type=int, metavar="N", help="flushes per flusher")
    bounds.add_argument(
        "--rounds",
        type=int,
        metavar="R",
        help="turns that each thread takes (default: enough for every interleaving)",
    )
    bounds.add_argument(
        "--memory", choices=tuple(Memory), help="memory model: sc, or tso with x86 store buffers"
    )
    bounds.add_argument("--engine", choices=ENGINES, default="auto", help="how to decide")
    bounds.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="processes, 0: as many as CPUs"
    )
    output = command.add_argument_group("output")
    output.add_argument("--format", choices=("text", "json"), default="text")
    output.add_argument(
        "--width", type=_width, default=DEFAULT_WIDTH, metavar="N", help="columns of the text"
    )
    output.add_argument("--color", choices=COLOUR_CHOICES, default="auto")


def _width(text: str) -> int:
    width = int(text)
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise argparse.ArgumentTypeError(f"must lie in {MIN_WIDTH}..{MAX_WIDTH}")
    return width


def _request(arguments: argparse.Namespace) -> Request:
    check = arguments.command == "check"
    return Request(
        command=arguments.command,
        paths=tuple(arguments.specs) if check else (arguments.file,),
        options=_options(arguments),
        spec=None if check else arguments.spec,
        stage=None if check else arguments.emit,
        atomicity=not check and arguments.explain_atomicity,
        listing=not check and arguments.list,
        format=arguments.format,
    )


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        vcpus=None if arguments.vcpus is None else parse_range(arguments.vcpus),
        loads=arguments.loads,
        flushes=arguments.flushes,
        claims=tuple(dict.fromkeys(arguments.claim)),
        engine=arguments.engine,
        jobs=arguments.jobs,
        rounds=arguments.rounds,
        memory=None if arguments.memory is None else Memory(arguments.memory),
        choices=Choices() if arguments.command == "check" else _choices(arguments),
    )


def _choices(arguments: argparse.Namespace) -> Choices:
    chosen = Choices(arguments.flush, arguments.load, arguments.cache, tuple(arguments.folders))
    if chosen.any and (arguments.spec is not None or arguments.file.endswith(".spec")):
        raise InputError(SaidTwice(span=None))
    return chosen


def _real_pipeline() -> Pipeline:
    from flushproof import pipeline

    return pipeline

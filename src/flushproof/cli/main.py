"""The command line: arguments in, one `Request` out, and its exit code back.

Neither `--help` nor importing this module loads the solver, the parser or the colours. stdout
carries the report, stderr progress and errors.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NoReturn

from flushproof import __version__
from flushproof.cli.command import Command, add_bounds, add_jobs, vcpus_asked
from flushproof.cli.registry import COMMANDS
from flushproof.cli.run import Pipeline, Request, guard_command, run
from flushproof.cli.settings.layers import (
    Parser,
    fill_arguments,
    lend_options,
    prepare_usual_values,
)
from flushproof.cli.settings.project import find_project_file
from flushproof.cli.shell_completion import list_claim_names
from flushproof.cli.terminal import Terminal
from flushproof.frontend.kernel.choices import Choices, SaidTwice
from flushproof.report.formats import FORMATS
from flushproof.report.json_report import z3_version
from flushproof.report.plain import DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH, escape_unprintable
from flushproof.report.style import COLOUR_CHOICES
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.options import (
    ENGINES,
    LOCAL,
    SECOND,
    Comparing,
    Options,
    Reviewing,
    Sanity,
    Sweeping,
)

ASKED = "_ARGCOMPLETE"
STAGES = ("ast", "ir", "smt2")
YOUNG = 100_000
"""Syntax trees and terms are many and live long: to look for garbage rarely saves a tenth."""
PLAIN = ("text", "json")
WIDTH_HELP = "columns of the text (default: those of the terminal, 75 elsewhere)"
READABLE = 120
"""Columns beyond which lines of text are hard to read."""

EPILOG = """\
exit codes:
  0   every claim is as expected
  1   some claim is otherwise
  2   wrong usage or configuration
  3   no verdict: unknown, or less than was asked: bounded where no bounds were given, a limit
      was hit, the claim could not fail, or nothing was asked
  4   input not accepted: parse error, or C outside the subset
  70  internal error
"""


class Needs(Diagnostic, frozen=True, kw_only=True):
    """An option that another argument cannot do without."""

    CODE: ClassVar[str] = "FP0101"
    TITLE: ClassVar[str] = "`{what}` needs `{option} FILE`"
    EXIT: ClassVar[int] = EXIT_USAGE

    what: str
    option: str


class OneFile(Diagnostic, frozen=True, kw_only=True):
    """An option that shows one file, and several files."""

    CODE: ClassVar[str] = "FP0122"
    TITLE: ClassVar[str] = "`{option}` shows one file at a time"
    EXIT: ClassVar[int] = EXIT_USAGE

    option: str


class _ShowVersion(argparse.Action):
    """Shows the versions, which are looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Write to stdout and exit with 0."""
        sys.stdout.write(f"flushproof {__version__} (z3 {z3_version()})\n")
        parser.exit()


class _Parser(Parser):
    """A parser that repeats foreign arguments without their control characters."""

    def error(self, message: str) -> NoReturn:
        """Explain wrong usage on stderr and exit with 2."""
        super().error(escape_unprintable(message))

    def commands(self) -> dict[str, _Parser]:
        """Return the parsers of the commands."""
        found = (a.choices for a in self._actions if isinstance(a.choices, Mapping))
        return {name: p for choices in found for name, p in choices.items()}


def main(argv: Sequence[str] | None = None, pipeline: Callable[[], Pipeline] | None = None) -> int:
    """Run the command line and return the exit code; `pipeline` loads the real one by default."""
    gc.set_threshold(YOUNG)
    top = build_command_line()
    if ASKED in os.environ:
        from flushproof.cli.shell_completion import complete_arguments

        complete_arguments(top)
    try:
        arguments = _arguments(top, argv)
    except InputError as error:
        Terminal(sys.stdout, sys.stderr, os.environ).input_error(error)
        return error.exit_code
    if arguments.mail:
        arguments.color, arguments.width = "never", DEFAULT_WIDTH
    terminal = Terminal(sys.stdout, sys.stderr, os.environ, arguments.color, arguments.width)
    if isinstance(arguments.command, Command):
        arguments.main = main
        return guard_command(lambda: arguments.command.run(arguments, terminal), terminal)
    try:
        request = _request(arguments)
    except InputError as error:
        terminal.input_error(error)
        return error.exit_code
    return run(request, pipeline or _real_pipeline, terminal)


def _arguments(top: _Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what is typed, filled up by what the project configures."""
    usual = {name: prepare_usual_values(command) for name, command in top.commands().items()}
    arguments = top.parse_args(argv)
    command = arguments.command
    name = command.name if isinstance(command, Command) else str(command)
    fill_arguments(arguments, usual[name], find_project_file(_folder()))
    return arguments


def _folder() -> Path:
    """Return the current folder, even where it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def build_command_line() -> _Parser:
    """Return the parser of the whole command line."""
    top = _Parser(
        prog="flushproof",
        description="Decide claims about KVM's remote TLB flush on Hyper-V from its C text.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = "show program's version number and exit"
    top.add_argument("--version", action=_ShowVersion, nargs=0, help=version)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_decide(commands, "prove", "prove every claim about a C file, or show where it fails")
    _add_decide(commands, "refute", "search for a counterexample to one claim about a C file")
    _add_check(commands)
    _add_nfc(commands)
    _add_review(commands)
    for command in COMMANDS:
        _add_alone(commands, command)
    lend_options(top.commands()["config"], top.commands().values())
    return top


def _add_alone(commands: argparse._SubParsersAction[_Parser], command: Command) -> None:
    purpose = command.purpose
    added = commands.add_parser(command.name, help=purpose, description=purpose, allow_abbrev=False)
    command.add(added)
    output = added.add_argument_group("output")
    _add_looks(output)
    added.set_defaults(command=command)


def _add_decide(commands: argparse._SubParsersAction[_Parser], name: str, purpose: str) -> None:
    command = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
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
    _add_claim(command, required=name == "refute")
    _add_kernel(command)
    output = _add_common(command, tuple(FORMATS))
    _add_page(output)
    if name == "prove":
        _add_evidence(output)
    _add_agree(command)
    _add_sanity(command)
    _add_sweeping(command)


def _add_evidence(output: argparse._ArgumentGroup) -> None:
    output.add_argument(
        "--show-invariant",
        action="store_true",
        help="show what proofs for every number of vCPUs rest on, in C's terms",
    )
    output.add_argument(
        "--certificate", metavar="OUT", help="write these proofs for `flushproof recheck`"
    )


def _add_kernel(command: argparse.ArgumentParser) -> None:
    kernel = command.add_argument_group("kernel files", "instead of what their names tell")
    kernel.add_argument(
        "--kernel",
        action="store_true",
        help="the file is one, although it lies in no kernel tree and includes none of its headers",
    )
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
    _add_page(_add_common(command, tuple(FORMATS)))
    _add_agree(command)
    _add_sanity(command)
    _add_sweeping(command, "--cache")


def _add_nfc(commands: argparse._SubParsersAction[_Parser]) -> None:
    purpose = "compare two variants: the same hypercalls and results under the same operations?"
    command = commands.add_parser("nfc", help=purpose, description=purpose, allow_abbrev=False)
    command.add_argument("old", metavar="OLD", help="the old variant, C or a spec file")
    command.add_argument("new", metavar="NEW", help="the new variant, C or a spec file")
    command.add_argument("--spec", metavar="FILE", help="take the set-up of both from this file")
    _add_comparing(command)
    command.add_argument(
        "--expect",
        choices=[str(r) for r in Relation if r not in (Relation.BOUNDED, Relation.UNKNOWN)],
        default=str(Relation.EQUAL),
        help="the verdict for which to exit with 0",
    )
    _add_bounds(command)
    _add_output(command)


def _add_review(commands: argparse._SubParsersAction[_Parser]) -> None:
    purpose = "say what a patch fixes, breaks and changes, and whether its message is true"
    command = commands.add_parser("review", help=purpose, description=purpose, allow_abbrev=False)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("patch", nargs="?", metavar="PATCH", help="a patch, a mail or an mbox")
    what.add_argument("--git", metavar="REV..REV", help="what these commits did to --path")
    command.add_argument("--base", metavar="FILE", help="the file before the patch")
    command.add_argument(
        "--path", metavar="FILE", help="with --git: the file; else: which file of the patch"
    )
    command.add_argument("--spec", metavar="FILE", help="take the set-up from this spec file")
    _add_claim(command, required=False)
    _add_common(command)


def _add_comparing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--as",
        dest="compared",
        choices=[str(c) for c in Compared],
        default=str(Compared.SEQUENCE),
        help="compare each call's hypercalls and result, or the set of its roots only",
    )
    start = command.add_mutually_exclusive_group()
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


def _add_claim(command: argparse.ArgumentParser, *, required: bool) -> None:
    added = command.add_argument(
        "--claim",
        action="append",
        default=[],
        required=required,
        metavar="NAME",
        help="decide only this claim (may be repeated)",
    )
    vars(added)["completer"] = list_claim_names


def _add_common(
    command: argparse.ArgumentParser, formats: Sequence[str] = PLAIN
) -> argparse._ArgumentGroup:
    bounds = _add_bounds(command)
    bounds.add_argument(
        "--rounds",
        type=int,
        metavar="R",
        help="turns that each thread takes (default: enough for every interleaving)",
    )
    bounds.add_argument(
        "--memory",
        choices=tuple(MemoryModel),
        help="memory model: sc, or tso with x86 store buffers",
    )
    bounds.add_argument("--engine", choices=ENGINES, help="how to decide")
    add_jobs(bounds)
    return _add_output(command, formats)


def _add_sanity(command: argparse.ArgumentParser) -> None:
    sanity = command.add_argument_group("proofs that mean something")
    levels = sanity.add_mutually_exclusive_group()
    levels.add_argument(
        "--sanity",
        choices=tuple(Sanity),
        help="beside each proof: nothing, whether the claim is put to the test, also whether one "
        "of a few edits of the code breaks it (usual), or of all",
    )
    levels.add_argument(
        "--no-sanity", dest="sanity", action="store_const", const=Sanity.OFF, help="same as off"
    )


def _add_page(output: argparse._ArgumentGroup) -> None:
    output.add_argument(
        "--html", metavar="FILE", help="write the report as a page to this file too"
    )
    output.add_argument(
        "-o", "--output", metavar="FILE", help="write what --format says here, and text to stdout"
    )


def _add_agree(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--agree",
        choices=SECOND,
        help="put each question to a second solver, too, or compare what the C does with gcc",
    )


def _add_sweeping(command: argparse.ArgumentParser, *others: str) -> None:
    sweeping = command.add_argument_group("many jobs")
    sweeping.add_argument(
        "--executor",
        default=LOCAL,
        metavar="NAME",
        help="where to decide: `local` processes (default), or `dask://HOST:PORT`",
    )
    sweeping.add_argument(
        "--cache-dir", *others, metavar="DIR", help="keep verdicts here (default: the user's cache)"
    )
    sweeping.add_argument("--no-cache", action="store_true", help="neither use nor keep verdicts")


def _add_bounds(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    bounds = command.add_argument_group("bounds")
    add_bounds(bounds)
    bounds.add_argument(
        "--max-steps",
        type=int,
        metavar="N",
        help="steps that a solver may take for one question; what needs more is unknown",
    )
    bounds.add_argument(
        "--max-memory",
        type=int,
        metavar="MB",
        help="memory that one process may take; what needs more is unknown",
    )
    return bounds


def _add_output(
    command: argparse.ArgumentParser, formats: Sequence[str] = PLAIN
) -> argparse._ArgumentGroup:
    output = command.add_argument_group("output")
    output.add_argument("--format", choices=formats, default=formats[0])
    _add_looks(output)
    return output


def _add_looks(output: argparse._ArgumentGroup) -> None:
    output.add_argument(
        "--width", type=_width, default=_usual_width(), metavar="N", help=WIDTH_HELP
    )
    output.add_argument("--color", choices=COLOUR_CHOICES, default="auto")
    output.add_argument(
        "--mail", action="store_true", help=f"plain text of {DEFAULT_WIDTH} columns, for a reply"
    )


def _usual_width() -> int:
    """Return the columns of the terminal, as far as text reads well; those of a mail elsewhere."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return DEFAULT_WIDTH
    return max(MIN_WIDTH, min(columns, READABLE)) if columns else DEFAULT_WIDTH


def _width(text: str) -> int:
    width = int(text)
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise argparse.ArgumentTypeError(f"must lie in {MIN_WIDTH}..{MAX_WIDTH}")
    return width


def _request(arguments: argparse.Namespace) -> Request:
    match arguments.command:
        case "check":
            return Request(
                command="check",
                paths=tuple(arguments.specs),
                options=_options(arguments),
                format=arguments.format,
                html=arguments.html,
                output=arguments.output,
            )
        case "nfc":
            return Request(
                command="nfc",
                paths=(arguments.old, arguments.new),
                options=_bounded(arguments),
                spec=arguments.spec,
                format=arguments.format,
                comparing=_comparing(arguments),
            )
        case "review":
            return Request(
                command="review",
                paths=(),
                options=_options(arguments),
                spec=arguments.spec,
                format=arguments.format,
                reviewing=_reviewing(arguments),
            )
        case command:
            return Request(
                command=command,
                paths=_files(arguments),
                options=_options(arguments),
                spec=arguments.spec,
                stage=arguments.emit,
                atomicity=arguments.explain_atomicity,
                listing=arguments.list,
                format=arguments.format,
                html=arguments.html,
                invariant=getattr(arguments, "show_invariant", False),
                certificate=getattr(arguments, "certificate", None),
                output=arguments.output,
            )


def _files(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the files, only one of which can be shown, or proved with evidence.

    Raises:
        InputError: there are several.
    """
    shown = ("--emit", arguments.emit), ("--list", arguments.list)
    evidence = ("--show-invariant", "show_invariant"), ("--certificate", "certificate")
    asked = (
        *shown,
        ("--explain-atomicity", arguments.explain_atomicity),
        *((option, getattr(arguments, name, None)) for option, name in evidence),
    )
    option = next((name for name, value in asked if value), None)
    if option is not None and len(arguments.files) > 1:
        raise InputError(OneFile(span=None, option=option))
    return tuple(arguments.files)


def _reviewing(arguments: argparse.Namespace) -> Reviewing:
    base = arguments.path if arguments.git else arguments.base
    if base is None:
        needs, option = ("--git", "--path") if arguments.git else ("PATCH", "--base")
        raise InputError(Needs(span=None, what=needs, option=option))
    return Reviewing(base, arguments.patch or "", arguments.git or "", arguments.path)


def _comparing(arguments: argparse.Namespace) -> Comparing:
    return Comparing(
        Compared(arguments.compared), Since(arguments.since), Relation(arguments.expect)
    )


def _bounded(arguments: argparse.Namespace) -> Options:
    return Options(
        vcpus=vcpus_asked(arguments),
        loads=arguments.loads,
        flushes=arguments.flushes,
        steps=arguments.max_steps,
        megabytes=arguments.max_memory,
        project=arguments.project,
    )


def _options(arguments: argparse.Namespace) -> Options:
    return replace(
        _bounded(arguments),
        claims=tuple(dict.fromkeys(arguments.claim)),
        engine=arguments.engine,
        jobs=arguments.jobs,
        rounds=arguments.rounds,
        agree=getattr(arguments, "agree", None),
        memory=None if arguments.memory is None else MemoryModel(arguments.memory),
        choices=_choices(arguments) if "folders" in arguments else Choices(),
        sweeping=_sweeping(arguments) if "executor" in arguments else Sweeping(),
        sanity=_sanity(arguments),
        evidence=_evidence(arguments),
    )


def _sanity(arguments: argparse.Namespace) -> Sanity | None:
    level = vars(arguments).get("sanity")
    return None if level is None else Sanity(level)


def _evidence(arguments: argparse.Namespace) -> bool:
    """Tell whether proofs are to be written out, which kept verdicts do not do."""
    return any(getattr(arguments, x, None) for x in ("show_invariant", "certificate"))


def _sweeping(arguments: argparse.Namespace) -> Sweeping:
    if arguments.no_cache or _evidence(arguments):
        return Sweeping(None, arguments.executor)
    return Sweeping(arguments.cache_dir or verdict_folder(), arguments.executor)


def _choices(arguments: argparse.Namespace) -> Choices:
    folders = tuple(arguments.folders)
    said = (arguments.flush, arguments.load, arguments.cache, folders, arguments.kernel)
    chosen = Choices(*said)
    if chosen.any and (
        arguments.spec is not None or any(f.endswith(".spec") for f in arguments.files)
    ):
        raise InputError(SaidTwice(span=None))
    return chosen


def _real_pipeline() -> Pipeline:
    from flushproof.runner.session import Session

    return Session()

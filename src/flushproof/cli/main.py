"""The command line: arguments in, one command run, and its exit code back.

Neither `--help` nor importing this module loads the solver, the parser or the colours. stdout
carries the report, stderr progress and errors.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from flushproof import __version__
from flushproof.cli.arguments import add_looks
from flushproof.cli.command import Command
from flushproof.cli.failures import guard_command
from flushproof.cli.registry import COMMANDS
from flushproof.cli.settings.layers import Parser, fill_arguments, prepare_usual_values
from flushproof.cli.settings.project import find_project_file
from flushproof.cli.terminal import Terminal
from flushproof.report.json_report import z3_version
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable
from flushproof.support.diagnostics import EXIT_USAGE, InputError, suggest_closest

ASKED = "_ARGCOMPLETE"
YOUNG = 100_000
"""Syntax trees and terms are many and live long: to look for garbage rarely saves a tenth."""

MISSING = "the following arguments are required"

EPILOG = """\
exit codes:
  0   every claim is as expected
  1   some claim is otherwise
  2   wrong usage or configuration
  3   no verdict: unknown, or less than was asked: bounded where no bounds were given, a limit
      was hit, the claim could not fail, or nothing was asked
  4   input not accepted: parse error, or C outside the subset
  70  internal error; please report it
  130 interrupted by Ctrl-C; what was finished is shown
  143 ended by SIGTERM; what was finished is shown
"""


class _ShowVersion(argparse.Action):
    """Shows the versions, which are looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Write to stdout and exit with 0."""
        sys.stdout.write(f"flushproof {__version__} (z3 {z3_version()})\n")
        parser.exit()


class _Parser(Parser):
    """A parser that says what is wrong in a line, without the control characters of arguments."""

    typed: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Say on stderr in a line what is wrong with the usage, and exit with 2."""
        unknown = [t for t in self.typed if t.startswith("--") and not self._knows(t)]
        if message.startswith(MISSING) and unknown:
            self.refuse_unknown(unknown)
        said = escape_unprintable(message)
        self.exit(EXIT_USAGE, f"{self.prog}: error: {said}\nsee `{self.prog} --help`\n")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuse what is none of the choices, and name the closest of them."""
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        hint = suggest_closest(str(value), known)
        listed = "" if hint else f"; known: {', '.join(known)}"
        raise argparse.ArgumentError(action, f"`{value}` is not known{hint}{listed}")

    def _knows(self, typed: str) -> bool:
        return typed == "--" or typed.partition("=")[0] in self.options()

    def refuse_unknown(self, typed: Sequence[str]) -> NoReturn:
        """Say which option does not exist, or which argument is one too many."""
        word = typed[0].partition("=")[0]
        if not word.startswith("-"):
            self.error(f"`{word}` is one argument too many")
        self.error(f"there is no option `{word}`{suggest_closest(word, self.options())}")

    def options(self) -> list[str]:
        """Return the options by all their names."""
        return [name for action in self._actions for name in action.option_strings]

    def commands(self) -> dict[str, _Parser]:
        """Return the parsers of the commands."""
        found = (a.choices for a in self._actions if isinstance(a.choices, Mapping))
        return {name: p for choices in found for name, p in choices.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
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
    arguments.main = main
    terminal = Terminal(sys.stdout, sys.stderr, os.environ, arguments.color, arguments.width)
    return guard_command(lambda: arguments.command.run(arguments, terminal), terminal)


def _arguments(top: _Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what is typed, filled up by what the project configures."""
    usual = {name: prepare_usual_values(command) for name, command in top.commands().items()}
    typed = sys.argv[1:] if argv is None else argv
    if not typed:
        top.print_help()
        top.exit()
    if typed[0].startswith("-") and typed[0] not in top.options():
        top.refuse_unknown(typed)
    for command in top.commands().values():
        command.typed = tuple(typed)
    arguments, unknown = top.parse_known_args(typed)
    if unknown:
        top.commands()[arguments.command.name].refuse_unknown(unknown)
    fill_arguments(arguments, usual[arguments.command.name], find_project_file(_folder()))
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
    for command in COMMANDS:
        _add_command(commands, command)
    return top


def _add_command(commands: argparse._SubParsersAction[_Parser], command: Command) -> None:
    purpose = command.purpose
    added = commands.add_parser(command.name, help=purpose, description=purpose, allow_abbrev=False)
    command.add(added)
    if not any("--width" in action.option_strings for action in added.listed()):
        add_looks(added.add_argument_group("output"))
    added.set_defaults(command=command)

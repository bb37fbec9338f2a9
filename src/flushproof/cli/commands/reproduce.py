"""`reproduce`: a counterexample as a C program, and on demand its run."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from flushproof.cli.arguments import add_groups, add_named, read_options, refuse_twice_said
from flushproof.cli.command import Command
from flushproof.cli.terminal import Terminal
from flushproof.report.plain import escape_unprintable
from flushproof.results.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.record import replace
from flushproof.verify.option import Group
from flushproof.verify.options import Options

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O0")


class CannotWriteProgram(Diagnostic, frozen=True, kw_only=True):
    """The output file cannot be written."""

    CODE: ClassVar[str] = "FP0124"
    TITLE: ClassVar[str] = "cannot write `{path}`: {reason}"
    EXIT: ClassVar[int] = EXIT_USAGE
    path: str
    reason: str


class NoProgramCompiler(Diagnostic, frozen=True, kw_only=True):
    """No C compiler is found."""

    CODE: ClassVar[str] = "FP0125"
    TITLE: ClassVar[str] = "no C compiler is found: looked for {names}"
    HELP: ClassVar[str] = "name one with `--cc`"
    EXIT: ClassVar[int] = EXIT_USAGE
    names: str


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a C file, or a spec file")
    parser.add_argument("--claim", required=True, metavar="NAME", help="the claim that fails")
    parser.add_argument("--spec", metavar="FILE", help="take boot state and operations from it")
    parser.add_argument("-o", dest="output", metavar="OUT.c", help="write the program to this file")
    parser.add_argument("--run", action="store_true", help="compile the program and run it")
    parser.add_argument("--cc", metavar="COMPILER", help="the compiler for `--run`")
    add_groups(parser, Group.SEARCH)
    add_named(parser, "engine")
    add_groups(parser, Group.KERNEL)


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.pipeline import reproduce

    made = reproduce(arguments.file, arguments.spec, _options(arguments))
    if not made.program:
        terminal.err.write(f"nothing to reproduce: {escape_unprintable(made.reason)}\n")
        return EXIT_UNDECIDED if made.open else EXIT_OTHERWISE
    if arguments.output is not None:
        _write(arguments.output, made.program)
    elif not arguments.run:
        terminal.raw(made.program)
    return _compiled(made.program, arguments.cc, terminal) if arguments.run else EXIT_OK


def _options(arguments: argparse.Namespace) -> Options:
    options = read_options(arguments, without=("claim",))
    refuse_twice_said(options, arguments.spec)
    return replace(options, claims=(arguments.claim,))


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(CannotWriteProgram(span=None, path=path, reason=reason)) from None


def _compiled(text: str, compiler: str | None, terminal: Terminal) -> int:
    """Compile a program and run it, as the user asked; return 0 if the violation shows."""
    names = COMPILERS if compiler is None else (compiler,)
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        listed = ", ".join(f"`{n}`" for n in names)
        raise InputError(NoProgramCompiler(span=None, names=listed))
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "reproduce.c", Path(folder) / "reproduce"
        source.write_text(text, encoding="utf-8")
        command = [found, *FLAGS, "-o", str(binary), str(source)]
        made = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        if made.returncode:
            terminal.err.write(made.stderr)
            return EXIT_OTHERWISE
        done = subprocess.run([binary], check=False, capture_output=True, text=True)  # noqa: S603
    terminal.raw("".join(f"{escape_unprintable(line)}\n" for line in done.stdout.splitlines()))
    return EXIT_OK if done.returncode == 0 else EXIT_OTHERWISE


COMMAND = Command(
    "reproduce", "write a counterexample as a C program that shows it when it runs", _add, _run
)

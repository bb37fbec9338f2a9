"""From declared options to arguments of a command, and from what was typed to `Options`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Container, Sequence
from typing import Any

from flushproof.cli.shell_completion import list_claim_names
from flushproof.frontend.kernel.choices import Choices, SaidTwice
from flushproof.report.formats import FORMATS
from flushproof.report.plain import DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH
from flushproof.report.style import COLOUR_CHOICES
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.option import Group, Option
from flushproof.verify.options import LOCAL, OPTIONS, Options, Sanity, Sweeping

PLAIN = ("text", "json")
READABLE = 120
"""Columns beyond which lines of text are hard to read."""


def _parse_width(text: str) -> int:
    width = int(text)
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise argparse.ArgumentTypeError(f"must lie in {MIN_WIDTH}..{MAX_WIDTH}")
    return width


SHOWING: tuple[Option, ...] = (
    Option(
        name="format",
        group=Group.FORMAT,
        choices=tuple(FORMATS),
        default="text",
        keys=(str,),
    ),
    Option(
        name="width",
        group=Group.LOOKS,
        metavar="N",
        help="columns of the text (default: those of the terminal, 75 elsewhere)",
        kind=_parse_width,
        keys=(int,),
    ),
    Option(name="color", group=Group.LOOKS, choices=COLOUR_CHOICES, default="auto", keys=(str,)),
    Option(
        name="mail",
        group=Group.LOOKS,
        help=f"plain text of {DEFAULT_WIDTH} columns, for a reply",
        kind=bool,
    ),
    Option(
        name="html",
        group=Group.PAGE,
        metavar="FILE",
        help="write the report as a page to this file too",
    ),
    Option(
        name="output",
        group=Group.PAGE,
        flags=("-o", "--output"),
        metavar="FILE",
        help="write what --format says here, and text to stdout",
    ),
)
"""Options that change how a verdict is shown, and not which one it is."""

KEYS = tuple(o for o in (*OPTIONS, *SHOWING) if o.keys)
"""What a project may set."""


def add_groups(to: argparse._ActionsContainer, *groups: Group) -> None:
    """Add all options of these groups, a group after the other."""
    for group in groups:
        for option in (*OPTIONS, *SHOWING):
            if option.group is group:
                add_option(to, option)


def add_named(to: argparse._ActionsContainer, name: str, **changes: Any) -> None:  # noqa: ANN401 - of argparse
    """Add one option, perhaps with other words or choices than usual."""
    add_option(to, next(o for o in (*OPTIONS, *SHOWING) if o.name == name), **changes)


def add_option(to: argparse._ActionsContainer, option: Option, **changes: Any) -> None:  # noqa: ANN401
    """Add an option; `changes` are arguments of `add_argument` that the command has otherwise."""
    said: dict[str, Any] = {"dest": option.dest, "help": option.help}
    if option.kind is bool:
        said["action"] = "store_true"
    else:
        said |= {"metavar": option.metavar, "type": option.kind, "default": option.default}
        said |= {"choices": option.choices or None}
    if option.repeated:
        said |= {"action": "append", "default": []}
    flags = changes.pop("flags", option.typed)
    added = to.add_argument(*flags, **said | changes)
    if option.group is Group.CLAIMS:
        vars(added)["completer"] = list_claim_names


def add_sanity(command: argparse.ArgumentParser) -> None:
    """Add what is asked beside proofs, in a group of its own."""
    levels = command.add_argument_group("proofs that mean something").add_mutually_exclusive_group()
    add_groups(levels, Group.SANITY)
    levels.add_argument(
        "--no-sanity", dest="sanity", action="store_const", const=Sanity.OFF, help="same as off"
    )


def add_kernel(command: argparse.ArgumentParser) -> None:
    """Add what may be said of a kernel file, in a group of its own."""
    add_groups(
        command.add_argument_group("kernel files", "say what is what where names do not tell"),
        Group.KERNEL,
    )


def add_bounds(command: argparse.ArgumentParser, *more: Group) -> argparse._ArgumentGroup:
    """Add the bounds of a search and further groups of options, under one head."""
    bounds = command.add_argument_group("bounds")
    add_groups(bounds, Group.SEARCH, *more)
    return bounds


def add_output(
    command: argparse.ArgumentParser, formats: Sequence[str] = PLAIN
) -> argparse._ArgumentGroup:
    """Add the forms and the looks of output, under one head."""
    output = command.add_argument_group("output")
    add_named(output, "format", choices=formats)
    add_looks(output)
    return output


def add_looks(output: argparse._ArgumentGroup) -> None:
    """Add the options of text that every command has."""
    add_named(output, "width", default=_usual_width())
    add_named(output, "color")
    add_named(output, "mail")


def _usual_width() -> int:
    """Return the columns of the terminal, as far as text reads well; those of a mail elsewhere."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return DEFAULT_WIDTH
    return max(MIN_WIDTH, min(columns, READABLE)) if columns else DEFAULT_WIDTH


def read_options(arguments: argparse.Namespace, *, without: Container[str] = ()) -> Options:
    """Return what was typed or configured, of the options that the command has.

    `without` names those that mean something else in this command.

    Raises:
        InputError: a value is not accepted.
    """
    typed = vars(arguments)
    taken = [o for o in OPTIONS if o.field and o.name not in without]
    values = {o.field: o.read(v) for o in taken if (v := typed.get(o.dest)) is not None}
    return replace(
        Options(project=arguments.project),
        **values,
        choices=_read_choices(typed),
        sweeping=_read_sweeping(typed),
        evidence=wants_evidence(arguments),
    )


def wants_evidence(arguments: argparse.Namespace) -> bool:
    """Tell whether proofs are to be written out, which kept verdicts do not do."""
    return any(vars(arguments).get(o.dest) for o in OPTIONS if o.group is Group.EVIDENCE)


def refuse_twice_said(options: Options, spec: str | None, files: Sequence[str] = ()) -> None:
    """Raise `InputError` where both a spec and options say what is what in a kernel file."""
    if options.choices.any and (spec is not None or any(f.endswith(".spec") for f in files)):
        raise InputError(SaidTwice(span=None))


def _read_choices(typed: dict[str, Any]) -> Choices:
    names = [o.dest for o in OPTIONS if o.group is Group.KERNEL]
    said = {name: typed[name] for name in names if typed.get(name) is not None}
    return replace(Choices(), **said | {"folders": tuple(typed.get("folders", ()))})


def _read_sweeping(typed: dict[str, Any]) -> Sweeping:
    if "no_cache" not in typed:
        return Sweeping()
    kept = not typed["no_cache"] and not wants_evidence(argparse.Namespace(**typed))
    cache = typed["cache_dir"] or verdict_folder() if kept else None
    return Sweeping(cache, typed.get("executor", LOCAL))

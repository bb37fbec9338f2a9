"""The layers put together: what is given on the command line, else configured, else usual.

In: the parser of the command line and its arguments. Out: the arguments, filled up. Every option
that a project may set is given a default that cannot be typed, so that what was typed is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from flushproof.cli.arguments import KEYS
from flushproof.cli.settings.project import ProjectFile, Setting
from flushproof.cli.settings.setting_errors import NotAChoice
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.record import Record, replace
from flushproof.verify.option import Option
from flushproof.verify.options import Options, Project


class Parser(argparse.ArgumentParser):
    """A parser that tells what it has."""

    def listed(self) -> list[argparse.Action]:
        """Return the arguments, those of commands not included."""
        return self._actions


class _Unset:
    """What stands for an option that was not typed."""


UNSET: Final = _Unset()


class SettingOrigin(Record, frozen=True):
    """A value that holds, and what it comes from: a place, or "command line", or "default"."""

    name: str
    value: str
    source: str


class Usual(Record, frozen=True):
    """The defaults of one command's options that a project may set."""

    actions: tuple[tuple[Option, argparse.Action], ...]
    values: tuple[object, ...]


def prepare_usual_values(parser: Parser) -> Usual:
    """Return a command's usual values, after replacing them by what cannot be typed.

    Options that may be repeated are left alone: what is configured stands where none is typed.
    """
    found = []
    for action in parser.listed():
        key = next((k for k in KEYS if f"--{k.name}" in action.option_strings), None)
        if key is not None and not isinstance(action.default, list):
            found.append((key, action))
    values = tuple(action.default for _, action in found)
    for _, action in found:
        action.default = UNSET
    return Usual(tuple(found), values)


def fill_arguments(
    arguments: argparse.Namespace, usual: Usual, project: ProjectFile | None
) -> None:
    """Fill in what was not typed, and note in `arguments.origins` where each value is from.

    What a spec may say too goes to `arguments.project`.

    Raises:
        InputError: a configured value is not accepted.
    """
    origins = []
    for (key, action), value in zip(usual.actions, usual.values, strict=True):
        setting = project.get(key.name) if project else None
        configured = value if setting is None else _converted(setting, action)
        typed = getattr(arguments, action.dest)
        if typed is not UNSET:
            origins.append(SettingOrigin(key.name, _text(typed), "command line"))
            continue
        setattr(arguments, action.dest, value if key.in_specs else configured)
        if setting is None:
            origins.append(SettingOrigin(key.name, _text(value), "default"))
        else:
            place = f"{setting.span.file}:{setting.span.line}"
            origins.append(SettingOrigin(key.name, _text(setting.value), place))
    arguments.project = project_of(project)
    order = [k.name for k in KEYS]
    arguments.origins = tuple(sorted(origins, key=lambda o: order.index(o.name)))


def project_of(project: ProjectFile | None) -> Project:
    """Return what a project says that specs may say too.

    Raises:
        InputError: a value is not accepted.
    """
    read = _read_values(project)
    return replace(Project(), **{o.field: value for o, value in read if o.in_specs})


def options_of(project: ProjectFile | None) -> Options:
    """Return what a project says of how pytest decides, which has no command line.

    Raises:
        InputError: a value is not accepted.
    """
    said = {o.field: value for o, value in _read_values(project) if o.in_pytest}
    return replace(Options(project=project_of(project)), **said)


def _read_values(project: ProjectFile | None) -> list[tuple[Option, object]]:
    """Return every option that is configured, with its value as `Options` has it."""
    return [(s.key, _read_value(s)) for s in (project.settings if project else ())]


def _converted(setting: Setting, action: argparse.Action) -> object:
    """Return a configured value as if it had been typed."""
    name, value = setting.key.name, setting.value
    if action.choices is not None:
        _choose(setting, tuple(str(c) for c in action.choices))
    _read_value(setting)
    try:
        return action.type(str(value)) if callable(action.type) else value
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise InputError(
            NotAChoice(span=setting.span, name=name, value=str(value), hint="", allowed=str(error))
        ) from None


def _read_value(setting: Setting) -> object:
    """Return a value as `Options` has it.

    Raises:
        InputError: no command would take it.
    """
    option = setting.key
    if option.choices:
        _choose(setting, option.choices)
    try:
        value = option.read(setting.value)
        if option.field:
            replace(Options(), **{option.field: value})
    except InputError as error:
        raise _placed(error, setting) from None
    return value


def _choose(setting: Setting, choices: Sequence[str]) -> None:
    value = str(setting.value)
    if value not in choices:
        allowed = "one of " + ", ".join(f"`{c}`" for c in choices)
        hint = suggest_closest(value, choices)
        name = setting.key.name
        raise InputError(
            NotAChoice(span=setting.span, name=name, value=value, hint=hint, allowed=allowed)
        )


def _placed(error: InputError, setting: Setting) -> InputError:
    return InputError(*(replace(d, span=d.span or setting.span) for d in error.diagnostics))


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)

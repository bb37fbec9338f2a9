"""`flushproof config`: what holds for a file, and which file or option says so."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import ClassVar

from flushproof.cli.arguments import KEYS, add_option
from flushproof.cli.command import Command
from flushproof.cli.commands.config.text import origins_document, render
from flushproof.cli.settings.layers import SettingOrigin
from flushproof.cli.terminal import Terminal
from flushproof.frontend.c.load import load_source
from flushproof.frontend.spec.syntax import BoundLine
from flushproof.report import json_report as json
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.source import Span
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.option import Group


class NotAFile(Diagnostic, frozen=True, kw_only=True):
    """A folder stands where the settings of a file are asked for."""

    CODE: ClassVar[str] = "FP0133"
    TITLE: ClassVar[str] = "`{path}` is a folder, and `config` takes a file"
    HELP: ClassVar[str] = "without a file it shows what holds in the folder in which it is run"
    EXIT: ClassVar[int] = EXIT_USAGE
    path: str


TYPED, DEFAULT = "command line", "default"


def _add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file", nargs="?", metavar="FILE", help="a spec file, whose own settings count too"
    )
    command.add_argument(
        "--show", action="store_true", help="print each value and where it is from (the default)"
    )
    for option in KEYS:
        if option.group is not Group.LOOKS:
            add_option(command, option)


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    stated = _stated(arguments.file) if arguments.file else {}
    origins = [_layered(o, stated.pop(o.name, None)) for o in arguments.origins]
    origins += stated.values()
    if arguments.format == "json":
        terminal.raw(json.dump_document(origins_document(origins)))
    else:
        terminal.raw(render(origins))
    return 0


def _layered(found: SettingOrigin, stated: SettingOrigin | None) -> SettingOrigin:
    """Return what counts: what was typed, else the spec, else what was found."""
    if stated is not None and found.source != TYPED:
        return stated
    return _usual(found.name) or found if found.source == DEFAULT else found


def _usual(name: str) -> SettingOrigin | None:
    """Return the default of what is not settled by the command line's own defaults."""
    from flushproof.frontend.setup import Bounds

    usual = Bounds()
    low, high = usual.vcpus
    bounds = {
        "vcpus": f"{low}..{high}",
        "loads": str(usual.loads),
        "flushes": str(usual.flushes),
    }
    known = bounds | {k.name: k.usual for k in KEYS if k.usual}
    if name == "cache-dir":
        given = "FLUSHPROOF_CACHE" in os.environ
        return SettingOrigin(
            name, verdict_folder() or "-", "FLUSHPROOF_CACHE" if given else DEFAULT
        )
    return SettingOrigin(name, known[name], DEFAULT) if name in known else None


def _stated(path: str) -> dict[str, SettingOrigin]:
    """Return what a spec says; nothing for a C file.

    Raises:
        InputError: it is not accepted.
    """
    if Path(path).is_dir():
        raise InputError(NotAFile(span=None, path=path))
    source = load_source(path)
    if not path.endswith(".spec"):
        return {}
    from flushproof.frontend.spec.resolve import only_spec

    spec, _ = only_spec(source)
    out = {}
    for b in spec.bounds:
        out[b.name] = SettingOrigin(b.name, _bound_text(b), _place(b.span))
    if spec.memory is not None:
        out["memory"] = SettingOrigin("memory", spec.memory.model, _place(spec.memory.span))
    return out


def _bound_text(bound: BoundLine) -> str:
    if bound.any_number:
        return "any"
    return f"{bound.low}..{bound.high}" if bound.name == "vcpus" else str(bound.high)


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}"


COMMAND = Command("config", "show each setting and where it is from", _add, _run)

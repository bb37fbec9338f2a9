"""`flushproof replay`: step through a saved counterexample, or try it in another variant."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, ClassVar

from flushproof.cli.command import Command
from flushproof.cli.terminal import Terminal
from flushproof.results.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError

if TYPE_CHECKING:
    from flushproof.results.saved_trace import Saved

_STEPS = re.compile(r"(\d{1,6})(?:\.\.(\d{1,6}))?", re.ASCII)
KEYS = "n: next, p: previous, g: first, G: last, q: quit"
_MOVES = {"n": 1, " ": 1, "\r": 1, "\n": 1, "j": 1, "p": -1, "b": -1, "k": -1}
_ARROWS = {"\x1b[C": 1, "\x1b[B": 1, "\x1b[D": -1, "\x1b[A": -1}


class NoSuchStep(Diagnostic, frozen=True, kw_only=True):
    """Steps that the trace does not have."""

    CODE: ClassVar[str] = "FP0903"
    TITLE: ClassVar[str] = "there is no step `{text}`"
    HELP: ClassVar[str] = "write `N` or `N..M`, from 0 (boot) to {last}"
    EXIT: ClassVar[int] = EXIT_USAGE

    text: str
    last: int


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="a file that `--format itf` wrote")
    parser.add_argument("--step", metavar="N|N..M", help="show only these steps; 0 is the boot")
    parser.add_argument(
        "--against", metavar="FILE", help="does this schedule still fail in that C or spec file?"
    )


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    from flushproof.features.replay.itf_reader import read_itf
    from flushproof.frontend.c.load import load_source

    saved = read_itf(load_source(arguments.trace))
    last = len(saved.trace.steps)
    if arguments.against is not None:
        return _against(saved, arguments.against, terminal)
    if arguments.step is not None:
        for number in _numbers(arguments.step, last):
            _show(saved, number, terminal)
    elif terminal.interactive:
        _walk(saved, terminal)
    else:
        _overview(saved, terminal)
        for number in range(last + 1):
            _show(saved, number, terminal)
    return EXIT_OK


def _numbers(text: str, last: int) -> range:
    found = _STEPS.fullmatch(text.strip())
    if found is not None:
        first = int(found[1])
        end = first if found[2] is None else int(found[2])
        if first <= end <= last:
            return range(first, end + 1)
    raise InputError(NoSuchStep(span=None, text=text, last=last))


def _overview(saved: Saved, terminal: Terminal) -> None:
    from flushproof.cli.commands.replay import text as replay

    terminal.report(replay.render_overview(saved, terminal.width) + "\n")


def _show(saved: Saved, number: int, terminal: Terminal) -> None:
    from flushproof.cli.commands.replay import text as replay

    terminal.report(replay.render_step(saved, number, terminal.width) + "\n")


def _walk(saved: Saved, terminal: Terminal) -> None:
    """Go forwards and backwards by keys until the reader has enough."""
    from flushproof.cli.commands.replay.key_reader import read_key

    _overview(saved, terminal)
    number, last = 0, len(saved.trace.steps)
    while True:
        _show(saved, number, terminal)
        terminal.raw(f"{KEYS}\n")
        key = read_key(sys.stdin)
        if key in ("q", "", "\x04", "\x1b"):
            return
        number = _moved(number, last, key)


def _moved(number: int, last: int, key: str) -> int:
    if key == "g":
        return 0
    if key == "G":
        return last
    return min(last, max(0, number + _MOVES.get(key, 0) + _ARROWS.get(key, 0)))


def _against(saved: Saved, path: str, terminal: Terminal) -> int:
    from flushproof import pipeline
    from flushproof.cli.commands.replay import text as replay

    found = pipeline.replay(saved, path)
    terminal.report(replay.render_answer(found, terminal.width))
    if found.trace is not None:
        return EXIT_OTHERWISE
    return EXIT_UNDECIDED if found.misfits or found.undefined else EXIT_OK


COMMAND = Command(
    "replay", "step through a saved counterexample, or try it in another variant", _add, _run
)

"""A C file without a spec: taken as it stands where it is written for us, else as a kernel file."""

from __future__ import annotations

import re
from pathlib import Path

from flushproof.config import Choices
from flushproof.diagnostics import InputError
from flushproof.frontend.load import load
from flushproof.machine.build import build
from flushproof.machine.setup import Setup
from flushproof.record import Record
from flushproof.source import Source
from flushproof.spec.resolve import NotTheFamily, from_text

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b", re.MULTILINE)


class Opened(Record, frozen=True):
    """A set-up; `profile` is "" where the file is taken as it stands."""

    setup: Setup
    profile: str = ""
    missing: tuple[str, ...] = ()


def open_file(path: str, choices: Choices) -> Opened:
    """Read a C file: whole where it needs no header, else the part of it that the flush needs.

    Raises:
        InputError: the file is not accepted either way.
    """
    return open_text(load(path), Path(path), choices)


def open_text(variant: Source, place: Path, choices: Choices) -> Opened:
    """Do as `open_file` with a text that is meant to stand in the file `place`.

    Raises:
        InputError: the text is not accepted either way.
    """
    if choices.any or _INCLUDE.search(variant.text):
        return _reduced(variant, choices, place)
    try:
        setup = from_text(variant, None)
        build(setup)
    except InputError as error:
        return _instead(variant, choices, place, error)
    return Opened(setup)


def _reduced(variant: Source, choices: Choices, place: Path) -> Opened:
    from flushproof.kernel.setup import recognise

    found = recognise(variant, choices, place)
    return Opened(found.setup, found.profile, found.missing)


def _instead(variant: Source, choices: Choices, place: Path, error: InputError) -> Opened:
    """Try the file as one of a kernel; where that fails too, the first complaint stands."""
    family = any(isinstance(d, NotTheFamily) for d in error.diagnostics)
    try:
        opened = _reduced(variant, choices, place)
        build(opened.setup)
    except InputError:
        if family:
            raise
        raise error from None
    return opened

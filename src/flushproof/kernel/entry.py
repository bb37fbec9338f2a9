"""A C file without a spec: taken as it stands where it is written for us, else as a kernel file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flushproof.config import Choices
from flushproof.diagnostics import InputError
from flushproof.frontend.load import load
from flushproof.kernel.setup import recognise
from flushproof.machine.build import build
from flushproof.machine.setup import Setup
from flushproof.source import Source
from flushproof.spec.resolve import NotTheFamily, from_variant

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Opened:
    """A set-up; `profile` is "" where the file is taken as it stands."""

    setup: Setup
    profile: str = ""
    missing: tuple[str, ...] = ()


def open_file(path: str, choices: Choices) -> Opened:
    """Read a C file: whole where it needs no header, else the part of it that the flush needs.

    Raises:
        InputError: the file is not accepted either way.
    """
    variant = load(path)
    if choices.any or _INCLUDE.search(variant.text):
        return _reduced(variant, choices)
    try:
        setup = from_variant(path, None)
        build(setup)
    except InputError as error:
        return _instead(variant, choices, error)
    return Opened(setup)


def _reduced(variant: Source, choices: Choices) -> Opened:
    found = recognise(variant, choices)
    return Opened(found.setup, found.profile, found.missing)


def _instead(variant: Source, choices: Choices, error: InputError) -> Opened:
    """Try the file as one of a kernel; where that fails too, the first complaint stands."""
    family = any(isinstance(d, NotTheFamily) for d in error.diagnostics)
    try:
        opened = _reduced(variant, choices)
        build(opened.setup)
    except InputError:
        if family:
            raise
        raise error from None
    return opened

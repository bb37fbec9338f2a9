"""Spec files and folders that are named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError

SOURCES = (".c", ".h")


class NoSuchPath(Diagnostic, frozen=True, kw_only=True):
    """A file or folder named on the command line that does not exist."""

    CODE: ClassVar[str] = "FP0102"
    TITLE: ClassVar[str] = "no such file or folder: `{path}`"
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str


class NoSpecs(Diagnostic, frozen=True, kw_only=True):
    """A folder without spec files."""

    CODE: ClassVar[str] = "FP0103"
    TITLE: ClassVar[str] = "no `*.spec` file in `{path}`"
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str


class NotASpec(Diagnostic, frozen=True, kw_only=True):
    """A file of C where one that expects verdicts is wanted."""

    CODE: ClassVar[str] = "FP0132"
    TITLE: ClassVar[str] = "`{path}` is not a spec file"
    HELP: ClassVar[str] = (
        "`check` compares verdicts with those that a spec expects; for a C file say "
        "`flushproof prove {path}`"
    )
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str


def find_specs(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the files, and the `*.spec` files under the folders, sorted and each only once.

    Raises `InputError` for a path that does not exist and for a folder without spec files.
    """
    return tuple(sorted({spec for path in paths for spec in _specs_of(path)}))


def _specs_of(path: str) -> list[str]:
    place = Path(path)
    if place.is_file():
        if place.suffix in SOURCES:
            raise InputError(NotASpec(span=None, path=path))
        return [path]
    if not place.is_dir():
        raise InputError(NoSuchPath(span=None, path=path))
    found = [str(p) for p in place.rglob("*.spec") if p.is_file()]
    if not found:
        raise InputError(NoSpecs(span=None, path=path))
    return found

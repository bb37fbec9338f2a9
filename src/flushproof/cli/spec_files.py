"""Spec files and folders that are named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from flushproof.frontend.spec.foreign import is_foreign
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


def find_specs(paths: Iterable[str], *, only: bool = False) -> tuple[str, ...]:
    """Return the files, and the `*.spec` files under the folders, sorted and each only once.

    In a folder those of other programs, which use this ending too, are left out; with `only` a C
    file is refused.

    Raises:
        InputError: paths that do not exist, folders without spec files, all of them.
    """
    found: set[str] = set()
    wrong: list[Diagnostic] = []
    for path in paths:
        specs = _specs_of(path, only=only)
        if isinstance(specs, Diagnostic):
            wrong.append(specs)
        else:
            found |= set(specs)
    if wrong:
        raise InputError(*wrong)
    return tuple(sorted(found))


def _specs_of(path: str, *, only: bool) -> list[str] | Diagnostic:
    place = Path(path)
    if place.is_file():
        return NotASpec(span=None, path=path) if only and place.suffix in SOURCES else [path]
    if not place.is_dir():
        return NoSuchPath(span=None, path=path)
    found = [str(p) for p in place.rglob("*.spec") if p.is_file() and not is_foreign(p)]
    return found or NoSpecs(span=None, path=path)

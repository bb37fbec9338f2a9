"""Which files a spec may name: those in its own folder and below, symbolic links resolved.

A spec can come from anybody, and what is wrong in a file is shown with its lines. A file elsewhere
is the user's to name, on the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from flushproof.frontend.c.load import Missing
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.files import current_files
from flushproof.support.source import Span


class OutsideFolder(Diagnostic, frozen=True, kw_only=True):
    """A spec names a file that is not its own."""

    CODE: ClassVar[str] = "FP0513"
    TITLE: ClassVar[str] = "`{path}` is not in the folder of the spec that names it"
    HELP: ClassVar[str] = "name it on the command line: flushproof prove FILE --spec SPEC"
    path: str


def confine_path(folder: Path, name: str, span: Span) -> Path:
    """Return the path of a file that a spec in a folder names.

    Raises:
        InputError: it is outside the folder, or no regular file.
    """
    path = folder / name
    files = current_files()
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(OutsideFolder(span=span, path=name))
    if files.is_folder(str(path)):
        return path  # reading it says what is wrong
    if not files.is_file(str(path)):
        raise InputError(Missing(span=span, path=str(path)))
    if not is_within(path, (folder,)):
        raise InputError(OutsideFolder(span=span, path=name))
    return path


def is_within(path: Path, folders: tuple[Path, ...]) -> bool:
    """Tell whether a file is in one of the folders or below, whatever links lead there."""
    return is_below(str(path), tuple(current_files().real(str(f)) for f in folders))


def is_below(path: str, real: tuple[str, ...]) -> bool:
    """Do as `is_within` with folders that are given without symbolic links."""
    found = current_files().real(path)
    return any(found == folder or found.startswith(folder.rstrip("/") + "/") for folder in real)

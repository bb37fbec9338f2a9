"""The other files of a patch, where they stand beside the one that is reviewed: its headers."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from flushproof.features.review.diff import FileDiff, Patch
from flushproof.features.review.patch_apply import (
    Applied,
    Target,
    TextLine,
    apply_hunks,
    unchanged_source,
)
from flushproof.frontend.c.load import load_source
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.files import current_files
from flushproof.support.record import Record
from flushproof.support.source import Source

Around = Mapping[Path, Applied]
"""Files that patches changed so far, by where they stand."""

_CODE = (".c", ".h")


class OutsidePath(Diagnostic, frozen=True, kw_only=True):
    """A patch that names a file outside of the tree it is for."""

    CODE: ClassVar[str] = "FP0813"
    TITLE: ClassVar[str] = "the patch changes `{path}`, which is no path within a tree"
    path: str


class Beside(Record, frozen=True):
    """Which other files of a patch were found, and all that patches changed so far."""

    files: tuple[FileDiff, ...]
    around: Around


def patched_texts(around: Around) -> tuple[Source, ...]:
    """Return the texts of files as they are after the patches."""
    return tuple(
        Source(str(path), "\n".join(x.text for x in applied.lines))
        for path, applied in around.items()
    )


def patched_beside(patch: Patch, files: tuple[FileDiff, ...], base: Path, around: Around) -> Beside:
    """Apply the rest of a patch to the files that stand to `base` as they do in the patch.

    Raises:
        InputError: such a file is there, and the patch does not apply to it, or it is outside.
    """
    if len(files) != 1 or _outside(files[0].path):
        return Beside((), around)
    folder = posixpath.dirname(files[0].path) or "."
    found: list[FileDiff] = []
    changed = dict(around)
    for file in patch.files:
        if file in files or not file.path.endswith(_CODE):
            continue
        if _outside(file.path):
            raise InputError(OutsidePath(span=None, path=file.path))
        place = Path(os.path.normpath(base.parent / posixpath.relpath(file.path, folder)))
        if file.whole:
            new = (TextLine(x.text, x, None) for hunk in file.hunks for x in hunk.new)
            changed[place] = Applied(tuple(new), ())
        elif place in changed or current_files().is_file(str(place)):
            before = changed.get(place) or unchanged_source(load_source(place))
            changed[place] = apply_hunks(file, before, Target(str(place), patch.letter))
        else:
            continue
        found.append(file)
    return Beside(tuple(found), changed)


def _outside(path: str) -> bool:
    """Tell whether a path of a patch leads out of the tree."""
    return posixpath.isabs(path) or ".." in path.split("/")

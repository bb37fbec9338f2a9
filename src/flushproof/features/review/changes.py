"""From a patch, a mail or an mbox to one file before and after each of its patches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from flushproof.features.review.companion_files import Around, patched_beside, patched_texts
from flushproof.features.review.diff import FileDiff, Patch, patch_of, require_all
from flushproof.features.review.mail import Letter, split_letters
from flushproof.features.review.patch_apply import Applied, Target, apply_hunks, unchanged_source
from flushproof.frontend.c.load import load_bytes, load_source
from flushproof.results.review import FileChange, PatchLine
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.source import Source

_NUMBER = re.compile(r"\[[^\]]*?(\d{1,9})/\d+[^\]]*\]", re.ASCII)
_CODE = (".c", ".h")


class NoDiff(Diagnostic, frozen=True, kw_only=True):
    """A file without any diff."""

    CODE: ClassVar[str] = "FP0801"
    TITLE: ClassVar[str] = "there is no diff in `{path}`"
    HELP: ClassVar[str] = "a patch, a mail or an mbox with lines `---`, `+++` and `@@` is wanted"
    path: str


class OtherFiles(Diagnostic, frozen=True, kw_only=True):
    """A patch of which no file is the base."""

    CODE: ClassVar[str] = "FP0802"
    TITLE: ClassVar[str] = "the patch does not change `{base}`, but {files}"
    HELP: ClassVar[str] = "--base names the file that it changes, --path which of its files that is"
    EXIT: ClassVar[int] = EXIT_USAGE
    base: str
    files: str


class NothingChanges(Diagnostic, frozen=True, kw_only=True):
    """Two versions of a file that are the same."""

    CODE: ClassVar[str] = "FP0803"
    TITLE: ClassVar[str] = "`{path}` is the same before and after"
    path: str


def from_patch(patch: str, base: str, path: str | None) -> tuple[FileChange, ...]:
    """Apply every patch of a file, one after the other; `path` picks a file of each patch.

    Raises:
        InputError: there is no diff, it is damaged, is for other files, or does not apply.
    """
    found = _patches(patch)
    source = load_source(base)
    wanted = path or base
    touching = [(p, _chosen(p, wanted, given=path is not None)) for p in found]
    if not any(files for _, files in touching):
        names = ", ".join(f"`{f.path}`" for p in found for f in p.files)
        raise InputError(OtherFiles(span=None, base=wanted, files=names))
    return tuple(_changes(source, [(p, files) for p, files in touching if files]))


def _patches(path: str) -> tuple[Patch, ...]:
    """Return the patches of a series in order; of a patch and replies to it, the patch."""
    read = (patch_of(letter) for letter in split_letters(path, load_bytes(path)))
    found = [p for p in read if p is not None]
    if not found:
        raise InputError(NoDiff(span=None, path=path))
    own = [p for p in found if not p.quoted] or found
    for whole in own:
        require_all(whole)
    if all(_NUMBER.search(p.letter.subject) for p in own):
        own.sort(key=lambda p: _position(p.letter))
    return tuple(own)


def _position(letter: Letter) -> int:
    found = _NUMBER.search(letter.subject)
    return 0 if found is None else int(found[1])


def _chosen(patch: Patch, wanted: str, *, given: bool) -> tuple[FileDiff, ...]:
    """Return the files of a patch that stand for the base.

    These are those of its name, else its only file, else, where the base joins several, all code.
    """
    name = PurePosixPath(wanted).name
    named = tuple(f for f in patch.files if PurePosixPath(f.path).name == name)
    longest = max((_common(f.path, wanted) for f in named), default=0)
    best = tuple(f for f in named if _common(f.path, wanted) == longest)
    if best or given:
        return best
    code = tuple(f for f in patch.files if f.path.endswith(_CODE))
    return code if len(patch.files) == 1 or code else ()


def _common(a: str, b: str) -> int:
    """Return how many of the last parts of two paths are the same."""
    total = 0
    for x, y in zip(
        reversed(PurePosixPath(a).parts), reversed(PurePosixPath(b).parts), strict=False
    ):
        if x != y:
            break
        total += 1
    return total


def _changes(
    source: Source, patches: list[tuple[Patch, tuple[FileDiff, ...]]]
) -> Iterator[FileChange]:
    before = source
    around: Around = {}
    for number, (patch, files) in enumerate(patches, 1):
        name = f"{source.name}@patched" if len(patches) == 1 else f"{source.name}@{number}"
        letter = patch.letter
        applied = _applied(before, letter, files)
        after = Source(name, "\n".join(x.text for x in applied.lines))
        if after.text == before.text:
            raise InputError(NothingChanges(span=None, path=source.name))
        beside = patched_beside(patch, files, Path(source.name), around)
        yield FileChange(
            before=before,
            after=after,
            subject=letter.subject,
            statement=patch.statement,
            places=tuple(_places(applied, letter)),
            others=tuple(f.path for f in patch.files if f not in (*files, *beside.files)),
            notes=applied.notes,
            path=source.name,
            around=(patched_texts(around), patched_texts(beside.around)),
        )
        before, around = after, beside.around


def _applied(before: Source, letter: Letter, files: tuple[FileDiff, ...]) -> Applied:
    applied = unchanged_source(before)
    try:
        for file in files:
            applied = apply_hunks(file, applied, Target(before.name, letter))
    except InputError as error:
        error.sources = (before,)
        raise
    return applied


def _places(applied: Applied, letter: Letter) -> Iterator[tuple[int, PatchLine]]:
    decoded = letter.first is None
    for number, line in enumerate((x.shown for x in applied.lines), 1):
        if line is not None:
            where = letter.number(line.at)
            yield number, PatchLine(letter.path, where, decoded=decoded, added=line.sign == "+")

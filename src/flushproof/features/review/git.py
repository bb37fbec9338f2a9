"""One file before and after a range of commits, read by git and not checked out."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from flushproof.features.review.changes import NothingChanges
from flushproof.features.review.diff import statement_in
from flushproof.features.review.git_command import ask_git
from flushproof.features.review.revision_files import (
    digest_disk,
    find_tree,
    list_entries,
    read_around,
)
from flushproof.results.review import FileChange
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.source import Source


class NotRevisions(Diagnostic, frozen=True, kw_only=True):
    """Something other than two revisions."""

    CODE: ClassVar[str] = "FP0808"
    TITLE: ClassVar[str] = "`{text}` is no range of revisions"
    HELP: ClassVar[str] = "write `OLD..NEW`, such as `HEAD~1..HEAD`"
    EXIT: ClassVar[int] = EXIT_USAGE
    text: str


def from_git(text: str, path: str) -> tuple[FileChange, ...]:
    """Return one file at the two ends of a range, and what the commits between say.

    Where the file stays as it is, a change of the files around it counts.

    Raises:
        InputError: no such range or file, no git, or nothing changes.
    """
    old, dots, new = text.partition("..")
    if not dots or not old or new.startswith(".") or text.startswith("-"):
        raise InputError(NotRevisions(span=None, text=text))
    new = new or "HEAD"
    before, after = (_at(rev, path) for rev in (old, new))
    tree = find_tree(path)
    first, second = (_commit(rev, path) for rev in (old, new))
    entries = [list_entries(tree, commit) for commit in (first, second)]
    same = before.text == after.text
    if same and entries[0] == entries[1]:
        raise InputError(NothingChanges(span=None, path=path))
    places = tuple(str(tree.top / f) for f in tree.folders) if same else (Path(path).name,)
    message, subjects = (
        _git(path, "log", f"--format={what}", f"{first}..{second}", "--", *places)
        for what in ("%B", "%s")
    )
    lines = subjects.splitlines()
    subject = lines[0] if len(lines) == 1 else text
    here = digest_disk(tree, first)
    around = (read_around(tree, entries[0], here, path), read_around(tree, entries[1], here, path))
    statement = statement_in(message) if len(lines) == 1 or not same else None
    return (FileChange(before, after, subject, statement, (), path=path, around=around),)


def _at(rev: str, path: str) -> Source:
    text = _git(path, "show", f"{_commit(rev, path)}:./{Path(path).name}")
    return Source(f"{path}@{rev}", text.replace("\r\n", "\n"))


def _commit(rev: str, path: str) -> str:
    return _git(path, "rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}").strip()


def _git(path: str, *arguments: str) -> str:
    return ask_git(str(Path(path).parent), *arguments)

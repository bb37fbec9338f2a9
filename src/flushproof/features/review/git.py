"""One file before and after a range of commits, read by git and not checked out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import ClassVar

from flushproof.features.review.changes import NothingChanges
from flushproof.features.review.diff import statement_in
from flushproof.results.review import FileChange
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.source import Source

SECONDS = 60
FOLDERS = ("arch/x86/kvm", "arch/x86/include/asm", "include/linux")
"""Where headers of a kernel file stand, from the top of the tree."""

MOST = 200
"""So many files around one are looked at, at most."""


class NotRevisions(Diagnostic, frozen=True, kw_only=True):
    """Something other than two revisions."""

    CODE: ClassVar[str] = "FP0808"
    TITLE: ClassVar[str] = "`{text}` is no range of revisions"
    HELP: ClassVar[str] = "write `OLD..NEW`, such as `HEAD~1..HEAD`"
    EXIT: ClassVar[int] = EXIT_USAGE
    text: str


class GitFails(Diagnostic, frozen=True, kw_only=True):
    """Git does not find what it is asked for."""

    CODE: ClassVar[str] = "FP0809"
    TITLE: ClassVar[str] = "git: {reason}"
    EXIT: ClassVar[int] = EXIT_USAGE
    reason: str


def from_git(text: str, path: str) -> tuple[FileChange, ...]:
    """Return one file at the two ends of a range, and what the commits between say.

    Raises:
        InputError: no such range or file, no git, or nothing changes.
    """
    old, dots, new = text.partition("..")
    if not dots or not old or new.startswith(".") or text.startswith("-"):
        raise InputError(NotRevisions(span=None, text=text))
    new = new or "HEAD"
    before, after = (_at(rev, path) for rev in (old, new))
    if before.text == after.text:
        raise InputError(NothingChanges(span=None, path=path))
    span = f"{_commit(old, path)}..{_commit(new, path)}"
    message = _git(path, "log", "--format=%B", span, "--", Path(path).name)
    subjects = _git(path, "log", "--format=%s", span, "--", Path(path).name).splitlines()
    subject = subjects[0] if len(subjects) == 1 else text
    around = (_around(old, path), _around(new, path))
    statement = statement_in(message)
    return (FileChange(before, after, subject, statement, (), path=path, around=around),)


def _around(rev: str, path: str) -> tuple[Source, ...]:
    """Return the code around a file that is otherwise at a revision than on disk."""
    commit = _commit(rev, path)
    top = Path(_git(path, "rev-parse", "--show-toplevel").strip())
    folders = [str(Path(path).absolute().parent), *(str(top / f) for f in FOLDERS)]
    changed = _git(path, "diff", "--name-only", "-z", "--no-renames", commit, "--", *folders)
    names = [n for n in changed.split("\0") if n.endswith((".c", ".h"))]
    own = os.path.realpath(path)
    return tuple(
        Source(str(top / n), _text_at(commit, n, path))
        for n in names[:MOST]
        if os.path.realpath(top / n) != own
    )


def _text_at(commit: str, name: str, path: str) -> str:
    """Return a file at a commit, empty where it has none of that name."""
    try:
        return _git(path, "show", f"{commit}:{name}").replace("\r\n", "\n")
    except InputError:
        return ""


def _at(rev: str, path: str) -> Source:
    text = _git(path, "show", f"{_commit(rev, path)}:./{Path(path).name}")
    return Source(f"{path}@{rev}", text.replace("\r\n", "\n"))


def _commit(rev: str, path: str) -> str:
    return _git(path, "rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}").strip()


def _git(path: str, *arguments: str) -> str:
    folder = str(Path(path).parent)
    command = ["git", "-C", folder, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and a revision that cannot be an option
            command, capture_output=True, check=True, timeout=SECONDS
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").splitlines()
        reason = next((x.removeprefix("fatal: ") for x in lines if x.strip()), "it failed")
        raise InputError(GitFails(span=None, reason=reason)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(GitFails(span=None, reason=str(error))) from error
    return done.stdout.decode("utf-8", "replace")

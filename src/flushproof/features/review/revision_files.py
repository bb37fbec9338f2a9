"""The files around one, as a commit has them where the working tree has them otherwise.

Git is asked for names, digests and contents only. It does not compare them with the working tree,
for then it would run the filters that the settings of a repository name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from flushproof.features.review.git_command import GitFails, ask_git, run_git
from flushproof.frontend.spec.path_confinement import is_below
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.support.source import Source

FOLDERS = ("arch/x86/kvm", "arch/x86/include", "include")
"""Where headers of a kernel file stand, from the top of the tree."""

MOST = 40_000
"""So many files around one are compared, several times what these folders of a kernel have."""

_LINK = "120000"
_REGULAR = ("100644", "100755")


class TooMany(Diagnostic, frozen=True, kw_only=True):
    """A folder with more files than are compared."""

    CODE: ClassVar[str] = "FP0812"
    TITLE: ClassVar[str] = "`{folder}` has more than {most} files around the one that is reviewed"
    EXIT: ClassVar[int] = EXIT_USAGE
    folder: str
    most: int = MOST


class CommittedFile(Record, frozen=True):
    """A file of a commit: its mode, and the digest of its contents."""

    mode: str
    digest: str


class Tree(Record, frozen=True):
    """A repository's top, and from there the folder of the reviewed file."""

    top: Path
    folder: str

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that are looked at with all that is below them; "" is the top."""
        return ("",) if not self.folder else tuple(dict.fromkeys((self.folder, *FOLDERS)))


def find_tree(path: str) -> Tree:
    """Return the repository that a file stands in.

    Raises:
        InputError: it stands in none.
    """
    folder = str(Path(path).parent)
    top = ask_git(folder, "rev-parse", "--show-toplevel").rstrip("\n")
    prefix = ask_git(folder, "rev-parse", "--show-prefix").rstrip("\n")
    return Tree(Path(top), prefix.rstrip("/"))


def list_entries(tree: Tree, commit: str) -> Mapping[str, CommittedFile]:
    """Return the files of a commit in the folders that count, by their paths from the top.

    Raises:
        InputError: git fails, or there are too many.
    """
    found: dict[str, CommittedFile] = {}
    # Right above the file's folder lies what `../x.h` names.
    above = (f"{os.path.dirname(tree.folder)}/".lstrip("/"),) if tree.folder else ()  # noqa: PTH120
    for ways, folders in ((("-r",), tree.folders), ((), above)):
        places = tuple(f for f in folders if f)
        if not folders:
            continue
        words = ("ls-tree", *ways, "-z", "--full-tree", commit, "--", *places)
        for line in ask_git(str(tree.top), *words).split("\0")[:-1]:
            head, _, name = line.partition("\t")
            mode, sort, digest = head.split(" ")
            if sort == "blob":
                found[name] = CommittedFile(mode, digest)
    return found


def read_around(
    tree: Tree, entries: Mapping[str, CommittedFile], here: Mapping[str, str], but: str
) -> tuple[Source, ...]:
    """Return the texts that a commit has otherwise than the disk, empty where it has no such file.

    Raises:
        InputError: git fails, or a link on the disk is not the same in the commit.
    """
    _require_same_links(tree, entries, here)
    own = os.path.realpath(but)
    other = {
        name: entry
        for name, entry in entries.items()
        if entry.mode in _REGULAR and here.get(name) != entry.digest
    }
    gone = [n for n, digest in here.items() if digest and not _regular(entries, n)]
    # A file without text is one all the same.
    texts = dict.fromkeys(gone, "") | {n: t or "\n" for n, t in _contents(tree, other).items()}
    return tuple(
        Source(str(tree.top / name), text)
        for name, text in texts.items()
        if os.path.realpath(tree.top / name) != own
    )


def _regular(entries: Mapping[str, CommittedFile], name: str) -> bool:
    return name in entries and entries[name].mode in _REGULAR


def digest_disk(tree: Tree, commit: str) -> Mapping[str, str]:
    """Return the files on the disk with the digests that git would give them, "" for a link.

    Raises:
        InputError: there are too many.
    """
    # Digests are as long as the name of a commit.
    kind = hashlib.sha1 if len(commit) == 40 else hashlib.sha256
    found: dict[str, str] = {}
    for path in _files(tree):
        name = path.relative_to(tree.top).as_posix()
        if path.is_symlink():
            found[name] = ""
            continue
        try:
            data = path.read_bytes()
        except OSError:
            data = b""
        found[name] = kind(b"blob %d\0" % len(data) + data).hexdigest()
    return found


def _files(tree: Tree) -> Iterator[Path]:
    seen: set[Path] = set()
    for place in tree.folders:
        for folder, below, names in os.walk(tree.top / place):
            below[:] = [b for b in below if not b.startswith(".")]
            links = [b for b in below if (Path(folder) / b).is_symlink()]
            seen.update(Path(folder) / n for n in (*names, *links))
            if len(seen) > MOST:
                raise InputError(TooMany(span=None, folder=str(tree.top)))
    above = (tree.top / tree.folder).parent if tree.folder else tree.top
    seen.update(p for p in above.iterdir() if p.is_file())
    yield from (p for p in sorted(seen) if p.is_symlink() or p.is_file())


def _require_same_links(
    tree: Tree, entries: Mapping[str, CommittedFile], here: Mapping[str, str]
) -> None:
    """Refuse links on the disk that are otherwise in the commit, for what they show is elsewhere.

    One that git does not know may lead to where files are compared, or out of the repository.
    """
    links = [n for n, digest in here.items() if not digest]
    targets = _contents(
        tree, {n: entries[n] for n in links if n in entries and entries[n].mode == _LINK}
    )
    for name in links:
        known = name in entries or any(e.startswith(f"{name}/") for e in entries)
        target = str((tree.top / name).readlink())
        if targets.get(name) != target if known else _leads_aside(tree, name):
            reason = f"`{name}` is a link in the working tree, and not the same in the revision"
            raise InputError(GitFails(span=None, reason=reason))


def _leads_aside(tree: Tree, name: str) -> bool:
    """Tell whether a link leads to a place in the repository where no files are compared."""
    real = os.path.realpath(tree.top / name)
    top = os.path.realpath(tree.top)
    compared = [os.path.realpath(tree.top / f) for f in tree.folders]
    return is_below(real, (top,)) and not is_below(real, tuple(compared))


def _contents(tree: Tree, entries: Mapping[str, CommittedFile]) -> dict[str, str]:
    """Return what files hold, read by one process."""
    if not entries:
        return {}
    digests = "".join(f"{e.digest}\n" for e in entries.values())
    data = run_git(str(tree.top), ("cat-file", "--batch"), digests.encode())
    found: dict[str, str] = {}
    at = 0
    for name in entries:
        end = data.index(b"\n", at)
        head = data[at:end].decode("utf-8", "replace").split(" ")
        if len(head) != 3:
            raise InputError(GitFails(span=None, reason=f"`{name}` is not in the repository"))
        size = int(head[2])
        text = data[end + 1 : end + 1 + size].decode("utf-8", "replace")
        found[name] = text.replace("\r\n", "\n")
        at = end + size + 2
    return found

"""Where input files are looked for: on the disk, or among texts that were sent along.

In: paths as the user or a source file names them. Out: bytes, and what is where. `Recorded` notes
each answer, so that another process or a later run can tell whether it would get the same ones;
`Sent` gives only answers that were noted. The place in use is a context variable, since files are
named deep inside other files; it changes nothing but where bytes come from.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from flushproof.support.errors import InternalError
from flushproof.support.record import Record

Kind = Literal["text", "file", "folder", "names", "real"]
YES, NO = "yes", "no"


class Files(Protocol):
    """What can be asked about input files."""

    def cwd(self) -> Path:
        """Return the folder that relative paths start from."""

    def read(self, path: str, limit: int) -> bytes:
        """Return the first `limit` bytes of a file; raise `OSError` or `ValueError`."""

    def is_file(self, path: str) -> bool:
        """Tell whether a file is there."""

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder is there."""

    def names(self, path: str) -> tuple[str, ...]:
        """Return what is in a folder, sorted; nothing where that cannot be listed."""

    def real(self, path: str) -> str:
        """Return the path without symbolic links."""


class FileLook(Record, frozen=True):
    """One question about a file, and the answer.

    For a text it is the digest of its bytes, or the name of the error that reading it gives; for
    what is in a folder each name, with a slash after it.
    """

    kind: Kind
    path: str
    answer: str


class Disk:
    """The files of this machine."""

    def cwd(self) -> Path:
        """Return the current folder, even where it is gone."""
        try:
            return Path.cwd()
        except OSError:
            return Path("/")

    def read(self, path: str, limit: int) -> bytes:
        """Return what the file begins with."""
        with Path(path).open("rb") as stream:
            return stream.read(limit)

    def is_file(self, path: str) -> bool:
        """Tell whether a file is there; a name that is too long is that of none."""
        with suppress(OSError):
            return Path(path).is_file()
        return False

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder is there."""
        with suppress(OSError):
            return Path(path).is_dir()
        return False

    def names(self, path: str) -> tuple[str, ...]:
        """Return what is in a folder, sorted."""
        with suppress(OSError, ValueError):
            return tuple(sorted(os.listdir(path)))  # noqa: PTH208 - names, not paths
        return ()

    def real(self, path: str) -> str:
        """Return the path without symbolic links."""
        return os.path.realpath(path)


@dataclass
class Recorded:
    """Other files, with a note of each answer."""

    inner: Files
    answers: dict[tuple[Kind, str], str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)

    @property
    def looks(self) -> tuple[FileLook, ...]:
        """Every answer so far, in order of question."""
        return tuple(FileLook(kind, path, answer) for (kind, path), answer in self.answers.items())

    def sent(self) -> Sent:
        """Return all that was answered, to be sent along."""
        return Sent(str(self.cwd()), dict(self.answers), dict(self.texts))

    def cwd(self) -> Path:
        """Return the folder that relative paths start from."""
        return self.inner.cwd()

    def read(self, path: str, limit: int) -> bytes:
        """Return what the file begins with, the same bytes each time."""
        if path in self.texts:
            return self.texts[path]
        try:
            data = self.inner.read(path, limit)
        except (OSError, ValueError) as error:
            self.answers["text", path] = _failure(error)
            raise
        self.answers["text", path] = digest_bytes(data)
        self.texts[path] = data
        return data

    def is_file(self, path: str) -> bool:
        """Tell whether a file is there."""
        return self._flag("file", path, self.inner.is_file(path))

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder is there."""
        return self._flag("folder", path, self.inner.is_folder(path))

    def names(self, path: str) -> tuple[str, ...]:
        """Return what is in a folder, sorted."""
        found = self.inner.names(path)
        self.answers["names", path] = _joined(found)
        return found

    def real(self, path: str) -> str:
        """Return the path without symbolic links."""
        self.answers["real", path] = found = self.inner.real(path)
        return found

    def ask(self, kind: Kind, path: str, limit: int) -> str:
        """Return the answer to a question, the same each time."""
        if (kind, path) in self.answers:
            return self.answers[kind, path]
        match kind:
            case "text":
                with suppress(OSError, ValueError):
                    self.read(path, limit)
            case "file":
                self.is_file(path)
            case "folder":
                self.is_folder(path)
            case "names":
                self.names(path)
            case "real":
                self.real(path)
        return self.answers[kind, path]

    def _flag(self, kind: Kind, path: str, found: bool) -> bool:  # noqa: FBT001 - an answer
        self.answers[kind, path] = YES if found else NO
        return found


class Sent(Record, frozen=True):
    """What one process noted, for another one that need not see the same disk."""

    folder: str
    answers: Mapping[tuple[Kind, str], str]
    texts: Mapping[str, bytes]

    def cwd(self) -> Path:
        """Return the sender's current folder."""
        return Path(self.folder)

    def read(self, path: str, limit: int) -> bytes:
        """Return what the file begins with."""
        found = self.texts.get(path)
        if found is None:
            raise OSError(_number(self._answer("text", path)), "not sent", path)
        return found[:limit]

    def is_file(self, path: str) -> bool:
        """Tell whether a file is there."""
        return self._answer("file", path) == YES

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder is there."""
        return self._answer("folder", path) == YES

    def names(self, path: str) -> tuple[str, ...]:
        """Return what is in a folder, sorted."""
        return tuple(self._answer("names", path).split("/")[:-1])

    def real(self, path: str) -> str:
        """Return the path without symbolic links."""
        return self._answer("real", path)

    def _answer(self, kind: Kind, path: str) -> str:
        found = self.answers.get((kind, path))
        if found is None:
            raise InternalError(f"a job asks for `{path}`, which was not sent with it")
        return found


class Overlaid(Record, frozen=True):
    """Other files, but for some texts by their paths without links; an empty one is no file."""

    inner: Files
    texts: Mapping[str, bytes]

    def cwd(self) -> Path:
        """Return the folder that relative paths start from."""
        return self.inner.cwd()

    def read(self, path: str, limit: int) -> bytes:
        """Return what the file begins with."""
        found = self.texts.get(self.inner.real(path))
        if found == b"":
            raise OSError(errno.ENOENT, "no such file", path)
        return self.inner.read(path, limit) if found is None else found[:limit]

    def is_file(self, path: str) -> bool:
        """Tell whether a file is there."""
        found = self.texts.get(self.inner.real(path))
        return self.inner.is_file(path) if found is None else found != b""

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder is there."""
        return self.inner.is_folder(path)

    def names(self, path: str) -> tuple[str, ...]:
        """Return what is in a folder, sorted."""
        folder = self.inner.real(path)
        found = dict.fromkeys(self.inner.names(path))
        for place, text in self.texts.items():
            above, name = os.path.split(place)
            if above == folder and text != b"":
                found[name] = None
            elif above == folder:
                found.pop(name, None)
        return tuple(sorted(found))

    def real(self, path: str) -> str:
        """Return the path without symbolic links."""
        return self.inner.real(path)


DISK = Disk()
_in_use: ContextVar[Files] = ContextVar("files", default=DISK)


def current_files() -> Files:
    """Return the files in use."""
    return _in_use.get()


@contextmanager
def use_files(files: Files) -> Iterator[None]:
    """Use these files meanwhile."""
    token = _in_use.set(files)
    try:
        yield
    finally:
        _in_use.reset(token)


def digest_bytes(data: bytes) -> str:
    """Return the digest of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def _joined(names: tuple[str, ...]) -> str:
    """Return names as one text; none of them holds a slash."""
    return "".join(f"{name}/" for name in names)


def _failure(error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    return errno.errorcode.get(number or errno.EIO, "EIO")


def _number(name: str) -> int:
    return getattr(errno, name, errno.EIO) if name.startswith("E") else errno.EIO

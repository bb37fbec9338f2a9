"""Files that a run leaves behind: whole or not at all.

In: a path and finished text. Out: the file. The text goes to a temporary file beside it first,
which then takes its name, so that nobody sees half of it and an old file survives a failure.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError

PAGE, DRAWING = "<!DOCTYPE html>", "<svg"
"""How the files begin that may be replaced."""
_UMASKED = 0o666
PRIVATE = 0o600
"""The permissions of a file for its user alone."""


class CannotWrite(Diagnostic, frozen=True, kw_only=True):
    """A file that was asked for and cannot be written."""

    CODE: ClassVar[str] = "FP0110"
    TITLE: ClassVar[str] = "cannot write `{path}`: {reason}"
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str
    reason: str


SOURCES = frozenset({".c", ".h", ".spec", ".claims", ".patch", ".diff", ".mbox"})
"""How names end of what people write themselves."""


def check_writable(path: str, begins: str = "", reads: Iterable[str] = ()) -> None:
    """Tell early what `write_atomically` would stumble over after a long run; nothing is created.

    A file that is there already is replaced only if it is empty or begins in this way, so that a
    slip on the command line costs no source: where anything may begin it, none by its name, and
    none of those in `reads`.

    Raises:
        InputError: the path cannot be written.
    """
    try:
        target = Path(path).resolve()
        folder = target.parent
        if target.is_dir():
            raise _cannot(path, "it is a folder")
        if target.exists() and not target.is_file():
            raise _cannot(path, "it is no regular file")
        if target.exists() and not _begins(target, begins):
            raise _cannot(path, f"it is there already, and does not begin with `{begins}`")
        if not begins and target.suffix in SOURCES and target.exists() and target.stat().st_size:
            raise _cannot(path, f"it is there already, and `{target.suffix}` is a source")
        if any(target == Path(read).resolve() for read in reads):
            raise _cannot(path, "it is what is read")
        if not folder.is_dir():
            raise _cannot(path, f"there is no folder `{folder}`")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _cannot(path, f"the folder `{folder}` is not writable")
    except (OSError, ValueError, RuntimeError) as error:
        raise _cannot(path, _reason(error)) from None


def _begins(target: Path, begins: str) -> bool:
    with target.open("rb") as stream:
        found = stream.read(len(begins.encode()))
    return not found or found == begins.encode()


def write_atomically(path: str, text: str, begins: str = "") -> None:
    """Write the text under this name, at once; a link is followed.

    Raises:
        InputError: the path cannot be written; whatever was there before is left as it was.
    """
    check_writable(path, begins)
    target = Path(path).resolve()
    try:
        replace_file(target, text.encode(), mode=_mode(target), durable=True)
    except OSError as error:
        raise _cannot(path, _reason(error)) from None


def replace_file(target: Path, data: bytes, *, mode: int = PRIVATE, durable: bool = False) -> None:
    """Put a file in the place of another at once: whoever reads sees the old one or the new one.

    With `durable` it is on the disk before it takes the name. A link is replaced, not followed.

    Raises:
        OSError: it cannot be done; nothing is left behind.
    """
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        if mode != PRIVATE:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those that a new one gets."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return _UMASKED & ~mask


def _cannot(path: str, reason: str) -> InputError:
    return InputError(CannotWrite(span=None, path=path, reason=reason))


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else str(error)
    return (text or "unknown reason").lower()

"""What is slow to make and always the same, kept on disk in the user's cache directory.

In: what it is called, all that it depends on, and how to make, write and read it. Out: the thing. A
file that is missing, damaged or not to be written only costs the time to make it; a file appears
whole or not at all, so several processes may come at once.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from flushproof.support.atomic_write import replace_file
from flushproof.support.user_dirs import cache_folder

DIGEST = hashlib.sha256().digest_size

Thing = TypeVar("Thing")


def read_disk_cache(
    name: str,
    depends: Iterable[str],
    make: Callable[[], Thing],
    write: Callable[[Thing], bytes],
    read: Callable[[bytes], Thing],
) -> Thing:
    """Return what `make` returns, from the cache if it is there."""
    folder = cache_folder()
    if folder is None:
        return make()
    key = hashlib.sha256(repr((platform.python_version(), *depends)).encode()).hexdigest()
    file = folder / f"{name}-{key}"
    data = _load(file)
    if data is not None:
        return read(data)
    made = make()
    _save(write(made), file)
    return made


def _load(file: Path) -> bytes | None:
    """Return what is in a file, None if there is no file or it is not as it was written."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    digest, data = data[:DIGEST], data[DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def _save(data: bytes, file: Path) -> None:
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(file, hashlib.sha256(data).digest() + data)

"""A parser's table kept on disk, in the user's cache directory, since it is slow to compute.

In: how to build the parser, and all that its table depends on. Out: the parser. A file that is
missing, damaged or not to be written only costs the time to build; a file appears whole or not at
all, so several processes may come at once.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import lark

from flushproof.userdirs import cache_folder

DIGEST = hashlib.sha256().digest_size


def cached(build: Callable[[], lark.Lark], depends: Iterable[str]) -> lark.Lark:
    """Return the parser that `build` makes, from the cache if it is there."""
    versions = (lark.__version__, platform.python_version())
    key = hashlib.sha256(repr((*versions, *depends)).encode()).hexdigest()
    folder = cache_folder()
    if folder is None:
        return build()
    file = folder / f"table-{key}"
    known = _load(file)
    if known is None:
        known = build()
        _save(known, file)
    return known


def _load(file: Path) -> lark.Lark | None:
    """Return the parser in a file, None if there is no file or it is not as it was written."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    digest, table = data[:DIGEST], data[DIGEST:]
    if hashlib.sha256(table).digest() != digest:
        return None
    return lark.Lark.load(io.BytesIO(table))


def _save(parser: lark.Lark, file: Path) -> None:
    stream = io.BytesIO()
    parser.save(stream)
    table = stream.getvalue()
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(file, hashlib.sha256(table).digest() + table)


def _put(file: Path, data: bytes) -> None:
    """Write a file under a name of this process first; remove that if it cannot be done."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise

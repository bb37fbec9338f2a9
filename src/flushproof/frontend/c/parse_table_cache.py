"""A parser's table kept on disk, since it is slow to compute."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import lark

from flushproof.support.disk_cache import read_disk_cache


def cached_parser(build: Callable[[], lark.Lark], depends: Iterable[str]) -> lark.Lark:
    """Return the parser that `build` makes, from the cache if it is there."""
    return read_disk_cache("table", (lark.__version__, *depends), build, _written, _read)


def _written(parser: lark.Lark) -> bytes:
    stream = io.BytesIO()
    parser.save(stream)
    return stream.getvalue()


def _read(table: bytes) -> lark.Lark:
    return lark.Lark.load(io.BytesIO(table))

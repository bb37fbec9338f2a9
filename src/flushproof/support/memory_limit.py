"""A limit on the memory of this process and of those that it starts.

Where it is reached the system refuses more, and what needed it ends as `MemoryError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXHAUSTED = "out of memory"
LEAST = 256
"""Megabytes without which the program and its libraries cannot even be loaded."""
MEGABYTE = 1 << 20


@contextmanager
def memory_limit(megabytes: int | None) -> Iterator[None]:
    """Allow so many megabytes meanwhile, None for as many as before."""
    if megabytes is None:
        yield
        return
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (_less(wanted, most), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))


def _less(wanted: int, most: int) -> int:
    """Return the lower of two limits; a negative one is none."""
    return wanted if most < 0 else min(wanted, most)

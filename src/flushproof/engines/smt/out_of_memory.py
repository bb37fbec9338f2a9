"""The solver's way to say that memory ran out, made Python's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import z3

from flushproof.support.memory_limit import EXHAUSTED


@contextmanager
def raise_memory_error() -> Iterator[None]:
    """Raise `MemoryError` where the solver raises an error of its own for want of memory."""
    try:
        yield
    except z3.Z3Exception as error:
        if EXHAUSTED in str(error):
            raise MemoryError(EXHAUSTED) from error
        raise

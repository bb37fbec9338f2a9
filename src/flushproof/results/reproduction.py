"""What `reproduce` hands on."""

from __future__ import annotations

from flushproof.support.record import Record


class Reproduction(Record, frozen=True):
    """A C program; where there is none, `reason` says why, and `open` whether one may exist."""

    program: str
    reason: str = ""
    open: bool = False

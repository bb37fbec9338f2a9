"""A counterexample as an engine hands it on: not yet replayed."""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.engines.schedule import Schedule
from flushproof.record import Record


class Found(Record, frozen=True):
    """A counterexample of `claim` ("" for undefined behaviour, described by `text`).

    `least` is false where the solver gave up on some smaller one.
    """

    claim: str
    schedule: Schedule
    boundaries: Mapping[str, frozenset[int]]
    calls: int
    roots: int
    text: str = ""
    least: bool = True

"""A counterexample as an engine hands it on: not yet replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flushproof.engines.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Found:
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

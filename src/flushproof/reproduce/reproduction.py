"""What `reproduce` hands on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A C program; where there is none, `reason` says why, and `open` whether one may exist."""

    program: str
    reason: str = ""
    open: bool = False

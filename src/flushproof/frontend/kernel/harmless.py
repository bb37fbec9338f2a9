"""Functions of the kernel that are known by name to leave the state alone: `kernel.harmless`."""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from functools import cache

from flushproof.support.resources import HARMLESS


class Harm(Enum):
    """What a function of that name writes: none of the state, what it is given, or who knows."""

    READS = "reads"
    STORES = "stores"
    UNKNOWN = "unknown"


@cache
def harm_of(name: str) -> Harm:
    """Return what is known of a function, or of a call through a table, by its name."""
    for pattern, harm in _table():
        if fnmatchcase(name, pattern):
            return harm
    return Harm.UNKNOWN


@cache
def _table() -> tuple[tuple[str, Harm], ...]:
    found: list[tuple[str, Harm]] = []
    harm = Harm.UNKNOWN
    for line in HARMLESS.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("["):
            harm = Harm(text.strip("[]"))
        elif text:
            found.append((text, harm))
    return tuple(found)

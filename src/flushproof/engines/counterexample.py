"""A counterexample as an engine hands it on: not yet replayed.

Lemma L29 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.engines.schedule import Schedule
from flushproof.support.record import Record
from flushproof.support.wording import count_noun


class Counterexample(Record, frozen=True):
    """A counterexample of `claim`, None for undefined behaviour, which `text` describes.

    `least` is false where a smaller one was not ruled out; where that is because its budget was
    spent, `spent` is how many of its own steps the solver had for making it small.
    """

    claim: str | None
    schedule: Schedule
    boundaries: Mapping[str, frozenset[int]]
    calls: int
    roots: int
    text: str = ""
    least: bool = True
    spent: int = 0


def size_in_words(found: Counterexample, lowest: int, *, least: bool) -> str:
    """Return how large a counterexample is, and whether there is none with less.

    Nothing was asked about fewer vCPUs than `lowest`.
    """
    parts = (
        count_noun(found.schedule.vcpus, "vCPU"),
        count_noun(found.roots, "root"),
        count_noun(found.calls, "operation"),
    )
    if found.spent:
        fewer = f"made small as far as {found.spent:,} solver steps went"
    elif not least:
        fewer = "fewer were not ruled out"
    elif lowest > 1:
        fewer = f"none with fewer, but fewer than {lowest} vCPUs were not looked at"
    else:
        fewer = "none with fewer"
    return f"{', '.join(parts)}; {fewer}"

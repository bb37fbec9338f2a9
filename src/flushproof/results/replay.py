"""What became of a saved schedule in another variant, as plain data."""

from __future__ import annotations

from flushproof.results.trace import Trace
from flushproof.support.record import Record
from flushproof.support.source import Source


class ReplayAnswer(Record, frozen=True):
    """What became of the schedule in another variant; `trace` is there where the claim fails.

    `misfits` say where the variant does not follow it, `notes` what else a reader must know.
    """

    path: str
    claim: str
    trace: Trace | None
    misfits: tuple[str, ...]
    notes: tuple[str, ...]
    undefined: str
    sources: tuple[Source, ...]

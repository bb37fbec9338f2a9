"""What an engine says of a claim: closed sums, each consumed by a `match`.

A bounded or explicit engine answers with an `Outcome`; the search for an invariant answers with a
proof or a `NoProof`. Nothing here is text to be tested for: a reason is carried, never inspected.
"""

from __future__ import annotations

from flushproof.support.record import Record


class NoProof(Record, frozen=True):
    """Why there is no proof for every number of vCPUs."""

    reason: str

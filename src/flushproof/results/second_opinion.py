"""What a second solver says to the questions that the first has answered, as plain data."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.support.record import Record


class Opinion(Record, frozen=True):
    """How many questions were put to a second solver, and to how many it gave the same answer.

    To the others it gave none, for the `reason` given; two different answers are no opinion but
    an error.
    """

    solver: str
    asked: int
    agreed: int
    reason: str = ""


def join_opinions(opinions: Iterable[Opinion]) -> Opinion | None:
    """Return several opinions of one solver as one, None where there is none."""
    found = tuple(opinions)
    if not found:
        return None
    reason = next((o.reason for o in found if o.reason), "")
    asked, agreed = sum(o.asked for o in found), sum(o.agreed for o in found)
    return Opinion(found[0].solver, asked, agreed, reason)

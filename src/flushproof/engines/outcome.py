"""What an engine says of a claim: closed sums, consumed by a `match`.

An engine that looks within bounds answers with an `Outcome`; a search for an invariant answers with
a proof or with `NoProof`. A reason is for the reader only: nothing depends on its wording.
"""

from __future__ import annotations

from flushproof.engines.counterexample import Counterexample
from flushproof.support.record import Record
from flushproof.support.source import Span
from flushproof.support.wording import count_noun


class NoCounterexample(Record, frozen=True):
    """Nothing fails in all that was to be looked at."""


class Undecided(Record, frozen=True):
    """Whether something fails is not known.

    `undefined` tells that this is because a handler of the claim itself does something undefined.
    """

    reason: str
    undefined: bool = False


Outcome = Counterexample | NoCounterexample | Undecided


class NoProof(Record, frozen=True):
    """Why there is no proof for every number of vCPUs; `hopeless` tells that none can be found."""

    reason: str
    hopeless: bool = False


NOTHING_FAILS = NoCounterexample()


def undefined_in_claim(text: str, span: Span | None, vcpus: int) -> Undecided:
    """Return that a claim is left open whose own handlers do something undefined."""
    where = "" if span is None else f" at {span.file}:{span.line}"
    many = count_noun(vcpus, "vCPU")
    reason = f"undefined behaviour in the claim: {text}{where}, with {many}"
    return Undecided(reason, undefined=True)

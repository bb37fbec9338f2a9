"""What is decided of one claim, and what engines told on the way to it.

A `Decision` is a closed sum of plain data; `conclusion.py` makes a `ClaimResult` of one.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.outcome import NOTHING_FAILS, NoCounterexample, Outcome, Undecided
from flushproof.frontend.setup import Bounds
from flushproof.results.second_opinion import Opinion
from flushproof.support.record import Record
from flushproof.verify.question import Definedness, take_opinions
from flushproof.verify.unbounded_proofs import Evidence

if TYPE_CHECKING:
    from flushproof.verify.question import Engine

Range = tuple[int, int] | None
"""From how many to how many vCPUs; None for every number."""


class Proves(Record, frozen=True):
    """The claim holds for every number of vCPUs."""

    evidence: Evidence


class Refutes(Record, frozen=True):
    """The claim fails; `bounds` are those within which it does, None for those asked for."""

    found: Counterexample
    bounds: Bounds | None = None


class HoldsWithin(Record, frozen=True):
    """The claim holds within the bounds; `reason` says why it is not proved beyond them."""

    reason: str


class LeavesOpen(Record, frozen=True):
    """The claim is not decided, for so many vCPUs."""

    reason: str
    vcpus: Range


class IsNotAsked(Record, frozen=True):
    """The variant has not what the claim is about."""

    reason: str


Decision = Proves | Refutes | HoldsWithin | LeavesOpen | IsNotAsked


class Ledger:
    """What engines have told of a claim so far: it only grows, and no verdict is kept here.

    `outcomes` are the answers by the number of vCPUs; with `full_buffers` some store buffer of the
    program that was looked at could hold no more.
    """

    def __init__(self, definedness: Definedness) -> None:
        self._definedness = definedness
        self.outcomes: dict[int, Outcome] = {}
        self.opinions: list[Opinion] = []
        self.exact_roots = True
        self.every_interleaving = True
        self.full_buffers = False

    def note_answer(self, engine: Engine, vcpus: int, outcome: Outcome) -> None:
        """Note what an engine told, and how exactly."""
        self.outcomes[vcpus] = outcome
        self.opinions += take_opinions(engine)
        self.exact_roots = engine.exact_roots
        self.every_interleaving &= engine.every_interleaving(vcpus)

    def reached(self, low: int, *, defined: bool) -> int | None:
        """Return up to how many vCPUs, from `low` on, the claim is known to hold, if at all.

        Unless the code is known to be `defined`, only numbers count for which that was asked.
        """
        known = self._definedness.known
        held = None
        for n in count(low):
            sure = defined or known.get(n) == NOTHING_FAILS
            if not sure or self.outcomes.get(n) != NOTHING_FAILS:
                break
            held = n
        return held

    def undefined_with(self, vcpus: int) -> NoCounterexample | Undecided:
        """Describe what is undefined with so many vCPUs, if anything is, or why that is open."""
        undefined = self._definedness.at(vcpus)
        self.opinions += self._definedness.opinions[vcpus]
        self.every_interleaving &= self._definedness.every_interleaving(vcpus)
        return undefined

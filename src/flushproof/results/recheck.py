"""What a solver's confirmation of the proofs in a certificate came to."""

from __future__ import annotations

from flushproof.support.record import Record


class ClaimConfirmed(Record, frozen=True):
    """A claim's proof is one: so many questions were answered as they should be."""

    claim: str
    questions: int


class ClaimUnconfirmed(Record, frozen=True):
    """A claim's proof is not confirmed; with `open` because the solver gave up."""

    claim: str
    reason: str
    open: bool


class Recheck(Record, frozen=True):
    """What one solver, named with its version, confirms."""

    solver: str
    claims: tuple[ClaimConfirmed | ClaimUnconfirmed, ...]

    @property
    def confirmed(self) -> bool:
        """Tell whether every claim is."""
        return all(isinstance(c, ClaimConfirmed) for c in self.claims)

    @property
    def open(self) -> bool:
        """Tell whether what is not confirmed is only left open."""
        return all(not isinstance(c, ClaimUnconfirmed) or c.open for c in self.claims)

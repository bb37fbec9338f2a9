"""Conditions of which an invariant may be made: what a user offers to a search for proofs."""

from __future__ import annotations

from flushproof.ir.code import Local
from flushproof.ir.program import Operation
from flushproof.support.record import Record


class Candidate(Record, frozen=True):
    """A condition on a state, as code that only looks at it and ends with an assertion.

    `vcpus` are locals of the code that are any vCPUs. Nothing takes it for granted.
    """

    operation: Operation
    vcpus: tuple[Local, ...]

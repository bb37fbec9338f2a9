"""What was found about two variants, as frozen data; printing decides nothing."""

from __future__ import annotations

from enum import StrEnum

from flushproof.results.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED, VerdictScope
from flushproof.support.record import Record
from flushproof.support.source import Span


class Relation(StrEnum):
    """How the new variant stands to the old one; `bounded` is equal as far as the bounds go."""

    EQUAL = "equal"
    BOUNDED = "bounded"
    REFINES = "refines"
    DIFFERS = "differs"
    UNKNOWN = "unknown"

    @property
    def alike(self) -> bool:
        """Tell whether nothing tells the two apart, at least within the bounds."""
        return self in (Relation.EQUAL, Relation.BOUNDED)


class Compared(StrEnum):
    """What is compared of every call: the hypercalls in order and the result, or roots alone."""

    SEQUENCE = "sequence"
    SET = "set"


class Since(StrEnum):
    """From when on calls are compared: at once, or once any vCPU has loaded."""

    BOOT = "boot"
    LOAD = "load"


class VariantVersion(Record, frozen=True):
    """One of the two variants; `function` is its flush function."""

    path: str
    sha256: str
    function: str


class Act(Record, frozen=True):
    """One thing that a call did: a hypercall, its return, or that it waits for ever."""

    text: str
    span: Span | None = None


class SideOutcome(Record, frozen=True):
    """What one variant did in one call: its hypercalls, how it ended, the fields that changed.

    `end` is None for a load that simply returns.
    """

    hypercalls: tuple[Act, ...]
    end: Act | None
    changed: tuple[tuple[str, str], ...]


class SharedCall(Record, frozen=True):
    """One call that both variants were given: `text` is such as "load(A)" or "flush"."""

    index: int
    thread: str
    text: str
    old: SideOutcome
    new: SideOutcome


class VariantDifference(Record, frozen=True):
    """One schedule under both variants, up to the call in which they differ.

    `at` is the number (from 0) of the hypercall of the last call with which the difference begins,
    None for the end of the call; `headline` says in a sentence what differs there.
    """

    vcpus: int
    calls: tuple[SharedCall, ...]
    at: int | None
    headline: str
    smallest: str


class Comparison(Record, frozen=True):
    """The verdict on two variants.

    `reason` explains `unknown`, for `differs` why the new variant does not refine the old one, and
    for `bounded` why equality is not shown for every number of vCPUs. Where it is, `invariant` is
    the relation between the two states that shows it, line by line. With `every_number` the user
    gave no bounds, so that what holds within some is not what was asked.
    """

    old: VariantVersion
    new: VariantVersion
    relation: Relation
    compared: Compared
    since: Since
    scope: VerdictScope
    assumptions: tuple[str, ...]
    seconds: float
    difference: VariantDifference | None = None
    reason: str = ""
    expected: Relation = Relation.EQUAL
    invariant: tuple[str, ...] = ()
    every_number: bool = False

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 otherwise, 3 undecided, or shown for fewer vCPUs than asked for."""
        if self.relation is Relation.UNKNOWN:
            return EXIT_UNDECIDED
        found = Relation.EQUAL if self.relation.alike else self.relation
        if found is not self.expected:
            return EXIT_OTHERWISE
        short = self.every_number and found is not Relation.DIFFERS and self.scope.vcpus is not None
        return EXIT_UNDECIDED if short else EXIT_OK

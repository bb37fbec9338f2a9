"""What became of the mutants of a variant, as frozen data; printing decides nothing."""

from __future__ import annotations

from enum import StrEnum

from flushproof.results.verdict import EXIT_OK, EXIT_OTHERWISE, EXIT_UNDECIDED, Verdict
from flushproof.support.record import Record

UNDEFINED = "undefined behaviour"
"""Stands for a claim where the mutant does something undefined."""


class Fate(StrEnum):
    """What was found about one mutant."""

    KILLED = "killed"
    EQUAL = "equal"
    BOUNDED = "bounded"
    SURVIVES = "survives"
    UNDECIDED = "undecided"
    INVALID = "not accepted"


class How(StrEnum):
    """Why a claim counts as having noticed a mutant.

    It holds in the original; or it fails there too, but needs more vCPUs, or as many and more
    calls; or the mutant does something undefined.
    """

    FAILS = "fails"
    SMALLER = "fails earlier"
    UNDEFINED = "undefined"


class Kill(Record, frozen=True):
    """The claim that noticed, the smallest number of vCPUs and calls for it, and why it counts."""

    claim: str
    vcpus: int
    calls: int
    how: How


class MutantResult(Record, frozen=True):
    """One mutant: the edit in words, the lines it touches before and after, and its fate.

    `reason` explains any fate but a kill; `mends` are claims that fail in the original, and not in
    a mutant that survives.
    """

    number: int
    operator: str
    file: str
    function: str
    line: int
    words: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    fate: Fate
    kills: tuple[Kill, ...] = ()
    reason: str = ""
    mends: tuple[str, ...] = ()


class Baseline(Record, frozen=True):
    """What a claim says of the original; `vcpus` and `calls` belong to a counterexample."""

    claim: str
    verdict: Verdict
    vcpus: int | None = None
    calls: int | None = None
    reason: str = ""


class KillCount(Record, frozen=True):
    """How many mutants a claim killed, of those it was asked about; `idle` if it can kill none."""

    claim: str
    kills: int
    idle: bool


class Mutation(Record, frozen=True):
    """Everything about the mutants of one variant.

    `vcpus` is the range looked at; `every` says whether every claim was asked about every mutant,
    or each mutant only until one claim noticed.
    """

    path: str
    sha256: str
    function: str
    vcpus: tuple[int, int]
    loads: int
    flushes: int
    every: bool
    baseline: tuple[Baseline, ...]
    results: tuple[MutantResult, ...]
    effects: tuple[KillCount, ...]

    def count(self, fate: Fate) -> int:
        """Return how many mutants met this fate."""
        return sum(r.fate is fate for r in self.results)

    @property
    def exit_code(self) -> int:
        """1 where a mutant survives, else 3 where one is undecided, else 0."""
        if self.count(Fate.SURVIVES):
            return EXIT_OTHERWISE
        return EXIT_UNDECIDED if self.count(Fate.UNDECIDED) else EXIT_OK

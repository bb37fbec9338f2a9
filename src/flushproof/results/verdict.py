"""Verdicts as frozen data; printing decides nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, assert_never

from flushproof.results.second_opinion import Opinion
from flushproof.results.trace import Trace
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record

EXIT_OK = 0
EXIT_OTHERWISE = 1
EXIT_UNDECIDED = 3
EXIT_INTERNAL = 70


class Verdict(StrEnum):
    """What was found about one claim.

    It holds for every number of vCPUs; it holds within bounds, and beyond them nothing is said; it
    fails; neither is known; it could not fail; the variant has not what it is about.
    """

    PROVED = "proved"
    BOUNDED = "bounded"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    VACUOUS = "vacuous"
    NOT_ASKED = "not asked"

    @property
    def holds(self) -> bool:
        """Tell whether no counterexample is possible, at least within the bounds."""
        return self in (Verdict.PROVED, Verdict.BOUNDED)

    @property
    def decided(self) -> bool:
        """Tell whether it is known whether the claim holds, at least within the bounds."""
        return self.holds or self is Verdict.REFUTED


class ExpectationOutcome(StrEnum):
    """How a verdict stands to what was expected of it."""

    AS_EXPECTED = "as expected"
    OTHERWISE = "otherwise"
    UNDECIDED = "undecided"


CallWord = Literal["load", "flush", "call", ""]
"""What calls of operations are called: loads, flushes, or calls where they go by other names."""


class VerdictScope(Record, frozen=True):
    """What a verdict covers.

    `vcpus` is None for every number, else (low, high); `loads` and `flushes` count per thread, None
    for any number; `flushers` counts flusher threads, None for any number; `interleavings` is a
    phrase such as "every interleaving"; `roots` is "uninterpreted" or "64-bit vectors"; `rounds` is
    how many turns each thread took where that does not cover every interleaving, else None;
    `memory` is the memory model, `buffer` the number of entries of a store buffer that may be full,
    None where that does not happen. `on_vcpus` and `elsewhere` say what vCPUs and other threads do,
    "" where nothing does.
    """

    vcpus: tuple[int, int] | None
    loads: int | None
    flushes: int | None
    flushers: int | None
    interleavings: str
    roots: str
    boot: str = "from boot"
    rounds: int | None = None
    memory: MemoryModel = MemoryModel.SC
    buffer: int | None = None

    on_vcpus: CallWord = "load"
    elsewhere: CallWord = "flush"


class EarlyVerdict(Record, frozen=True):
    """Within which bounds a claim is known to hold before it is decided.

    `since` is when it was begun with, in seconds of the monotonic clock. While `proving` a proof
    for every number of vCPUs is looked for; else it is more vCPUs that are looked at.
    """

    claim: str
    scope: VerdictScope
    assumptions: tuple[str, ...]
    since: float
    proving: bool


class Breaker(Record, frozen=True):
    """An edit of the variant that breaks a claim: in words, the lines it touches, and from where.

    `vcpus` is the smallest number of vCPUs that shows it.
    """

    file: str
    line: int
    words: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    vcpus: int


class Sane(Record, frozen=True):
    """Whether a proved claim could fail: the edit that breaks it, None if none of `tried` does."""

    breaker: Breaker | None
    tried: int


class WrittenProof(Record, frozen=True):
    """What a proof for every number of vCPUs claims: of the code proper, and of the claim."""

    code: str
    claim: str


class ClaimResult(Record, frozen=True):
    """The verdict on one claim.

    The scope's `vcpus` are None where it is proved, else the range that was looked at; `expected`
    is None where nothing was expected in particular; `reason` explains a verdict that decides
    nothing, and why one within bounds is no proof. Of a proof, `invariant` has the lines of what it
    rests on in C's terms, and `proof` the claimed proofs in full. `opinion` is what a
    second solver says to the questions that the verdict rests on, None where none was asked.
    `sane` stands beside a claim that holds where that was asked.
    """

    claim: str
    text: str
    verdict: Verdict
    scope: VerdictScope
    assumptions: tuple[str, ...]
    seconds: float
    smallest_vcpus: int | None = None
    trace: Trace | None = None
    reason: str = ""
    expected: Expected | None = None
    invariant: tuple[str, ...] = ()
    proof: WrittenProof | None = None
    opinion: Opinion | None = None
    sane: Sane | None = None

    @property
    def as_expected(self) -> bool:
        """True when the verdict is the expected one, vCPU count included.

        Nothing is expected of a claim that was not asked, unless it was asked for by name.
        """
        if self.expected is None:
            return self.verdict is Verdict.NOT_ASKED
        return self.expected.matches(self)

    @property
    def outcome(self) -> ExpectationOutcome:
        """How the verdict stands to the expected one."""
        if self.as_expected:
            return ExpectationOutcome.AS_EXPECTED
        match self.verdict:
            case Verdict.UNKNOWN | Verdict.VACUOUS | Verdict.NOT_ASKED:
                return ExpectationOutcome.UNDECIDED
            case Verdict.BOUNDED:
                short = self.expected is not None and self.expected.every_number
                return ExpectationOutcome.UNDECIDED if short else ExpectationOutcome.OTHERWISE
            case Verdict.PROVED | Verdict.REFUTED:
                return ExpectationOutcome.OTHERWISE
            case _:
                assert_never(self.verdict)


class Expected(Record, frozen=True):
    """The verdict a user expects; `vcpus` None means any smallest count.

    Of a claim that is expected to hold nothing but a proof will do with `every_number`.
    """

    verdict: Verdict
    vcpus: int | None = None
    every_number: bool = False

    def matches(self, result: ClaimResult) -> bool:
        """Compare with a result."""
        if self.verdict.holds:
            return result.verdict is Verdict.PROVED or (
                result.verdict is Verdict.BOUNDED and not self.every_number
            )
        same = result.verdict is self.verdict
        return same and (self.vcpus is None or self.vcpus == result.smallest_vcpus)


class Report(Record, frozen=True):
    """Every result about one variant; `function` is the flush function's name.

    `read_as` says in words what the file was taken for, and where its boot values come from.
    """

    path: str
    sha256: str
    spec: str
    function: str
    results: tuple[ClaimResult, ...]
    read_as: str = ""

    @property
    def exit_code(self) -> int:
        """0 all as expected, 1 some otherwise, 3 something undecided or nothing asked."""
        outcomes = {r.outcome for r in self.results}
        if ExpectationOutcome.OTHERWISE in outcomes:
            return EXIT_OTHERWISE
        return EXIT_OK if outcomes == {ExpectationOutcome.AS_EXPECTED} else EXIT_UNDECIDED

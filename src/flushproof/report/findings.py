"""What the renderers for machines are given, and what of it is a finding.

In: the reports of one command. Out: for each claim that is not as a reader wants it a `Finding`: a
level, a place and one line of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from flushproof.report.exit_code import NOTHING_ASKED
from flushproof.report.overview import default_reason
from flushproof.report.plain import DEFAULT_WIDTH
from flushproof.report.scope import held_phrase
from flushproof.results.trace import Trace
from flushproof.results.verdict import ClaimResult, ExpectationOutcome, Expected, Report, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.support.source import Source, Span
from flushproof.support.wording import count_noun

NOTHING = "nothing_asked"
Level = Literal["error", "warning"]


class Results(Record, frozen=True):
    """The reports of one command and its exit code.

    With `expectations` specs say what they expect, as for `check`; `many` tells whether there can
    be several reports; `spec` is the file that the set-up comes from, "" for the built-in one;
    `refused` is what stopped the run, so that there are only some of the reports.
    """

    reports: tuple[Report, ...]
    code: int
    sources: Mapping[str, Source]
    expectations: bool = False
    many: bool = False
    width: int = DEFAULT_WIDTH
    spec: str = ""
    refused: InputError | None = None


class Finding(Record, frozen=True):
    """One claim that does not hold as was asked, or of which a spec expects something else.

    Without a `result` it is about a whole spec, which expects nothing.
    """

    report: Report
    result: ClaimResult | None
    level: Level
    span: Span
    text: str

    @property
    def name(self) -> str:
        """The claim, or a name for what is said of a whole spec."""
        return NOTHING if self.result is None else self.result.claim

    @property
    def trace(self) -> Trace | None:
        """The counterexample, if there is one."""
        return None if self.result is None else self.result.trace

    @property
    def undecided(self) -> bool:
        """Tell whether what was asked is open."""
        return self.result is None or is_undecided(self.result)


def list_findings(results: Results) -> Iterator[Finding]:
    """Yield what a reader wants to be told of, in the order of the reports."""
    for report in results.reports:
        if not report.results:
            yield Finding(report, None, "warning", Span(report.path, 1, 1, 1, 1), NOTHING_ASKED)
        for result in report.results:
            if _told(result, expectations=results.expectations):
                text = _text(result, expectations=results.expectations)
                yield Finding(report, result, _level(result), finding_place(report, result), text)


def finding_place(report: Report, result: ClaimResult) -> Span:
    """Return the telling place of a result: for one without a trace the beginning of the file."""
    if result.trace is not None:
        return result.trace.blame[0].span
    return Span(report.path, 1, 1, 1, 1)


def _told(result: ClaimResult, *, expectations: bool) -> bool:
    """Tell whether a reader wants to know; `refute` expects what is a finding all the same."""
    if expectations:
        return not result.as_expected
    if result.verdict.holds or result.verdict is Verdict.NOT_ASKED:
        return result.outcome is ExpectationOutcome.UNDECIDED
    return True


def _level(result: ClaimResult) -> Level:
    return "error" if result.verdict.decided and not is_undecided(result) else "warning"


def is_undecided(result: ClaimResult) -> bool:
    """Tell whether a verdict leaves open what was asked."""
    known = result.verdict.decided or result.verdict is Verdict.NOT_ASKED
    return not known or result.outcome is ExpectationOutcome.UNDECIDED


def _text(result: ClaimResult, *, expectations: bool) -> str:
    instead = ""
    if expectations and result.expected is not None:
        instead = f" (expected: {expected_phrase(result.expected)})"
    return f"{_said(result)}{instead}"


def _said(result: ClaimResult) -> str:
    match result.verdict:
        case Verdict.REFUTED:
            at = count_noun(result.smallest_vcpus or 0, "vCPU")
            headline = result.text if result.trace is None else result.trace.headline
            return f"{headline}, with {at}"
        case Verdict.PROVED:
            return f"proved: {result.text}"
        case Verdict.BOUNDED:
            beyond = f" ({result.reason})" if result.reason else ""
            return f"{held_phrase(result.scope.vcpus)}: {result.text}{beyond}"
        case Verdict.UNKNOWN | Verdict.VACUOUS | Verdict.NOT_ASKED:
            return f"{result.verdict}: {result.reason or default_reason(result.verdict)}"


def expected_phrase(expected: Expected | None) -> str:
    """Return such as "refuted at 3 vCPUs", or "nothing in particular"."""
    if expected is None:
        return "nothing in particular"
    if expected.every_number:
        return f"{expected.verdict} for every number of vCPUs"
    if expected.vcpus is None:
        return str(expected.verdict)
    return f"{expected.verdict} at {count_noun(expected.vcpus, 'vCPU')}"

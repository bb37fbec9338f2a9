"""What a page shows of reports, in the words and order in which it shows them.

In: reports and the sources by name. Out: frozen data for the templates, still without any markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import assert_never

from flushproof.report.exit_code import verdict_counts
from flushproof.report.findings import expected_phrase
from flushproof.report.html.cases import ScheduleCase, claim_case
from flushproof.report.html.costs_view import CostView
from flushproof.report.scope import held_phrase, scope_lines
from flushproof.results.trace import Trace
from flushproof.results.verdict import ClaimResult, Report, Verdict
from flushproof.support.record import Record
from flushproof.support.source import Source
from flushproof.support.wording import count_noun


class VerdictCell(Record, frozen=True):
    """One verdict: `kind` chooses its colours, `short` fits a narrow column, `words` says it all.

    `target` is the anchor of its counterexample, "" without one; `surprise` says what was expected
    instead, "" where that was met or nothing was.
    """

    claim: str
    kind: str
    short: str
    words: str
    target: str
    surprise: str
    reason: str


class Covered(Record, frozen=True):
    """Claims that share a scope, and the labelled lines that say what it is."""

    claims: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]


class Variant(Record, frozen=True):
    """One file and its verdicts, `cells` in the order of the page's claims (None: not checked)."""

    name: str
    path: str
    function: str
    tally: str
    cells: tuple[VerdictCell | None, ...]
    covered: tuple[Covered, ...]


class PageView(Record, frozen=True):
    """A page's contents; `claims` are pairs of a name and what it says.

    `costs` is there where variants were compared in them.
    """

    title: str
    tally: str
    claims: tuple[tuple[str, str], ...]
    variants: tuple[Variant, ...]
    cases: tuple[ScheduleCase, ...]
    costs: CostView | None = None


Sources = Mapping[str, Source]


def arrange_reports(reports: Sequence[Report], sources: Sources, *, expectations: bool) -> PageView:
    """Arrange reports; with `expectations` it is shown where a verdict is another one."""
    results = [r for report in reports for r in report.results]
    claims = tuple({r.claim: r.text for r in results}.items())
    names = short_names(reports)
    cells = [
        {r.claim: _cell(r, _anchor(k, r.claim), expectations=expectations) for r in report.results}
        for k, report in enumerate(reports)
    ]
    variants = tuple(
        Variant(
            name=name,
            path=report.path,
            function=report.function,
            tally=verdict_counts(report.results),
            cells=tuple(found.get(claim) for claim, _ in claims),
            covered=_covered(report.results),
        )
        for name, report, found in zip(names, reports, cells, strict=True)
    )
    cases = tuple(
        claim_case(_anchor(k, r.claim), name, r, r.trace, sources)
        for k, (name, report) in enumerate(zip(names, reports, strict=True))
        for r in report.results
        if r.trace is not None
    )
    heading = reports[0].path if len(reports) == 1 else count_noun(len(reports), "variant")
    return PageView(heading, verdict_counts(results), claims, variants, cases)


def short_names(reports: Sequence[Report]) -> list[str]:
    """Return the paths without their folder, if it is the same and leaves them different."""
    paths = [r.path for r in reports]
    stems = [PurePath(p).name.removesuffix(".c").removesuffix(".spec") for p in paths]
    return stems if len(set(stems)) == len(stems) and len(stems) > 1 else paths


def _anchor(number: int, claim: str) -> str:
    return f"v{number}-{claim}"


def _cell(result: ClaimResult, anchor: str, *, expectations: bool) -> VerdictCell:
    kind, short, words = _words(result)
    surprise = ""
    if expectations and result.expected is not None and not result.as_expected:
        surprise = expected_phrase(result.expected)
    target = anchor if result.trace is not None else ""
    return VerdictCell(result.claim, kind, short, words, target, surprise, result.reason)


def _words(result: ClaimResult) -> tuple[str, str, str]:
    match result.verdict:
        case Verdict.PROVED:
            return "all", "all N", held_phrase(None)
        case Verdict.BOUNDED:
            low, high = result.scope.vcpus or (1, 1)
            return "some", f"{low}..{high}", held_phrase(result.scope.vcpus)
        case Verdict.REFUTED:
            if result.smallest_vcpus is None:
                return "refuted", "fails", "refuted"
            at = count_noun(result.smallest_vcpus, "vCPU")
            return "refuted", f"N = {result.smallest_vcpus}", f"refuted at {at}"
        case Verdict.UNKNOWN:
            return "open", "unknown", "unknown"
        case Verdict.VACUOUS:
            return "open", "vacuous", "vacuous: it could not fail"
        case Verdict.NOT_ASKED:
            return "open", "not asked", "not asked"
        case _:
            assert_never(result.verdict)


def _covered(results: Iterable[ClaimResult]) -> tuple[Covered, ...]:
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for result in results:
        if result.verdict not in (Verdict.REFUTED, Verdict.NOT_ASKED):
            reason = (("reason", result.reason),) if result.reason else ()
            groups.setdefault((*reason, *scope_lines(result)), []).append(result.claim)
    return tuple(Covered(tuple(claims), lines) for lines, claims in groups.items())


def list_trace_files(traces: Iterable[Trace]) -> tuple[str, ...]:
    """Return the names of the files that a page wants to show of these traces, sorted."""
    listed = tuple(traces)
    spans = [b.span for t in listed for b in t.blame]
    spans += [s.span for t in listed for s in t.steps if s.span is not None]
    return tuple(sorted({s.file for s in spans}))


def traces_of(reports: Iterable[Report]) -> list[Trace]:
    """Return the counterexamples of reports."""
    return [r.trace for report in reports for r in report.results if r.trace is not None]

"""What a page shows of reports, in the words and order in which it shows them.

In: reports and the sources by name. Out: frozen data for the templates, still without any markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import assert_never

from flushproof.report.html.lanes import Picture, picture
from flushproof.report.html.listing import Listing, listings
from flushproof.report.plain import count
from flushproof.report.scope import scope_lines, vcpus_phrase
from flushproof.report.tally import verdict_counts
from flushproof.report.text import REPLAYED, expected_phrase
from flushproof.report.trace_table import title
from flushproof.source import Source, Span
from flushproof.trace import Step, Trace
from flushproof.verdict import ClaimResult, Report, Verdict


@dataclass(frozen=True, slots=True)
class Cell:
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


@dataclass(frozen=True, slots=True)
class Covered:
    """Claims that share a scope, and the labelled lines that say what it is."""

    claims: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One file and its verdicts, `cells` in the order of the page's claims (None: not checked)."""

    name: str
    path: str
    function: str
    tally: str
    cells: tuple[Cell | None, ...]
    covered: tuple[Covered, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One counterexample: what it shows, its picture, and the code beside it."""

    anchor: str
    heading: str
    claim: str
    variant: str
    function: str
    vcpus: str
    headline: str
    because: str
    facts: tuple[tuple[str, str], ...]
    picture: Picture
    listings: tuple[Listing, ...]

    def place(self, span: Span | None) -> str:
        """Return the name of a line that the page shows, "" for one that it does not."""
        files = [x.file for x in self.listings]
        if span is None or span.file not in files:
            return ""
        return f"{self.anchor}-f{files.index(span.file)}-l{span.line}"

    def told(self, step: Step) -> str:
        """Return a step in words, for those who do not see the picture."""
        threads = tuple(lane.title for lane in self.picture.lanes)
        name = title(step.thread, (step.thread,) if "flusher" in threads else threads)
        changes = "".join(f"; {field} = {value}" for field, value in step.changed)
        where = "" if step.span is None else f", {step.span.file}:{step.span.line}"
        return f"{name}: {step.text}{changes}{where}"


@dataclass(frozen=True, slots=True)
class View:
    """A page's contents; `claims` are pairs of a name and what it says."""

    title: str
    tally: str
    claims: tuple[tuple[str, str], ...]
    variants: tuple[Variant, ...]
    cases: tuple[Case, ...]


Sources = Mapping[str, Source]


def view(reports: Sequence[Report], sources: Sources, *, expectations: bool) -> View:
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
        _case(_anchor(k, r.claim), name, report, r, r.trace, sources)
        for k, (name, report) in enumerate(zip(names, reports, strict=True))
        for r in report.results
        if r.trace is not None
    )
    heading = reports[0].path if len(reports) == 1 else count(len(reports), "variant")
    return View(heading, verdict_counts(results), claims, variants, cases)


def short_names(reports: Sequence[Report]) -> list[str]:
    """Return the paths without their folder, if it is the same and leaves them different."""
    paths = [r.path for r in reports]
    stems = [PurePath(p).name.removesuffix(".c").removesuffix(".spec") for p in paths]
    return stems if len(set(stems)) == len(stems) and len(stems) > 1 else paths


def _anchor(number: int, claim: str) -> str:
    return f"v{number}-{claim}"


def _cell(result: ClaimResult, anchor: str, *, expectations: bool) -> Cell:
    kind, short, words = _words(result)
    surprise = ""
    if expectations and result.expected is not None and not result.as_expected:
        surprise = expected_phrase(result.expected)
    target = anchor if result.trace is not None else ""
    return Cell(result.claim, kind, short, words, target, surprise, result.reason)


def _words(result: ClaimResult) -> tuple[str, str, str]:
    match result.verdict:
        case Verdict.PROVED if result.scope.vcpus is None:
            return "all", "all N", "proved for every number of vCPUs"
        case Verdict.PROVED:
            phrase = vcpus_phrase(result.scope.vcpus)
            low, high = result.scope.vcpus or (1, 1)
            return "some", f"{low}..{high}", f"proved for {phrase} only"
        case Verdict.REFUTED:
            if result.smallest_vcpus is None:
                return "refuted", "fails", "refuted"
            at = count(result.smallest_vcpus, "vCPU")
            return "refuted", f"N = {result.smallest_vcpus}", f"refuted at {at}"
        case Verdict.UNKNOWN:
            return "open", "unknown", "unknown"
        case Verdict.VACUOUS:
            return "open", "vacuous", "vacuous: it could not fail"
        case _:
            assert_never(result.verdict)


def _covered(results: Iterable[ClaimResult]) -> tuple[Covered, ...]:
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for result in results:
        if result.verdict is not Verdict.REFUTED:
            reason = (("reason", result.reason),) if result.reason else ()
            groups.setdefault((*reason, *scope_lines(result)), []).append(result.claim)
    return tuple(Covered(tuple(claims), lines) for lines, claims in groups.items())


def _case(
    anchor: str, name: str, report: Report, result: ClaimResult, trace: Trace, sources: Sources
) -> Case:
    return Case(
        anchor=anchor,
        heading=f"{result.claim} in {name}",
        claim=result.claim,
        variant=name,
        function=report.function,
        vcpus="" if result.smallest_vcpus is None else count(result.smallest_vcpus, "vCPU"),
        headline=trace.headline,
        because=trace.because,
        facts=(
            ("smallest", trace.smallest),
            ("checked", REPLAYED),
            *scope_lines(result),
        ),
        picture=picture(trace),
        listings=listings(trace, sources),
    )


def places(reports: Iterable[Report]) -> tuple[str, ...]:
    """Return the names of the files that a page wants to show, sorted."""
    traces = [r.trace for report in reports for r in report.results if r.trace is not None]
    spans = [b.span for t in traces for b in t.blame]
    spans += [s.span for t in traces for s in t.steps if s.span is not None]
    return tuple(sorted({s.file for s in spans}))

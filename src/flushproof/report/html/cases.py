"""Schedules as the page shows them: counterexamples, and what costs most.

In: a verdict or a cost with its trace, and the sources by name. Out: a `ScheduleCase` for the
templates.
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.report.html.lanes import Picture, layout_picture
from flushproof.report.html.listing import CodeListing, code_listings
from flushproof.report.scope import describe_coverage, scope_lines
from flushproof.report.text import REPLAYED
from flushproof.report.trace_table import thread_title
from flushproof.results.costs import Cost, Costs
from flushproof.results.trace import Trace, TraceStep
from flushproof.results.verdict import ClaimResult
from flushproof.support.record import Record
from flushproof.support.source import Source, Span
from flushproof.support.wording import count_noun

Sources = Mapping[str, Source]


class ScheduleCase(Record, frozen=True):
    """One schedule: what it shows, its picture, and the code beside it.

    `verdict` stands in a pill whose colours are those of `kind`; `alarm` says whether the end of
    the schedule is a violation.
    """

    anchor: str
    heading: str
    verdict: str
    kind: str
    alarm: bool
    claim: str
    variant: str
    vcpus: str
    headline: str
    because: str
    facts: tuple[tuple[str, str], ...]
    picture: Picture
    listings: tuple[CodeListing, ...]

    def place(self, span: Span | None) -> str:
        """Return the name of a line that the page shows, "" for one that it does not."""
        files = [x.file for x in self.listings]
        if span is None or span.file not in files:
            return ""
        return f"{self.anchor}-f{files.index(span.file)}-l{span.line}"

    def told(self, step: TraceStep) -> str:
        """Return a step in words, for those who do not see the picture."""
        threads = tuple(lane.title for lane in self.picture.lanes)
        name = thread_title(
            step.thread, (step.thread,) if {"flusher", "thread"} & set(threads) else threads
        )
        changes = "".join(f"; {field} = {value}" for field, value in step.changed)
        where = "" if step.span is None else f", {step.span.file}:{step.span.line}"
        return f"{name}: {step.text}{changes}{where}"


def claim_case(
    anchor: str, variant: str, result: ClaimResult, trace: Trace, sources: Sources
) -> ScheduleCase:
    """Return the counterexample of a claim."""
    return ScheduleCase(
        anchor=anchor,
        heading=f"{result.claim} in {variant}",
        verdict="refuted",
        kind="refuted",
        alarm=True,
        claim=result.claim,
        variant=variant,
        vcpus="" if result.smallest_vcpus is None else count_noun(result.smallest_vcpus, "vCPU"),
        headline=trace.headline,
        because=trace.because,
        facts=(("smallest", trace.smallest), ("checked", REPLAYED), *scope_lines(result)),
        picture=layout_picture(trace),
        listings=code_listings(trace, sources),
    )


def cost_case(
    anchor: str, variant: str, costs: Costs, cost: Cost, trace: Trace, sources: Sources
) -> ScheduleCase:
    """Return the schedule that attains a cost."""
    roots = count_noun(cost.roots, "root")
    calls = count_noun(cost.most or 0, "hypercall")
    assumed = ", ".join(costs.assumptions)
    return ScheduleCase(
        anchor=anchor,
        heading=f"{calls} in {variant} with {count_noun(cost.vcpus, 'vCPU')} on {roots}",
        verdict=f"{cost.most} on {roots}",
        kind="refuted" if cost.excess else "all",
        alarm=False,
        claim="hypercalls",
        variant=variant,
        vcpus=count_noun(cost.vcpus, "vCPU"),
        headline=trace.headline,
        because=trace.because,
        facts=(
            ("smallest", trace.smallest),
            ("checked", REPLAYED),
            ("scope", describe_coverage(costs)),
            *((("assuming", assumed),) if assumed else ()),
        ),
        picture=layout_picture(trace, calls),
        listings=code_listings(trace, sources),
    )

"""The table of all claims about one variant: what a reader sees first.

In: results. Out: lines within the width, a row for each claim in the order of decision. A row says
the verdict, for how many vCPUs, and what it means: the claim where it holds, what goes wrong
where it is refuted, the reason where it is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from flushproof.report.grid import Column, GridCell, draw_grid
from flushproof.report.plain import escape_unprintable, hang_text
from flushproof.results.verdict import ClaimResult, Verdict

LEAST_MEANING = 24


def overview_table(results: Sequence[ClaimResult], width: int) -> list[str]:
    """Return the table; the column of meanings is left out where there is no room for it."""
    columns = (
        Column("verdict", 7, tuple(GridCell((str(r.verdict),)) for r in results)),
        Column("claim", 5, tuple(GridCell((r.claim,)) for r in results)),
        Column("vCPUs", 5, tuple(GridCell((_vcpus(r),)) for r in results)),
    )
    meanings = (f"{_meaning(r)}{agreement_words(r)}" for r in results)
    told = Column("which means", LEAST_MEANING, tuple(GridCell(_words(m)) for m in meanings))
    kept = tuple(_whole(c) for c in columns)
    return draw_grid((*kept, told), width) or draw_grid(kept, width) or _listed(results, width)


def _whole(column: Column) -> Column:
    return Column(column.title, column.natural, column.cells)


def _words(text: str) -> tuple[str, ...]:
    return tuple(escape_unprintable(text).split())


def _vcpus(result: ClaimResult) -> str:
    """Return `every`, `1..4`, or the smallest number with which a claim fails."""
    if result.verdict is Verdict.REFUTED:
        return "?" if result.smallest_vcpus is None else str(result.smallest_vcpus)
    if result.verdict is Verdict.NOT_ASKED:
        return "-"
    if result.scope.vcpus is None:
        return "every"
    low, high = result.scope.vcpus
    return str(high) if low == high else f"{low}..{high}"


def _meaning(result: ClaimResult) -> str:
    match result.verdict:
        case Verdict.PROVED | Verdict.BOUNDED:
            return _noted(result.text, result)
        case Verdict.REFUTED:
            return result.text if result.trace is None else result.trace.headline
        case Verdict.UNKNOWN | Verdict.VACUOUS | Verdict.NOT_ASKED:
            return result.reason or default_reason(result.verdict)
        case _:
            assert_never(result.verdict)


def default_reason(verdict: Verdict) -> str:
    """Return the words for an undecided claim of which no reason is known."""
    match verdict:
        case Verdict.UNKNOWN:
            return "neither a proof nor a counterexample was found"
        case Verdict.VACUOUS:
            return "the claim could not fail here, so that it says nothing"
        case Verdict.NOT_ASKED:
            return "the variant has not what the claim is about"
        case Verdict.PROVED | Verdict.BOUNDED | Verdict.REFUTED:
            return ""
        case _:
            assert_never(verdict)


def agreement_words(result: ClaimResult) -> str:
    """Return what a second solver says, to be put behind the claim; "" where none was asked."""
    opinion = result.opinion
    if opinion is None:
        return ""
    if opinion.agreed == 0:
        return f", no second opinion by {opinion.solver}"
    if opinion.agreed == opinion.asked:
        return f", agreed {opinion.solver}"
    return f", agreed {opinion.solver} on {opinion.agreed} of {opinion.asked} questions"


def _noted(text: str, result: ClaimResult) -> str:
    """Add why a claim is not proved for every number of vCPUs."""
    return f"{text} ({result.reason})" if result.reason else text


def _listed(results: Sequence[ClaimResult], width: int) -> list[str]:
    return [
        line
        for r in results
        for line in hang_text("  ", f"{r.verdict} {r.claim} {_vcpus(r)}", width, indent=4)
    ]

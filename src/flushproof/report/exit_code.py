"""Counting verdicts: exit codes over several reports, and the closing line."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.results.verdict import (
    EXIT_OK,
    EXIT_OTHERWISE,
    EXIT_UNDECIDED,
    ClaimResult,
    ExpectationOutcome,
    Report,
    Verdict,
)
from flushproof.support.wording import count_noun

NOTHING_ASKED = "nothing was asked"
EMPTY = "with nothing asked"


def exit_code(reports: Iterable[Report]) -> int:
    """Return 1 where some claim is otherwise, else 3 where one is undecided, else 0."""
    codes = {r.exit_code for r in reports}
    return next((c for c in (EXIT_OTHERWISE, EXIT_UNDECIDED) if c in codes), EXIT_OK)


def verdict_counts(results: Iterable[ClaimResult]) -> str:
    """Return such as "3 proved, 1 refuted, 1 unknown", or "no claims"."""
    verdicts = [r.verdict for r in results]
    parts = [f"{verdicts.count(v)} {v}" for v in Verdict if v in verdicts]
    return ", ".join(parts) or "no claims"


def expectation_counts(reports: Iterable[Report]) -> str:
    """Return such as "7 specs, 60 claims: 58 as expected, 1 otherwise, 1 undecided".

    They are files where not all are specs.
    """
    listed = tuple(reports)
    results = [r for report in listed for r in report.results]
    noun = "spec" if all(r.path.endswith(".spec") for r in listed) else "file"
    total = f"{count_noun(len(listed), noun)}, {count_noun(len(results), 'claim')}: "
    empty = sum(not r.results for r in listed)
    if results and all(r.as_expected for r in results):
        return total + "all as expected" + (f", {empty} {EMPTY}" if empty else "")
    expected = sum(r.as_expected for r in results)
    otherwise = sum(r.outcome is ExpectationOutcome.OTHERWISE for r in results)
    undecided = len(results) - expected - otherwise
    kinds = (
        *((expected, "as expected"), (otherwise, "otherwise"), (undecided, "undecided")),
        (empty, EMPTY),
    )
    return total + (", ".join(f"{n} {kind}" for n, kind in kinds if n) or "none decided")

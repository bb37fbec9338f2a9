"""Several reports as one table: a row per spec, a column per claim, details of surprises below.

In: the reports of `check` and the sources by name. Out: plain ASCII text within the width. Claims
head their columns as a stair; where they do not fit side by side the table goes on below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import assert_never

from flushproof.report.exit_code import NOTHING_ASKED, expectation_counts
from flushproof.report.plain import (
    DEFAULT_WIDTH,
    escape_unprintable,
    hang_text,
    pack_pieces,
    shorten_names,
)
from flushproof.report.text import Sources, join_blocks, report_blocks
from flushproof.results.verdict import ClaimResult, Report, Verdict, VerdictScope

MEANINGS = {
    Verdict.PROVED: "ok proved for every number of vCPUs,",
    Verdict.BOUNDED: "<=4 bounded: holds for 1..4 vCPUs,",
    Verdict.REFUTED: "N=3 refuted at 3 vCPUs,",
    Verdict.UNKNOWN: "? unknown,",
    Verdict.VACUOUS: "vac could not fail,",
    Verdict.NOT_ASKED: "n/a not asked,",
}
ADVICE = "the spec has no `expect` block"
UNEXPECTED = "! not as expected,"
UNCHECKED = "- not checked,"


def render(reports: Sequence[Report], sources: Sources, width: int = DEFAULT_WIDTH) -> str:
    """Return the table, the details of what was not as expected and a closing line."""
    blocks = [table for group in _alike(reports) for table in verdict_tables(group, width)]
    if reports:
        blocks.append(explain_marks(reports, width))
    blocks.append(_limited(reports, width))
    for report in reports:
        otherwise = [r for r in report.results if not r.as_expected]
        blocks += report_blocks(report, otherwise, sources, width)
        if not report.results:
            blocks.append(
                hang_text("", f"{report.path}: {NOTHING_ASKED}: {ADVICE}", width, indent=2)
            )
    blocks.append(hang_text("", expectation_counts(reports), width, indent=2))
    return join_blocks(blocks)


def explain_marks(reports: Sequence[Report], width: int) -> list[str]:
    """Return what the marks in the tables mean, those that occur."""
    results = [r for report in reports for r in report.results]
    there = {r.verdict for r in results}
    pieces = [meaning for verdict, meaning in MEANINGS.items() if verdict in there]
    if any(_leaves_out(group) for group in _alike(reports)):
        pieces.append(UNCHECKED)
    if not all(r.as_expected for r in results):
        pieces.append(UNEXPECTED)
    return pack_pieces([*pieces[:-1], *(p.rstrip(",") for p in pieces[-1:])], width)


def _leaves_out(group: Sequence[Report]) -> bool:
    """Tell whether some report of a table lacks a claim that another one has."""
    own = [{r.claim for r in report.results} for report in group]
    return any(claims != set().union(*own) for claims in own)


def _alike(reports: Sequence[Report]) -> list[list[Report]]:
    """Group reports that have a claim in common with the first of their group."""
    groups: list[list[Report]] = []
    for report in reports:
        own = {r.claim for r in report.results}
        fit = (g for g in groups if not own or own & {r.claim for r in g[0].results})
        group = next(fit, None)
        if group is None:
            groups.append([report])
        else:
            group.append(report)
    return groups


def _limited(reports: Sequence[Report], width: int) -> list[str]:
    """Return a warning where some verdict does not cover every interleaving."""
    scopes = [r.scope for report in reports for r in report.results]
    phrases = dict.fromkeys(s.interleavings for s in scopes if s.rounds is not None)
    return [line for p in phrases for line in hang_text("", f"some verdicts: {p}", width, indent=2)]


def verdict_mark(result: ClaimResult) -> str:
    """Return the verdict in a few characters, with `!` where it is not the expected one."""
    return _short(result) + ("" if result.as_expected else "!")


def _short(result: ClaimResult) -> str:
    match result.verdict:
        case Verdict.PROVED:
            return "ok"
        case Verdict.BOUNDED:
            return _bounded(result.scope)
        case Verdict.REFUTED:
            return "N=?" if result.smallest_vcpus is None else f"N={result.smallest_vcpus}"
        case Verdict.UNKNOWN:
            return "?"
        case Verdict.VACUOUS:
            return "vac"
        case Verdict.NOT_ASKED:
            return "n/a"
        case _:
            assert_never(result.verdict)


def _bounded(scope: VerdictScope) -> str:
    low, high = scope.vcpus or (1, 1)
    return f"<={high}" if low == 1 else f"{low}..{high}"


def verdict_tables(reports: Sequence[Report], width: int) -> Iterator[list[str]]:
    """Yield tables of verdicts that fit the width, a row for each report."""
    claims = tuple(dict.fromkeys(r.claim for report in reports for r in report.results))
    names = shorten_names(names_of(reports), width // 3)
    left = max(len(n) for n in names) + 2
    pitch = max((len(verdict_mark(r)) for report in reports for r in report.results), default=1) + 1
    for chunk in _chunks(claims, pitch, width - left):
        rows = [
            _row(name, left, report, chunk, pitch)
            for name, report in zip(names, reports, strict=True)
        ]
        yield [*_stair(chunk, left, pitch, width), *rows]


def names_of(reports: Sequence[Report]) -> list[str]:
    """Return the specs' paths without their common folder and without `.spec`."""
    paths = [(r.spec or r.path).removesuffix(".spec") for r in reports]
    folders = {str(PurePath(p).parent) for p in paths}
    return [PurePath(p).name for p in paths] if len(folders) == 1 else paths


def _chunks(claims: tuple[str, ...], pitch: int, room: int) -> Iterator[tuple[str, ...]]:
    """Cut the claims so that each part's names, `pitch` apart, end within the room."""
    start = 0
    for at, claim in enumerate(claims):
        if at > start and (at - start) * pitch + len(escape_unprintable(claim)) > room:
            yield claims[start:at]
            start = at
    if start < len(claims):
        yield claims[start:]


def _stair(claims: tuple[str, ...], left: int, pitch: int, width: int) -> list[str]:
    lines = []
    for at, claim in enumerate(claims):
        bars = "".join(f"{'|':<{pitch}}" for _ in range(at))
        lines.append(f"{'':<{left}}{bars}{escape_unprintable(claim)}"[:width])
    return lines


def _row(name: str, left: int, report: Report, claims: tuple[str, ...], pitch: int) -> str:
    marks = {r.claim: verdict_mark(r) for r in report.results}
    cells = "".join(f"{marks.get(c, '-'):<{pitch}}" for c in claims)
    return f"{name:<{left}}{cells}".rstrip()

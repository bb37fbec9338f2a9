"""Verdicts under several bounds: a table for each file, a row for each claim.

In: a report for each file and each set of bounds. Out: text within the width, or JSON. A column is
headed by vCPUs x loads x flushes; where they do not fit side by side the table goes on below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from flushproof.report.exit_code import verdict_counts
from flushproof.report.json_report import Tree, document_head, report_body
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable, pack_pieces
from flushproof.results.verdict import EXIT_OK, EXIT_UNDECIDED, ClaimResult, Report, Verdict
from flushproof.support.record import Record

COLUMNS = "columns: vCPUs x loads x flushes, - as the spec says;"
MEANINGS = (
    ((Verdict.PROVED, Verdict.BOUNDED), "holds within these bounds,"),
    ((Verdict.REFUTED,), "N=3 refuted at 3 vCPUs,"),
    ((Verdict.UNKNOWN,), "? unknown,"),
    ((Verdict.VACUOUS,), "vac could not fail,"),
    ((Verdict.NOT_ASKED,), "n/a not asked,"),
)
GAP = "  "


class Swept(Record, frozen=True):
    """One file under one set of bounds, which `bounds` names."""

    bounds: str
    report: Report


def exit_code(swept: Sequence[Swept]) -> int:
    """Return 0 where every claim is decided, whatever the verdict, else 3."""
    verdicts = {r.verdict for s in swept for r in s.report.results}
    decided = all(v.decided or v is Verdict.NOT_ASKED for v in verdicts)
    return EXIT_OK if decided else EXIT_UNDECIDED


def sweep_document(swept: Sequence[Swept]) -> Tree:
    """Return all as a JSON document."""
    listed = [{"bounds": s.bounds, **report_body(s.report)} for s in swept]
    return {**document_head(), "sweep": listed, "exit": exit_code(swept)}


def render(swept: Sequence[Swept], width: int = DEFAULT_WIDTH) -> str:
    """Return a table for each file, the meaning of its words, and a closing line."""
    paths = dict.fromkeys(s.report.path for s in swept)
    blocks = [_table([s for s in swept if s.report.path == path], width) for path in paths]
    blocks.append(_legend({r.verdict for s in swept for r in s.report.results}, width))
    blocks.append([verdict_counts(r for s in swept for r in s.report.results)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _legend(there: set[Verdict], width: int) -> list[str]:
    """Return what the words in the tables mean, those that occur."""
    pieces = [COLUMNS, *(words for kinds, words in MEANINGS if there & set(kinds))]
    return pack_pieces([*pieces[:-1], pieces[-1].rstrip(",;")], width)


def _table(columns: Sequence[Swept], width: int) -> list[str]:
    claims = list(dict.fromkeys(r.claim for s in columns for r in s.report.results))
    first = max(len(escape_unprintable(name)) for name in (*claims, ""))
    cells = [[s.bounds, *(_cell(s.report, name) for name in claims)] for s in columns]
    lines = [escape_unprintable(columns[0].report.path)]
    while cells:
        taken = _fitting(cells, width - first)
        lines += _rows([["", *claims], *cells[:taken]])
        cells = cells[taken:]
        lines += [""] if cells else []
    return lines


def _fitting(cells: list[list[str]], room: int) -> int:
    """Return how many columns fit; at least one is taken."""
    taken = 0
    for column in cells:
        room -= len(GAP) + max(map(len, column))
        if room < 0:
            break
        taken += 1
    return max(taken, 1)


def _rows(columns: list[list[str]]) -> list[str]:
    widths = [max(len(escape_unprintable(cell)) for cell in column) for column in columns]
    rows = zip(*columns, strict=True)
    padded = (
        GAP.join(f"{escape_unprintable(c):<{w}}" for c, w in zip(row, widths, strict=True))
        for row in rows
    )
    return [row.rstrip() for row in padded]


def _cell(report: Report, claim: str) -> str:
    found = next((r for r in report.results if r.claim == claim), None)
    return "-" if found is None else _word(found)


def _word(result: ClaimResult) -> str:
    match result.verdict:
        case Verdict.PROVED | Verdict.BOUNDED:
            return "holds"
        case Verdict.REFUTED:
            return f"N={result.smallest_vcpus}"
        case Verdict.UNKNOWN:
            return "?"
        case Verdict.VACUOUS:
            return "vac"
        case Verdict.NOT_ASKED:
            return "n/a"
        case _:
            assert_never(result.verdict)

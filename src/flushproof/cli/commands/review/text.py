"""A review as text: one table of claims, what it amounts to, and the schedules behind it."""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.cli.commands.nfc import text as compare_text
from flushproof.report import text
from flushproof.report.grid import Column, GridCell, draw_grid
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable, hang_text
from flushproof.report.scope import scope_lines, vcpus_phrase
from flushproof.results.comparison import Comparison, Relation, Since
from flushproof.results.review import ChangeEffect, ChangeReview, ClaimRow, PatchLine, Review, Truth
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.source import Source
from flushproof.support.wording import count_noun

NOTHING = "nothing"


def render(review: Review, sources: dict[str, Source], width: int = DEFAULT_WIDTH) -> str:
    """Return the review as text that ends in a newline."""
    blocks: list[list[str]] = []
    for change in review.changes:
        blocks += _change(change, sources | _texts(change), width)
    return text.join_blocks(blocks)


def list_reviewed_files(review: Review) -> tuple[str, ...]:
    """Return the names of the files that excerpts may be wanted from."""
    reports = [r for c in review.changes for r in (c.before, c.after)]
    return text.list_excerpt_files(reports)


def _texts(change: ChangeReview) -> dict[str, Source]:
    return {s.name: s for s in (change.change.before, change.change.after)}


def _change(review: ChangeReview, sources: dict[str, Source], width: int) -> list[list[str]]:
    blocks = [_head(review, width), _table(review, width), _outcome(review, width)]
    blocks[-1] += _scopes(review, width)
    if review.comparison.difference is not None:
        blocks.append(compare_text.comparison_lines(review.comparison, sources, width))
    broken = [r.after for r in review.rows if r.effect is ChangeEffect.BROKE]
    return [*blocks, *text.results_blocks(review.after, broken, sources, width)]


def _head(review: ChangeReview, width: int) -> list[str]:
    change = review.change
    out = hang_text("review  ", change.subject or change.before.name, width)
    out += hang_text("  before ", change.before.name, width)
    out += hang_text("  after  ", change.after.name, width)
    if change.others:
        out += hang_text("  also changed, not looked at: ", ", ".join(change.others), width, 9)
    for note in change.notes:
        out += hang_text("  note   ", note, width)
    return out


# The table -------------------------------------------------------------------------------------


def _table(review: ChangeReview, width: int) -> list[str]:
    rows = review.rows
    columns = (
        _column("claim", (r.before.claim for r in rows)),
        _column("before", (verdict_words(r.before) for r in rows)),
        _column("after", (verdict_words(r.after) for r in rows)),
        _column("effect", (_word(r) for r in rows)),
        _column("line", (_line(r, review) for r in rows)),
        _column("in the patch", (_inside(r, review) for r in rows)),
    )
    return draw_grid(columns, width) or []


def _column(title: str, cells: Iterable[str]) -> Column:
    made = tuple(GridCell((c,) if c else ()) for c in cells)
    return Column(title, 4, made)


def verdict_words(result: ClaimResult) -> str:
    """Return such as "proved" or "refuted at 2"."""
    if result.verdict is Verdict.REFUTED and result.smallest_vcpus is not None:
        return f"refuted at {result.smallest_vcpus}"
    return str(result.verdict)


def _word(row: ClaimRow) -> str:
    return "" if row.effect is ChangeEffect.SAME else str(row.effect)


def _line(row: ClaimRow, review: ChangeReview) -> str:
    """Return the line of the new file where it goes wrong."""
    span = row.blame
    return str(span.line) if span is not None and review.change.holds(span) else ""


def _elsewhere(review: ChangeReview, width: int) -> list[str]:
    """Return where claims fail in other files than the one under review."""
    out: list[str] = []
    for row in review.rows:
        span = row.blame
        if span is not None and not review.change.holds(span):
            words = f"{row.after.claim}: {span.file}:{span.line}"
            out += _labelled("fails at", words, width)
    return out


def _inside(row: ClaimRow, review: ChangeReview) -> str:
    trace = row.after.trace
    line = None if trace is None else review.change.place(trace)
    if line is None:
        return ""
    return f"line {line.number}{' decoded' if line.decoded else ''}"


def patch_line_place(line: PatchLine) -> str:
    """Return where a line of the patch is."""
    if line.decoded:
        return f"{line.file}, line {line.number} of the decoded text"
    return f"{line.file}:{line.number}"


# What it amounts to ------------------------------------------------------------------------------


def _outcome(review: ChangeReview, width: int) -> list[str]:
    out: list[str] = []
    for effect in (ChangeEffect.FIXED, ChangeEffect.BROKE, ChangeEffect.CHANGED, ChangeEffect.OPEN):
        names = [r.before.claim for r in review.rows if r.effect is effect]
        if names or effect in (ChangeEffect.FIXED, ChangeEffect.BROKE):
            out += _labelled(str(effect), ", ".join(names) or NOTHING, width)
    out += _elsewhere(review, width)
    out += _labelled("nfc", _compared(review), width)
    return out + _statement(review, width)


def _scopes(review: ChangeReview, width: int) -> list[str]:
    """Return what the proofs in the table cover and assume, each only once."""
    results = [r for row in review.rows for r in (row.before, row.after)]
    proofs = [scope_lines(r) for r in results if r.verdict.holds]
    lines = dict.fromkeys(line for proof in proofs for line in proof)
    ordered = sorted(lines, key=lambda line: line[0] != "scope")
    return [part for label, words in ordered for part in _labelled(label, words, width)]


def _compared(review: ChangeReview) -> str:
    first = _relation(review.comparison)
    return first if review.later is None else f"{first}; {_relation(review.later)}"


def _relation(found: Comparison) -> str:
    since = "" if found.since is Since.BOOT else f" {found.scope.boot}"
    match found.relation:
        case Relation.EQUAL | Relation.BOUNDED:
            return f"equal for {vcpus_phrase(found.scope.vcpus)}{since or ' from boot'}"
        case Relation.UNKNOWN:
            return f"not decided{since}: {found.reason}"
        case _:
            told = found.difference
            at = "" if told is None else f" at {count_noun(told.vcpus, 'vCPU')}"
            return f"{found.relation}{at}{since or ' from boot'}"


def _statement(review: ChangeReview, width: int) -> list[str]:
    stated = review.change.statement
    if stated is None:
        return _labelled("stated", "nothing about functional changes", width)
    where = "" if stated.line is None else f" ({patch_line_place(stated.line)})"
    return _labelled(
        "stated", f'"{escape_unprintable(stated.text)}"{where}: {_truth(review)}', width
    )


def _truth(review: ChangeReview) -> str:
    many = vcpus_phrase(review.comparison.scope.vcpus)
    match review.truth:
        case Truth.TRUE | Truth.BOUNDED:
            return f"true for {many}"
        case Truth.FALSE if review.comparison.relation.alike:
            return f"false; calls are alike for {many}, but {', '.join(review.broken)} held before"
        case Truth.FALSE:
            return f"false{_later(review)}"
        case Truth.OPEN:
            return "not decided"


def _later(review: ChangeReview) -> str:
    """Return from when on a statement is true that is false from boot."""
    if review.later is None or not review.later.relation.alike:
        return ""
    words = "calls are alike" if review.broken else "true"
    return f", but {words} once any vCPU has loaded, for {vcpus_phrase(review.later.scope.vcpus)}"


def _labelled(label: str, words: str, width: int) -> list[str]:
    return hang_text(f"  {label:<8} ", words, width)

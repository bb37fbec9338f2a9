"""A report as text, the form that goes into a mail: plain ASCII, no line over the width.

In: a `Report` and the sources by name, for the excerpts. Out: lines. Several claims come as a table
first, with what their verdicts cover; a block for each counterexample follows. What all claims
assume is said once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import PurePath

from flushproof.report.excerpt import excerpt_lines
from flushproof.report.exit_code import verdict_counts
from flushproof.report.findings import expected_phrase
from flushproof.report.overview import agreement_words, default_reason, overview_table
from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable, hang_text
from flushproof.report.scope import held_phrase, scope_phrase
from flushproof.report.trace_table import trace_table
from flushproof.results.trace import Blame, Trace
from flushproof.results.verdict import ClaimResult, Report, Verdict
from flushproof.support.record import replace
from flushproof.support.source import Source, Span
from flushproof.support.wording import count_noun

INDENT = 2
CODE_INDENT = 6
REPLAYED = "replayed step by step in the interpreter"

Sources = Mapping[str, Source]


def render(report: Report, sources: Sources, width: int = DEFAULT_WIDTH) -> str:
    """Return the whole report as text that ends in a newline; first, what the file was read as."""
    report = _unsurprised(report)
    if len(report.results) > 1:
        blocks = _overview(report, width)
        refuted = (r for r in report.results if r.verdict is Verdict.REFUTED)
        said = _shared(report.results)
        blocks += [_refuted(r, report, sources, width, said) for r in refuted]
    else:
        blocks = report_blocks(report, report.results, sources, width)
    blocks.append(hang_text("", f"{report.path}: {verdict_counts(report.results)}", width, INDENT))
    read_as = f"{report.path}: read as {report.read_as}"
    return join_blocks([hang_text("", read_as, width, INDENT) if report.read_as else [], *blocks])


def join_blocks(blocks: Iterable[list[str]]) -> str:
    """Return blocks of lines as text, an empty line between two."""
    return "\n\n".join("\n".join(b) for b in blocks if b) + "\n"


def report_blocks(
    report: Report, results: Iterable[ClaimResult], sources: Sources, width: int
) -> list[list[str]]:
    """Return results under a heading; refuted claims need none, as each block names its file."""
    listed = tuple(results)
    blocks = results_blocks(report, listed, sources, width)
    if all(r.verdict is Verdict.REFUTED for r in listed):
        return blocks
    return [hang_text("", _subject(report), width, indent=INDENT), *blocks]


def results_blocks(
    report: Report, results: Iterable[ClaimResult], sources: Sources, width: int
) -> list[list[str]]:
    """Return the results in blocks of lines: those that hold by scope, undecided ones, refuted."""
    listed = tuple(results)
    said = _shared(listed)
    held = [r for r in listed if r.verdict.holds]
    undecided = [r for r in listed if r.verdict in (Verdict.UNKNOWN, Verdict.VACUOUS)]
    skipped = [r for r in listed if r.verdict is Verdict.NOT_ASKED]
    refuted = [r for r in listed if r.verdict is Verdict.REFUTED]
    return [
        *(_held_group(group, report.path, width, said) for group in _by_scope(held)),
        *(_invariant(result, width) for result in held if result.invariant),
        *(_undecided_group(group, width, said) for group in _by_scope(undecided)),
        *(_undecided(result, width) for result in skipped),
        *(_refuted(result, report, sources, width, said) for result in refuted),
        _assuming("assuming", said, width),
    ]


def result_text(
    report: Report, result: ClaimResult, sources: Sources, width: int = DEFAULT_WIDTH
) -> str:
    """Return one result as text that ends in a newline; its first line is the verdict."""
    return join_blocks(results_blocks(report, (result,), sources, width))


def list_excerpt_files(reports: Iterable[Report]) -> tuple[str, ...]:
    """Return the names of the files that excerpts are wanted from, sorted."""
    results = chain.from_iterable(r.results for r in reports)
    blames = chain.from_iterable(r.trace.blame for r in results if r.trace is not None)
    return tuple(sorted({b.span.file for b in blames}))


def _subject(report: Report) -> str:
    return f"{report.path}: {report.function}()" if report.function else report.path


def _unsurprised(report: Report) -> Report:
    """Leave out what was expected where that is the same of all claims: the command said so."""
    if len({r.expected for r in report.results}) > 1:
        return report
    return replace(report, results=tuple(replace(r, expected=None) for r in report.results))


def _shared(results: tuple[ClaimResult, ...]) -> tuple[str, ...]:
    """Return what several results all assume; for one alone nothing, as it says so itself."""
    if len(results) < 2:
        return ()
    first, *rest = results
    return tuple(a for a in first.assumptions if all(a in r.assumptions for r in rest))


def _overview(report: Report, width: int) -> list[list[str]]:
    """Return a table with a row for each claim, and what the verdicts cover and assume."""
    results = report.results
    said = _shared(results)
    rest = [r for r in results if r.verdict not in (Verdict.REFUTED, Verdict.NOT_ASKED)]
    groups = _by_scope(rest)
    scopes = [line for g in groups for line in _covered(g, groups, width, said)]
    silent = [line for r in rest for line in _could_fail(r, report.path, width, f"{r.claim} ")]
    silent += [line for r in rest for line in _unagreed(r, width)]
    return [
        hang_text("", _subject(report), width, indent=INDENT),
        overview_table(results, width),
        [*silent, *scopes, *_assuming("assuming", said, width)],
        *(_invariant(r, width) for r in rest if r.invariant),
    ]


def _covered(
    group: list[ClaimResult], groups: list[list[ClaimResult]], width: int, said: tuple[str, ...]
) -> list[str]:
    """Return what a group of verdicts covers, with the names of its claims if vCPUs do not tell."""
    first = group[0]
    alike = sum(g[0].scope.vcpus == first.scope.vcpus for g in groups) > 1
    names = ", ".join(r.claim for r in group)
    lines = _labelled("of", names, width) if alike else []
    return lines + _scope(first, width, said)


def _by_scope(results: Iterable[ClaimResult]) -> list[list[ClaimResult]]:
    """Group results that cover the same; what is proved is never among what is bounded."""
    groups: dict[tuple[object, ...], list[ClaimResult]] = {}
    for result in results:
        groups.setdefault((result.scope, result.assumptions), []).append(result)
    return list(groups.values())


def _held_group(
    results: list[ClaimResult], path: str, width: int, said: tuple[str, ...]
) -> list[str]:
    lead = f"{held_phrase(results[0].scope.vcpus)}  "
    lines: list[str] = []
    for result in results:
        lines += hang_text(lead, f"{result.claim}{agreement_words(result)}", width)
        lines += [*_note(result, width), *_could_fail(result, path, width)]
        lines += [*_unagreed(result, width), *_mismatch(result, width)]
    return lines + _scope(results[0], width, said)


def _note(result: ClaimResult, width: int) -> list[str]:
    """Return why a proof is not for more, where there is a reason."""
    return _labelled("note", result.reason, width) if result.reason else []


def _could_fail(result: ClaimResult, path: str, width: int, name: str = "") -> list[str]:
    """Return an edit that breaks a proved claim, where one was looked for."""
    if result.sane is None:
        return []
    b = result.sane.breaker
    if b is None:
        text = f"after none of {count_noun(result.sane.tried, 'edit')} tried"
    else:
        own = PurePath(b.file).stem == PurePath(path).stem
        where = f"line {b.line}" if own else f"{b.file}:{b.line}"
        text = f"with {count_noun(b.vcpus, 'vCPU')} if {where} is edited: {b.words}"
    return _labelled("breaks", f"{name}{text}", width)


def _invariant(result: ClaimResult, width: int) -> list[str]:
    """Return what a proof rests on, every line of it indented as it is."""
    lines = [f"invariant for {escape_unprintable(result.claim)}"]
    for line in result.invariant:
        text = line.lstrip()
        lead = " " * (INDENT + len(line) - len(text))
        lines += hang_text(lead, escape_unprintable(text), width)
    return lines


def _undecided_group(results: list[ClaimResult], width: int, said: tuple[str, ...]) -> list[str]:
    lines = [line for result in results for line in _undecided(result, width)]
    return lines + _scope(results[0], width, said)


def _undecided(result: ClaimResult, width: int) -> list[str]:
    head = f"{result.verdict:<7}  {escape_unprintable(result.claim)}"
    lines = hang_text("", head, width, indent=INDENT)
    reason = result.reason or default_reason(result.verdict)
    lines += _labelled("because", reason, width)
    return lines + _unagreed(result, width) + _mismatch(result, width)


def _refuted(
    result: ClaimResult, report: Report, sources: Sources, width: int, said: tuple[str, ...]
) -> list[str]:
    lines = _headline(result, report, width)
    if result.trace is not None:
        lines += _trace(result.trace, sources, width)
    lines += (
        _labelled("second", agreement_words(result).lstrip(", "), width)
        if agreement_words(result)
        else []
    )
    lines += _unagreed(result, width)
    return lines + _mismatch(result, width) + _scope(result, width, said)


def _unagreed(result: ClaimResult, width: int) -> list[str]:
    """Return why a second solver says nothing, where it does not."""
    opinion = result.opinion
    if opinion is None or not opinion.reason:
        return []
    return _labelled("silent", f"{opinion.solver}: {opinion.reason}", width)


def _headline(result: ClaimResult, report: Report, width: int) -> list[str]:
    smallest = "" if result.smallest_vcpus is None else count_noun(result.smallest_vcpus, "vCPU")
    head = f"refuted  {escape_unprintable(result.claim)}"
    whole = f"{head}   {escape_unprintable(_subject(report))}   {smallest}".rstrip()
    if len(whole) <= width:
        return [whole]
    subject = hang_text("  ", _subject(report), width)
    return [*hang_text("", f"{head}   {smallest}".rstrip(), width, indent=INDENT), *subject]


def _trace(trace: Trace, sources: Sources, width: int) -> list[str]:
    return [
        "",
        *hang_text("  ", trace.headline, width),
        "",
        *trace_lines(trace, sources, width),
        *_labelled("checked", REPLAYED, width),
    ]


def trace_lines(trace: Trace, sources: Sources, width: int) -> list[str]:
    """Return the places, the table and the reason of a trace."""
    return [
        *_blame(trace.blame, sources, width),
        "",
        *trace_table(trace, width),
        "",
        *(_labelled("because", trace.because, width) if trace.because else []),
        *(_labelled("smallest", trace.smallest, width) if trace.smallest else []),
    ]


def _blame(blame: tuple[Blame, ...], sources: Sources, width: int) -> list[str]:
    main, *notes = blame
    lines = hang_text("  ", _place(main.span), width)
    lines += excerpt_lines(main.span, main.text, sources, CODE_INDENT, width)
    for note in notes:
        lines += hang_text("    note: ", f"{_place(note.span)} {note.text}", width)
    return lines


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}"


def _scope(result: ClaimResult, width: int, said: tuple[str, ...]) -> list[str]:
    """Return what a verdict covers, and assumes beyond what is said of all."""
    lines = _labelled("scope", scope_phrase(result.scope), width)
    own = tuple(a for a in result.assumptions if a not in said)
    return lines + _assuming("and" if said else "assuming", own, width)


def _assuming(label: str, assumptions: tuple[str, ...], width: int) -> list[str]:
    return _labelled(label, ", ".join(assumptions), width) if assumptions else []


def _mismatch(result: ClaimResult, width: int) -> list[str]:
    """Return what a spec expected instead, where it expected anything else."""
    if result.expected is None or result.as_expected:
        return []
    return _labelled("expected", expected_phrase(result.expected), width)


def _labelled(label: str, text: str, width: int) -> list[str]:
    return hang_text(f"  {label:<8} ", text, width)

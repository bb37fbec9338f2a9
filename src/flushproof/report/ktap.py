"""Results as KTAP, the kernel's test format: a test for each claim, one level deeper for `check`.

A claim is `ok` where its verdict is the expected one. One that is undecided is `not ok` with the
directive ERROR, never a skip; SKIP is for one that the
variant has not what to ask about. The report of a claim that is `not ok` precedes it as comments.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.report.exit_code import NOTHING_ASKED
from flushproof.report.findings import Results, is_undecided
from flushproof.report.plain import escape_unprintable
from flushproof.report.scope import held_phrase, vcpus_phrase
from flushproof.report.text import Sources, result_text
from flushproof.results.verdict import EXIT_OK, ClaimResult, Report, Verdict

VERSION = "KTAP version 1"
DEEPER = "  "
_COMMENT = "# "
_NOTHING = f" # ERROR {NOTHING_ASKED}"


def render(results: Results) -> str:
    """Return the tests of one variant, or those of each spec below one another."""
    return "".join(f"{line}\n" for line in _lines(results))


def _lines(results: Results) -> Iterator[str]:
    if not results.many:
        yield VERSION
        yield from _tests(results.reports[0], results)
        return
    yield VERSION
    yield f"1..{len(results.reports)}"
    for number, report in enumerate(results.reports, 1):
        yield f"{DEEPER}{VERSION}"
        for line in _tests(report, results):
            yield f"{DEEPER}{line}"
        good = report.exit_code == EXIT_OK
        name = _name(report.spec or report.path)
        yield f"{'ok' if good else 'not ok'} {number} {name}{'' if report.results else _NOTHING}"


def _tests(report: Report, results: Results) -> Iterator[str]:
    yield f"1..{len(report.results)}"
    for number, result in enumerate(report.results, 1):
        if not result.as_expected:
            yield from _comments(report, result, results.sources, results.width)
        ok = "ok" if result.as_expected else "not ok"
        yield f"{ok} {number} {_name(result.claim)}{_directive(result)}"


def _comments(report: Report, result: ClaimResult, sources: Sources, width: int) -> Iterator[str]:
    text = result_text(report, result, sources, width - len(_COMMENT) - len(DEEPER))
    for line in text.splitlines():
        yield f"{_COMMENT}{line}".rstrip()


def _directive(result: ClaimResult) -> str:
    """Say what was found, in a form that is no directive unless the claim is undecided."""
    error = "ERROR " if is_undecided(result) else ""
    match result.verdict:
        case Verdict.UNKNOWN | Verdict.VACUOUS:
            return f" # {error}{result.verdict}"
        case Verdict.NOT_ASKED:
            return f" # {error or 'SKIP '}{result.reason or result.verdict}"
        case Verdict.PROVED | Verdict.BOUNDED:
            return f" # {error}{held_phrase(result.scope.vcpus)}"
        case Verdict.REFUTED:
            return f" # refuted with {vcpus_phrase((result.smallest_vcpus or 1,) * 2)}"


def _name(text: str) -> str:
    """Return a name that holds no `#`, which would begin a directive."""
    return escape_unprintable(text).replace("#", "\\x23")

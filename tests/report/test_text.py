"""Reports as text: whole outputs beside this file, and laws over made-up traces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flushproof.report import summary, text
from flushproof.report.scope import vcpus_phrase
from flushproof.report.trace_table import trace_table
from flushproof.results.trace import LockMark, Trace
from flushproof.results.verdict import Expected, Verdict, VerdictScope
from flushproof.support.record import replace
from support.report_samples import (
    CHECKED,
    COVERAGE_TRACE,
    EVERY,
    MANY_TRACE,
    MIXED,
    SECTION_TRACE,
    SOURCES,
    Made,
    report,
    result,
    step,
)

GOLDEN = Path(__file__).parent / "golden"

TEXTS = {
    "mixed": text.render(MIXED, SOURCES),
    "refuted": text.render(
        report(result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)), SOURCES
    ),
    "wide": text.render(
        report(result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)), SOURCES, 110
    ),
    "section": text.render(
        report(result(Verdict.REFUTED, "no_repeat", trace=SECTION_TRACE)), SOURCES
    ),
    "many": text.render(report(result(Verdict.REFUTED, "coverage", trace=MANY_TRACE)), SOURCES),
    "narrow": text.render(
        report(result(Verdict.REFUTED, "no_repeat", trace=SECTION_TRACE)), SOURCES, 48
    ),
    "no_source": text.render(report(result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)), {}),
    "check": summary.render(CHECKED, SOURCES),
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_golden(name: str) -> None:
    """Any change of what a reviewer reads shows up as a difference of a whole text."""
    assert TEXTS[name] == (GOLDEN / f"{name}.txt").read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("vcpus", "phrase"),
    [
        (None, "every number of vCPUs"),
        ((1, 1), "1 vCPU"),
        ((1, 4), "1..4 vCPUs"),
        ((3, 3), "3 vCPUs"),
    ],
)
def test_vcpus_phrase(vcpus: tuple[int, int] | None, phrase: str) -> None:
    """A bounded success must never read as a proof for every number of vCPUs."""
    assert vcpus_phrase(vcpus) == phrase


def test_bounded_says_nothing_more() -> None:
    """The words "proved" and "every number" may not stand anywhere in a bounded report."""
    shown = text.render(report(result(Verdict.BOUNDED, "coverage")), SOURCES)
    assert "bounded: holds for 1..4 vCPUs  coverage" in shown
    assert "every number" not in shown
    assert "proved" not in shown


def test_scope_line_once_for_equal_scopes() -> None:
    """Ten proved claims would otherwise repeat ten identical scope lines."""
    results = [result(Verdict.PROVED, f"claim{i}") for i in range(10)]
    assert text.render(report(*results), SOURCES).count("  scope ") == 1


def test_too_few_rounds_are_said() -> None:
    """A table of marks must not hide that interleavings were left out."""
    only = "up to 2 rounds, not every interleaving"
    cut = replace(EVERY, interleavings=only, rounds=2)
    expected = Expected(Verdict.PROVED)
    few = result(Verdict.BOUNDED, "coverage", Made(replace(cut, vcpus=(1, 4)), (), expected))
    all_ = result(Verdict.PROVED, "no_race", Made(EVERY, (), expected))
    assert f"\n\nsome verdicts: {only}\n\n" in summary.render((report(all_, few),), SOURCES)
    assert "some verdicts" not in summary.render((report(all_),), SOURCES)


def test_bar_of_a_holder_goes_on_while_others_step() -> None:
    """A lock would seem free in the rows in which another thread moves."""
    steps = (
        step(1, "flusher0", "lock", "acquire"),
        step(2, "vcpu0", "load(A)"),
        step(3, "flusher0", "unlock", "release"),
    )
    trace = replace(COVERAGE_TRACE, columns=("vcpu0", "flusher0"), steps=steps, standing=())
    bars = [line[16:17].strip() for line in trace_table(trace, 75)[2:5]]
    assert bars == ["[", "|", "]"]


def test_escape_sequences_do_not_reach_the_terminal() -> None:
    """A file name could otherwise recolour, retitle or clear the reader's terminal."""
    hostile = "\x1b[2J\x07\u202eevil"
    trace = replace(COVERAGE_TRACE, headline=hostile, because=hostile)
    made = result(Verdict.REFUTED, hostile, Made(), trace)
    shown = text.render(replace(report(made), path=hostile, function=hostile), SOURCES)
    assert "\x1b" not in shown
    assert r"\x1b[2J\x07\u202eevil" in shown


def test_check_table_continues_below_when_claims_do_not_fit() -> None:
    """Twelve claims do not fit side by side in a mail."""
    claims = [f"a_rather_long_claim_{i}" for i in range(12)]
    expected = Made(expected=Expected(Verdict.PROVED))
    made = report(*(result(Verdict.PROVED, c, expected) for c in claims), spec="x.spec")
    shown = summary.render((made,), SOURCES)
    assert all(c in shown for c in claims)
    assert max(map(len, shown.splitlines())) <= 75


def test_no_reports() -> None:
    """An empty table must not crash the closing line."""
    assert summary.render((), {}) == "0 specs, 0 claims: none decided\n"


WORDS = st.text(min_size=0, max_size=30)
THREADS = st.sampled_from([*(f"vcpu{i}" for i in range(12)), "flusher0", "flusher1"])
LOCKS: st.SearchStrategy[LockMark] = st.sampled_from(
    ["none", "acquire", "held", "release", "section"]
)
CHANGES = st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Return a trace with arbitrary texts, threads and lock marks."""
    steps = tuple(
        step(at + 1, draw(THREADS), draw(WORDS), draw(LOCKS), draw(CHANGES))
        for at in range(draw(st.integers(1, 6)))
    )
    columns = tuple(dict.fromkeys(s.thread for s in steps))
    standing = tuple((thread, draw(WORDS)) for thread in columns[:1])
    return replace(
        COVERAGE_TRACE, columns=columns, steps=steps, standing=standing, headline=draw(WORDS)
    )


@settings(derandomize=True, deadline=None, max_examples=50)
@given(traces(), WORDS, st.integers(40, 120))
def test_never_wider_than_asked_and_plain(trace: Trace, name: str, width: int) -> None:
    """A line over the width breaks the drawing in a mail; a foreign letter fails elsewhere."""
    made = report(
        result(Verdict.REFUTED, name, Made(expected=Expected(Verdict.PROVED)), trace),
        result(Verdict.PROVED, name, Made(VerdictScope(None, 1, None, 2, name, name), (name,))),
        result(Verdict.UNKNOWN, name, Made(reason=name)),
        path=name,
        spec=name,
    )
    for shown in (text.render(made, SOURCES, width), summary.render((made,), SOURCES, width)):
        assert shown.isascii()
        assert all(len(line) <= width and line.isprintable() for line in shown.splitlines())
        assert "VIOLATION" in shown

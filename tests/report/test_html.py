"""The page as text: what is on it, and that nothing from outside becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from flushproof.report.html.clean import escape_invisible
from flushproof.report.html.lanes import layout_picture, shown_threads
from flushproof.report.html.listing import code_listings
from flushproof.report.html.page import content_policy, list_page_files, render_page
from flushproof.report.html.tones import root_tone
from flushproof.results.trace import Trace
from flushproof.results.verdict import Verdict
from flushproof.support.record import replace
from flushproof.support.source import Source
from support.report_samples import (
    CHECKED,
    CODE,
    COVERAGE_TRACE,
    FILE,
    MANY_TRACE,
    MIXED,
    SECTION_TRACE,
    SOURCES,
    report,
    result,
    step,
)

HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>{{ 7*7 }}&amp;'


class _Tags(HTMLParser):
    """Collects start tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def _parsed(text: str) -> _Tags:
    tags = _Tags()
    tags.feed(text)
    return tags


def test_page_says_all() -> None:
    """Every claim, its verdict and its reason stand on the page."""
    words = _parsed(render_page((MIXED,), SOURCES)).words
    for made in MIXED.results:
        assert made.claim in words
    assert "bounded: holds for 1..4 vCPUs" in words
    assert "proved for every number of vCPUs" in words
    assert "refuted at 2 vCPUs" in words
    assert "the limit of 1000000 solver steps was hit" in words
    assert COVERAGE_TRACE.headline in words
    assert COVERAGE_TRACE.because in words


def test_expectations_are_told_on_demand() -> None:
    """`check` points out surprises; elsewhere there are none."""
    marked = _parsed(render_page(CHECKED, SOURCES, expectations=True)).words
    assert "not refuted at 2 vCPUs" in marked
    assert "not refuted at 2 vCPUs" not in _parsed(render_page(CHECKED, SOURCES)).words


def test_page_is_self_contained_and_deterministic() -> None:
    """Nothing is fetched from anywhere, and the same reports make the same page."""
    text = render_page(CHECKED, SOURCES)
    assert text == render_page(CHECKED, SOURCES)
    tags = _parsed(text).tags
    assert not [t for t, a in tags if "src" in a or t in ("link", "base", "iframe", "img")]
    targets = [a["href"] or "" for t, a in tags if "href" in a]
    assert targets
    assert all(t.startswith("#") for t in targets)
    names = {a["id"] for _, a in tags if "id" in a}
    assert {t.removeprefix("#") for t in targets} <= names
    assert len(names) == sum("id" in a for _, a in tags)


def test_policy_allows_what_the_page_has() -> None:
    """The policy names the digests of the one style and the one script."""
    text = render_page((MIXED,), SOURCES)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert style is not None
    assert script is not None
    metas = [a for t, a in _parsed(text).tags if t == "meta" and "http-equiv" in a]
    assert [m["content"] for m in metas] == [content_policy(style[1], script[1])]
    assert not [
        a for _, a in _parsed(text).tags if any(k.startswith("on") or k == "style" for k in a)
    ]


def test_nothing_from_outside_is_markup() -> None:
    """Code, names and messages may hold anything; the page has the same tags as without."""
    blame = tuple(replace(b, text=HOSTILE) for b in COVERAGE_TRACE.blame)
    steps = tuple(
        replace(s, text=HOSTILE, changed=((HOSTILE, HOSTILE),)) for s in COVERAGE_TRACE.steps
    )
    trace = replace(COVERAGE_TRACE, steps=steps, headline=HOSTILE, because=HOSTILE, blame=blame)
    made = replace(result(Verdict.REFUTED, "coverage", trace=trace), text=HOSTILE)
    hostile = replace(report(made, path=HOSTILE), function=HOSTILE)
    code = CODE.replace("return ret;", HOSTILE)
    tags = _parsed(render_page((hostile,), {FILE: Source(FILE, code)}))
    assert sum(t == "script" for t, _ in tags.tags) == 1
    assert not any(t == "img" for t, _ in tags.tags)
    assert not any("onerror" in a for _, a in tags.tags)
    assert tags.words.count(HOSTILE) > 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("int a;\t// b", "int a;\t// b"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("\u00fc", "\u00fc"),
    ],
)
def test_invisible_characters(text: str, shown: str) -> None:
    """Code must read as it is: no character hides or turns others around."""
    assert escape_invisible(text) == shown


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("A", "tone-0"),
        ("B | 0x1e", "tone-1"),
        ("G", "tone-0"),
        ("AA", "tone-2"),
        ("0", "tone-x"),
        ("INVALID", "tone-x"),
        ("INVALID & PAGE_MASK", "tone-x"),
        ("none", "tone-x"),
    ],
)
def test_tones(root: str, name: str) -> None:
    """A root keeps its colour; what is no root is told apart from all of them."""
    assert root_tone(root) == name


def test_places_are_those_of_steps_and_blame() -> None:
    """The files that a page shows must be asked for."""
    assert list_page_files(CHECKED) == (FILE,)


def test_listing_marks_and_cuts() -> None:
    """The place at fault is marked within its line; lines of no interest are left out."""
    source = Source(FILE, "\n".join(f"this is line {k} of many;" for k in range(1, 200)))
    far = replace(COVERAGE_TRACE.blame[0].span, line=100, end_line=100, column=1, end_column=5)
    steps = (replace(step(1, "vcpu0", "load(A)"), span=far),)
    trace = replace(COVERAGE_TRACE, steps=steps)
    [shown] = code_listings(trace, {FILE: source})
    numbers = [line.number for line in shown.lines]
    assert numbers == [*range(4, 14), *range(96, 105)]
    assert [line.number for line in shown.lines if line.gap] == [4, 96]
    marked = {p.kind: line.number for line in shown.lines for p in line.pieces if p.kind}
    assert marked == {"main": 9, "note": 8}


# The picture -----------------------------------------------------------------------------------


@pytest.mark.parametrize("trace", [COVERAGE_TRACE, SECTION_TRACE, MANY_TRACE])
def test_rows_follow_each_other(trace: Trace) -> None:
    """Each step has a row of its own, below the one before, inside the picture."""
    made = layout_picture(trace)
    assert [r.step for r in made.rows] == [*trace.steps, None]
    for above, below in zip(made.rows, made.rows[1:], strict=False):
        assert above.y + above.height == below.y
    assert made.rows[-1].y + made.rows[-1].height <= made.height
    for left, right in zip(made.lanes, made.lanes[1:], strict=False):
        assert left.x + left.width < right.x
    assert made.lanes[-1].x + made.lanes[-1].width < made.width


def test_lock_bars_span_what_holds() -> None:
    """A bar begins where the lock is taken and ends where it is freed."""
    made = layout_picture(COVERAGE_TRACE)
    [bar] = made.bars
    assert made.rows[1].y < bar.y < made.rows[2].y
    assert made.rows[4].y < bar.y + bar.height < made.rows[5].y
    assert not bar.open
    held = replace(COVERAGE_TRACE, steps=COVERAGE_TRACE.steps[:-1])
    assert [b.open for b in layout_picture(held).bars] == [True]
    assert len(layout_picture(SECTION_TRACE).bars) == 3


def test_bands_show_who_runs_on_what() -> None:
    """A vCPU runs on its root from the load to the end, and not while it loads again."""
    made = layout_picture(COVERAGE_TRACE)
    assert [(b.tone, b.x > made.lanes[1].x) for b in made.bands] == [("tone-0", True)]
    begins = replace(step(6, "vcpu1", "load(B)"), event="enter", text="load(B) begins")
    again = layout_picture(replace(COVERAGE_TRACE, steps=(*COVERAGE_TRACE.steps, begins)))
    [band] = again.bands
    assert band.y + band.height < again.rows[-1].y


def test_arrows_are_hypercalls() -> None:
    """Each hypercall is an arrow to the hypervisor, in the colour of its root."""
    made = layout_picture(COVERAGE_TRACE)
    arrows = [r.arrow for r in made.rows if r.arrow is not None]
    assert [(a.root, a.ok, a.tone) for a in arrows] == [("INVALID", True, "tone-x")]
    assert made.lanes[-1].x < arrows[0].end < made.lanes[-1].x + made.lanes[-1].width


def test_many_threads_leave_out_the_idle() -> None:
    """With more lanes than fit, only threads that do anything are drawn."""
    idle = replace(MANY_TRACE, columns=(*MANY_TRACE.columns, "vcpu9", "vcpu10"))
    assert shown_threads(idle) == MANY_TRACE.columns
    assert shown_threads(COVERAGE_TRACE) == COVERAGE_TRACE.columns

"""The page in a real browser: Debian's Chromium, headless, from file:// and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.chromium import Scheme, browser, low_contrasts, opened
from flushproof.report.html.page import render_drawing, render_page, render_side_by_side
from flushproof.results.costs import Cost, Costs, SideBySide
from flushproof.results.verdict import Verdict
from flushproof.support.record import replace
from flushproof.support.source import Source
from support.report_samples import (
    CHECKED,
    CODE,
    COVERAGE_TRACE,
    FILE,
    MIXED,
    SCOPE,
    SECTION_TRACE,
    SOURCES,
    report,
    result,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SCHEMES: tuple[Scheme, ...] = ("light", "dark")
MANY_CLAIMS = report(
    *MIXED.results, result(Verdict.REFUTED, "no_repeat", trace=SECTION_TRACE), path="other.c"
)
CELLS = (Cost(1, 1, 1, COVERAGE_TRACE), Cost(2, 1, 2, SECTION_TRACE), Cost(2, 2, None))
COMPARED = SideBySide(
    (MIXED, MANY_CLAIMS),
    tuple(Costs(r.path, CELLS, SCOPE, ("this holds",), 0.1) for r in (MIXED, MANY_CLAIMS)),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests here."""
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the pages that are looked at."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "one.html").write_text(render_page((MIXED,), SOURCES), encoding="utf-8")
    several = render_page((*CHECKED, MANY_CLAIMS), SOURCES, expectations=True)
    (folder / "several.html").write_text(several, encoding="utf-8")
    (folder / "costs.html").write_text(render_side_by_side(COMPARED, SOURCES), encoding="utf-8")
    return folder


def _current(page: Page) -> str:
    """Return the highlighted step, which the picture, the slider and the text must agree on."""
    step = page.locator(".case[open] .step[aria-selected=true]")
    assert step.count() == 1
    said = step.get_attribute("aria-label")
    assert said is not None
    slider = _slider(page)
    assert slider.get_attribute("aria-valuetext") == said
    assert slider.input_value() == step.get_attribute("data-row")
    assert page.locator(".case[open] .now").inner_text() == said
    stripes = page.locator(".case[open] .stripe.current")
    assert stripes.count() == 1
    identity = stripes.get_attribute("id") or ""
    assert identity.endswith(f"-s{step.get_attribute('data-row')}")
    return said


def _slider(page: Page) -> Locator:
    return page.locator(".case[open] input[type=range]")


@pytest.mark.sample("light-one")
@pytest.mark.parametrize("name", ["one", "several", "costs"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_loads_alone(chromium: Browser, pages: Path, name: str, scheme: Scheme) -> None:
    """From the disk: nothing is asked of any network, nothing is complained of."""
    path = pages / f"{name}.html"
    with opened(chromium, path, scheme) as shown:
        assert shown.page.locator(".case").count() >= 1
        shown.page.keyboard.press("ArrowLeft")
        assert shown.complaints == []
        assert shown.requests == [path.as_uri()]


@pytest.mark.sample("one-light-1280")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["one", "several", "costs"])
def test_contrast(chromium: Browser, pages: Path, name: str, scheme: Scheme, width: int) -> None:
    """Every text can be read, on bands and marks too, and while a veil lies over later steps."""
    with opened(chromium, pages / f"{name}.html", scheme, width) as shown:
        shown.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert low_contrasts(shown.page) == []
        for slider in shown.page.locator("input[type=range]").all():
            slider.press("Home")
        assert low_contrasts(shown.page) == []


@pytest.mark.sample("one-light")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["one", "several", "costs"])
def test_accessibility_rules(chromium: Browser, pages: Path, name: str, scheme: Scheme) -> None:
    """The rules of axe-core on names, roles, order and contrast find nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with opened(chromium, pages / f"{name}.html", scheme) as shown:
        shown.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        found = axe.Axe().run(shown.page)
        assert found.violations_count == 0, found.generate_report()


def test_slider_moves_the_highlight(chromium: Browser, pages: Path) -> None:
    """The slider goes by keys; step, line of source and state follow it."""
    with opened(chromium, pages / "one.html") as shown:
        page = shown.page
        assert _current(page) == f"Violation: {COVERAGE_TRACE.headline}"
        _slider(page).press("Home")
        assert _current(page).startswith("Step 1, vCPU1: load(A); ept_pointer[1] = A")
        assert page.locator(".line.current .number").inner_text() == "9"
        assert page.locator(".state dd").all_inner_texts() == ["A", "as at boot"]
        for _ in range(2):
            _slider(page).press("ArrowRight")
        assert _current(page).startswith("Step 3, flusher: 18: status MATCH")
        assert page.locator(".state dd.fresh").all_inner_texts() == ["MATCH"]


def test_slider_moves_by_mouse(chromium: Browser, pages: Path) -> None:
    """A drag to the left end arrives at the first step."""
    with opened(chromium, pages / "one.html") as shown:
        box = _slider(shown.page).bounding_box()
        assert box is not None
        shown.page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
        assert _current(shown.page).startswith("Step 1,")


def test_buttons(chromium: Browser, pages: Path) -> None:
    """The buttons go one step each and stop at the ends."""
    with opened(chromium, pages / "one.html") as shown:
        back = shown.page.get_by_role("button", name="Previous step")
        forth = shown.page.get_by_role("button", name="Next step")
        assert forth.is_disabled()
        for _ in range(5):
            back.click()
        assert _current(shown.page).startswith("Step 1,")
        assert back.is_disabled()
        forth.click()
        assert _current(shown.page).startswith("Step 2,")


def test_keys_in_the_picture(chromium: Browser, pages: Path) -> None:
    """The picture is one stop of the tab key; arrows, Home and End move in it."""
    with opened(chromium, pages / "one.html") as shown:
        page = shown.page
        page.locator(".case .drawing").focus()
        page.keyboard.press("Tab")
        focused = "document.activeElement.getAttribute('data-row')"
        assert page.evaluate(focused) == "6"
        for key, row in (("Home", "1"), ("ArrowDown", "2"), ("ArrowRight", "3"), ("End", "6")):
            page.keyboard.press(key)
            assert page.evaluate(focused) == row
        page.keyboard.press("ArrowUp")
        assert _current(page).startswith("Step 5,")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "lines"


def test_arrows_without_focus(chromium: Browser, pages: Path) -> None:
    """On a page just opened the arrow keys step through the schedule in view."""
    with opened(chromium, pages / "one.html") as shown:
        shown.page.locator(".drawing").scroll_into_view_if_needed()
        shown.page.keyboard.press("ArrowLeft")
        assert _current(shown.page).startswith("Step 5,")
        shown.page.keyboard.press("ArrowRight")
        assert _current(shown.page).startswith("Violation")


def test_pointing_at_a_step(chromium: Browser, pages: Path) -> None:
    """Hovering shows the source of a step, a click goes there."""
    with opened(chromium, pages / "one.html") as shown:
        step = shown.page.locator(".step").nth(1)
        assert shown.page.locator(".line.peek").count() == 0
        step.hover()
        assert shown.page.locator(".line.peek .number").all_inner_texts() == ["9"]
        assert _current(shown.page).startswith("Violation")
        step.click()
        assert _current(shown.page).startswith("Step 2,")


def test_link_opens_its_counterexample(chromium: Browser, pages: Path) -> None:
    """A verdict in the table leads to its counterexample, which may be folded up."""
    path = pages / "several.html"
    many = render_page((CHECKED[0], MANY_CLAIMS, CHECKED[1], *CHECKED), SOURCES)
    (pages / "many.html").write_text(many, encoding="utf-8")
    with opened(chromium, pages / "many.html") as shown:
        assert shown.page.locator(".case[open]").count() == 0
        shown.page.locator("a.pill").nth(1).click()
        shown.page.locator(".case[open]").wait_for()
        assert shown.page.locator(".case[open]").count() == 1
        assert _current(shown.page).startswith("Violation")
    with opened(chromium, path, fragment="#v0-coverage") as shown:
        assert shown.page.locator("#v0-coverage[open]").count() == 1


def test_cost_leads_to_its_schedule(chromium: Browser, pages: Path) -> None:
    """A number in the table of costs opens the schedule that attains it, which is no violation."""
    with opened(chromium, pages / "costs.html") as shown:
        page = shown.page
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = false")
        page.locator('a[href="#c0-2-1"]').click()
        page.locator("#c0-2-1[open]").wait_for()
        assert _current(page) == f"End: {SECTION_TRACE.headline}"
        assert "VIOLATION" not in page.locator("#c0-2-1").inner_text()
        _slider(page).press("ArrowLeft")
        assert _current(page).startswith("Step 3, ")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_drawing_alone(chromium: Browser, tmp_path: Path, scheme: Scheme) -> None:
    """The drawing of costs needs nothing else, and its colours follow the scheme."""
    path = tmp_path / "costs.svg"
    path.write_text(render_drawing(COMPARED), encoding="utf-8")
    with opened(chromium, path, scheme) as shown:
        assert shown.complaints == []
        assert shown.requests == [path.as_uri()]
        ink = "getComputedStyle(document.querySelector('text')).fill"
        dark = shown.page.evaluate(ink) == "rgb(231, 234, 238)"
        assert dark == (scheme == "dark")


@pytest.mark.sample("one")
@pytest.mark.parametrize("name", ["one", "several", "costs"])
def test_narrow_screen(chromium: Browser, pages: Path, name: str) -> None:
    """On a telephone the page itself does not scroll sideways; what is wide does so by itself."""
    with opened(chromium, pages / f"{name}.html", width=400) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_print(chromium: Browser, pages: Path) -> None:
    """On paper every counterexample is unfolded, in light colours, and none is cut off."""
    with opened(chromium, pages / "several.html", "dark") as shown:
        page = shown.page
        shut = page.locator("details:not([open])").count()
        assert shut > 0
        page.emulate_media(media="print", color_scheme="light")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        assert not page.locator(".stepper").first.is_visible()
        for picture in page.locator("svg.lanes").all():
            inside = picture.evaluate("e => e.getBoundingClientRect().right <= innerWidth + 1")
            assert inside
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("details:not([open])").count() == shut
        assert page.pdf(format="A4").startswith(b"%PDF")


def test_hostile_source(chromium: Browser, tmp_path: Path) -> None:
    """Code that would end the script, or run, is shown as it stands."""
    hostile = '</script><script>alert(1)</script><img src="http://x.invalid/" onerror="alert(2)">'
    code = CODE.replace("check_ept_pointer_match(kvm);", hostile)
    trace = replace(COVERAGE_TRACE, headline=hostile)
    made = report(result(Verdict.REFUTED, "coverage", trace=trace))
    path = tmp_path / "hostile.html"
    path.write_text(render_page((made,), {FILE: Source(FILE, code)}), encoding="utf-8")
    with opened(chromium, path) as shown:
        assert hostile in shown.page.locator(".lines").inner_text()
        assert shown.page.locator(".headline").inner_text() == hostile
        assert shown.complaints == []
        assert shown.requests == [path.as_uri()]

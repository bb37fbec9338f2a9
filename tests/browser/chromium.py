"""A headless Chromium for tests, and what it can be asked about a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Scheme = Literal["light", "dark"]

CONTRASTS = (Path(__file__).parent / "contrasts.js").read_text(encoding="utf-8")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the Chromium of this system; skip the tests where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((p for p in map(shutil.which, NAMES) if p is not None), None)
    if path is None:
        pytest.skip("no Chromium on this system")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield started
        finally:
            started.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that is shown, and what it said or asked for since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(
    browser: Browser,
    path: Path,
    scheme: Scheme = "light",
    width: int = 1280,
    fragment: str = "",
) -> Iterator[Opened]:
    """Open a file from the disk, without any network."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True
    )
    try:
        shown = Opened(context.new_page())
        shown.page.on("console", lambda m: shown.complaints.append(f"{m.type}: {m.text}"))
        shown.page.on("pageerror", lambda e: shown.complaints.append(str(e)))
        shown.page.on("dialog", lambda d: shown.complaints.append(f"dialog: {d.message}"))
        shown.page.on("request", lambda r: shown.requests.append(r.url))
        shown.page.goto(path.as_uri() + fragment)
        yield shown
    finally:
        context.close()


def low_contrasts(page: Page) -> list[str]:
    """Return the visible texts whose contrast is below what WCAG 2.1 AA asks for.

    Long lines of code may have their middle out of sight; nearly all texts must be seen.
    """
    found: list[dict[str, object]] = page.evaluate(CONTRASTS)
    measured = [x for x in found if x["passes"] is not None]
    assert len(measured) > max(20, 0.9 * len(found))
    return [f"{x['text']}: {x['ratio']:.2f}" for x in measured if not x["passes"]]

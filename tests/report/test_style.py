"""Colour: when it is wanted, and that it changes nothing but colour."""

from __future__ import annotations

import re

import pytest

from flushproof.report import diagnostics, summary, text
from flushproof.report.style import paint_text, style_text, wants_colour
from support.report_samples import CHECKED, DIAGNOSTIC, MIXED, SOURCES

TEXTS = (
    text.render(MIXED, SOURCES),
    summary.render(CHECKED, SOURCES),
    diagnostics.render((DIAGNOSTIC,), SOURCES),
    text.render(MIXED, SOURCES, 200),
)


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_wants_colour(choice: str, environ: dict[str, str], terminal: bool, wanted: bool) -> None:
    """Escape sequences in a log, or none on a terminal, would be somebody's annoyance."""
    assert wants_colour(choice, environ, terminal=terminal) is wanted


@pytest.mark.parametrize("plain", TEXTS)
def test_paint_changes_no_letter(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrapping or markup by the colours would break the columns."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    painted = paint_text(plain)
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


@pytest.mark.parametrize(
    ("word", "which"), [("VIOLATION", 0), ("refuted", 0), ("N=3", 1), ("error:", 2), ("^^^", 2)]
)
def test_styled_words(word: str, which: int) -> None:
    """The words a reader looks for stand out."""
    made = style_text(TEXTS[which])
    assert any(word in made.plain[s.start : s.end] for s in made.spans)

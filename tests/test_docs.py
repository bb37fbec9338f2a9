"""The pages and the picture under docs/ are what their scripts make of the program today."""

from __future__ import annotations

import re

import pytest

from support.places import TOP
from support.scripts import load_script

DOCS = TOP / "docs"


GRAMMAR = load_script(DOCS / "grammar.py")
SCREENSHOT = load_script(DOCS / "screenshot.py")


def test_the_grammar_page_is_up_to_date() -> None:
    """If this fails, run `python docs/grammar.py`."""
    assert (DOCS / "grammar.md").read_text(encoding="utf-8") == GRAMMAR.rendered()


@pytest.mark.parametrize("name", ["spec", "c", "tokens"])
def test_the_grammar_page_has_every_line(name: str) -> None:
    """If this fails, the page hides a part of a language that the parser accepts."""
    text = (TOP / "grammars" / f"{name}.lark").read_text(encoding="utf-8")
    lines = [x for x in text.splitlines() if x and not x.startswith(("//", "%"))]
    page = set((DOCS / "grammar.md").read_text(encoding="utf-8").splitlines())
    assert lines
    assert [x for x in lines if x not in page] == []


def test_every_part_of_the_spec_is_explained() -> None:
    """If this fails, a grammar is added that no page shows."""
    assert {name for name, _ in GRAMMAR.FILES} == {p.name for p in (TOP / "grammars").glob("*")}


@pytest.mark.slow
def test_the_picture_shows_what_the_tool_prints() -> None:
    """If this fails, run `python docs/screenshot.py`."""
    svg = SCREENSHOT.PICTURE.read_text(encoding="utf-8")
    printed = re.sub(r"\x1b\[[0-9;]*m", "", SCREENSHOT.printed())
    lines = [f"$ {SCREENSHOT.title()}", *(x.rstrip() for x in printed.splitlines() if x.strip())]
    assert SCREENSHOT.shown(svg).splitlines() == lines


def test_the_picture_loads_nothing() -> None:
    """If this fails, a reader's browser asks some other server, or loads for long."""
    svg = SCREENSHOT.PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in svg.replace("url(#", "")
    assert len(svg) < 40_000


def test_the_tutorial_shows_its_files() -> None:
    """If this fails, the page speaks of other code than the commands are given."""
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    files = [p.read_text(encoding="utf-8") for p in (DOCS / "tutorial").iterdir() if p.is_file()]
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    blocks = [text for language, text in fenced if language != "console"]
    assert len(blocks) == 5
    assert [b for b in blocks if not any(b in text for text in files)] == []


def test_every_command_of_the_tutorial_is_run() -> None:
    """If this fails, the page shows a command whose output nothing compares."""
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    typed = re.findall(r"^\W*flushproof .*$", page, re.MULTILINE)
    assert len(typed) == page.count("```console\n$ flushproof ")
    assert re.findall(r"`flushproof (?:prove|refute|check|sweep|watch) [^`]*/[^`]*`", page) == []

"""Diagnostics as text: places, carets, tabs, long lines and hostile characters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flushproof.report.diagnostics import list_diagnostic_files, render
from flushproof.report.excerpt import underline_columns
from flushproof.support.diagnostics import Note
from flushproof.support.source import Source, Span
from support.report_samples import DIAGNOSTIC, SOURCES, NoSuchName, span

GOLDEN = Path(__file__).parent / "golden"


def test_golden() -> None:
    """Any change of what a user reads shows up as a difference of the whole message."""
    expected = (GOLDEN / "diagnostic.txt").read_text(encoding="ascii")
    assert render((DIAGNOSTIC, DIAGNOSTIC), SOURCES) == expected


@pytest.mark.parametrize(
    ("line", "start", "end", "code", "carets"),
    [
        ("int ret;", 5, 8, "int ret;", "    ^^^"),
        ("\tint ret;", 6, 9, "int ret;", "    ^^^"),
        ("a\tb", 3, 4, "a       b", "        ^"),
        ("a\x1bb", 3, 4, r"a\x1bb", "     ^"),
        ("a\x1bb", 2, 3, r"a\x1bb", " ^^^^"),
        ("return ret", 11, 11, "return ret", "          ^"),
        ("", 7, 9, "", "^"),
        ("    x", 1, 2, "    x", "^"),
        ("abc", 2, 99, "abc", " ^^"),
    ],
)
def test_underline(line: str, start: int, end: int, code: str, carets: str) -> None:
    """Carets under the wrong letters point the reader at innocent code."""
    assert underline_columns(line, start, end, 70) == (code, carets)


@pytest.mark.parametrize("start", [1, 30, 100, 170, 200])
def test_long_line_is_cut_around_the_caret(start: int) -> None:
    """The place itself must be seen, however long the line."""
    line = "".join(chr(97 + i % 26) for i in range(200))
    code, carets = underline_columns(line, start, start + 3, 40)
    assert len(code) <= 40
    assert len(carets) <= 40
    assert code[carets.index("^")] == line[start - 1]


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.text(), st.integers(1, 300), st.integers(0, 300), st.integers(20, 100))
def test_underline_never_overflows(line: str, start: int, length: int, width: int) -> None:
    """A file with any bytes in it must neither crash the message nor overflow it."""
    for shown in underline_columns(line, start, start + length, width):
        assert len(shown) <= width
        assert shown.isascii()
    assert "^" in underline_columns(line, start, start + length, width)[1]


def test_span_over_several_lines() -> None:
    """Only the first line is shown, underlined to its end."""
    source = Source("a.c", "if (x)\n  y();\n")
    made = NoSuchName(span=Span("a.c", 1, 4, 2, 3), name="x", near="y")
    assert "       ^^^ not declared" in render((made,), {"a.c": source})


def test_without_source_or_place() -> None:
    """A missing file is reported without a line of source rather than by a crash."""
    made = NoSuchName(span=None, name="x", near="y", notes=(Note("here", span(3, 1)),))
    expected = (
        "error: no variable `x`\n  note: enum_status.c:3:1: here\n  help: did you mean `y`?\n"
    )
    assert render((made,), {}) == expected


def test_places() -> None:
    """A file that only a note points into needs an excerpt as well."""
    other = NoSuchName(span=None, name="x", near="y", notes=(Note("n", span(1, 1, file="b.c")),))
    assert list_diagnostic_files((DIAGNOSTIC, other)) == ("b.c", "enum_status.c")


def test_notes_are_cut() -> None:
    """A note repeats what the input says, which may be one line of megabytes."""
    notes = (Note("the patch has `" + "9" * 100_000),)
    assert len(render((NoSuchName(span=None, notes=notes, name="x", near="y"),), {})) < 1000

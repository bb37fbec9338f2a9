"""Tokens are those of the lexer that the grammar describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flushproof.frontend.c.grammar import preprocessing_lexer
from flushproof.frontend.c.tokens import SplitComment, SplitToken, tokenise
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source
from support.places import TOP

FILES = sorted((*(TOP / "specs").glob("*.*"), *(TOP / "tests/kernel/trees").rglob("*.[ch]")))
COMMENTS = ("/*", "*/", "//", "/", "*", "\\\n", "\\ \n", "\n", '"', "'")
PIECES = (*COMMENTS, "a", "1.e", "...", ".", "->", "#", " ", "\t", "@", "\\")
CONTINUATION = re.compile(r"\\[ \t]*\n")
OPEN = ('"', "'", "\\")
"""Stray characters that are refused where they are live; what follows may be cut otherwise."""


def by_lexer(text: str) -> list[tuple[str, str, int | None, int | None, int | None, int | None]]:
    """Return what the lexer itself cuts a text into."""
    raw = preprocessing_lexer().lex(text)
    return [(t.type, str(t), t.line, t.column, t.end_line, t.end_column) for t in raw]


def check(text: str) -> None:
    """Compare both, and with C, which joins lines that go on before it looks for tokens."""
    expected = by_lexer(text)
    if any(kind == "OPEN_COMMENT" for kind, *_ in expected):
        with pytest.raises(InputError):
            tokenise(Source("x.c", text))
        return
    seen = [text for _, text, *_ in expected]
    joined = [text for _, text, *_ in by_lexer(CONTINUATION.sub("", text))]
    if _split(text):
        assert joined != seen
        return
    assert joined == seen or any(t in OPEN for t in seen)
    found = tokenise(Source("x.c", text))
    spans = [
        (t.kind.value, t.text, s.line, s.column, s.end_line, s.end_column)
        for t in found
        for s in (t.span,)
    ]
    assert spans == expected


def _split(text: str) -> bool:
    """Tell whether a text is refused for a token or a comment that is split over two lines."""
    try:
        tokenise(Source("x.c", text))
    except InputError as error:
        return isinstance(error.diagnostics[0], SplitToken | SplitComment)
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_files(path: Path) -> None:
    """A token that is cut otherwise, or stands elsewhere, changes code or what is shown of it."""
    check(path.read_text(encoding="utf-8"))


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_pieces(pieces: list[str]) -> None:
    """The same for whatever begins and ends comments, strings and lines."""
    check("".join(pieces))

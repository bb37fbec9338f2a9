"""Preprocessing tokens: text in, tokens with spans out; comments and blanks are gone."""

from __future__ import annotations

import re
from enum import Enum
from typing import ClassVar

from flushproof.frontend.c.grammar import preprocessing_pattern
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Placed
from flushproof.support.source import Source, Span

NO_NAMES: frozenset[str] = frozenset()


class TokenKind(Enum):
    """What a preprocessing token is; the values are the terminals of `tokens.lark`."""

    NAME = "NAME"
    NUMBER = "NUMBER"
    STRING = "STRING"
    CHAR = "CHAR"
    PUNCT = "PUNCT"
    NEWLINE = "NEWLINE"
    OPEN_COMMENT = "OPEN_COMMENT"
    WIDE = "WIDE"
    STRAY = "STRAY"


class Token(Placed, frozen=True):
    """One token; `hidden` names the macros whose expansion it came from."""

    kind: TokenKind
    text: str
    span: Span
    hidden: frozenset[str] = NO_NAMES

    def is_punct(self, text: str) -> bool:
        """Tell whether this is the punctuation `text`."""
        return self.kind is TokenKind.PUNCT and self.text == text

    def touches(self, following: Token) -> bool:
        """Tell whether `following` begins where this token ends."""
        end = (self.span.end_line, self.span.end_column)
        return end == (following.span.line, following.span.column)


class OpenComment(Diagnostic, frozen=True, kw_only=True):
    """A comment runs to the end of the file."""

    CODE: ClassVar[str] = "FP0301"
    TITLE: ClassVar[str] = "this comment is never closed"
    HELP: ClassVar[str] = "close it with `*/`"


class StrayCharacter(Diagnostic, frozen=True, kw_only=True):
    """A character that begins no token stands in live text."""

    CODE: ClassVar[str] = "FP0302"
    TITLE: ClassVar[str] = "unexpected character {character}"
    character: str


class WideQuote(Diagnostic, frozen=True, kw_only=True):
    """A string or character constant of wide characters."""

    CODE: ClassVar[str] = "FP0315"
    TITLE: ClassVar[str] = "outside the subset: wide characters"


class SplitToken(Diagnostic, frozen=True, kw_only=True):
    """A line ends with a backslash within a token."""

    CODE: ClassVar[str] = "FP0316"
    TITLE: ClassVar[str] = "`{left}` and `{right}` are one token over two lines"
    LABEL: ClassVar[str] = "goes on in the next line"
    left: str
    right: str


class SplitComment(Diagnostic, frozen=True, kw_only=True):
    """A line ends with a backslash within what opens or closes a comment."""

    CODE: ClassVar[str] = "FP0317"
    TITLE: ClassVar[str] = "`//`, `/*` or `*/` over two lines"
    LABEL: ClassVar[str] = "here C sees the comment otherwise"


class OpenQuote(Diagnostic, frozen=True, kw_only=True):
    """A string or character constant is not closed on its line."""

    CODE: ClassVar[str] = "FP0303"
    TITLE: ClassVar[str] = "this quotation is not closed on its line"
    LABEL: ClassVar[str] = "opened here"


_CONTINUATION = re.compile(r"\\[ \t\f\v]*\n")
_KINDS = {kind.value: kind for kind in TokenKind}


def tokenise(source: Source) -> tuple[Token, ...]:
    """Cut the text into tokens, line ends included; stray characters are tokens of their own."""
    name, text = source.name, source.text
    tokens: list[Token] = []
    # `line` begins at `start`; `seen` is where the last token ended.
    line, start, seen = 1, 0, 0
    for found in preprocessing_pattern().finditer(text):
        group = found.lastgroup
        first, end = found.span(group) if group else (found.end(), found.end())
        if first > seen and (skipped := text.count("\n", seen, first)):
            line += skipped
            start = text.rindex("\n", seen, first) + 1
            if "\\" in text[seen:first]:
                _refuse_split(source, tokens[-1:], (seen, first, end))
        if group is None:
            continue
        kind = _KINDS[group]
        seen = end
        if kind is TokenKind.NEWLINE:
            tokens.append(Token(kind, "\n", Span(name, line, first - start + 1, line + 1, 1)))
            line, start = line + 1, end
            continue
        span = Span(name, line, first - start + 1, line, end - start + 1)
        if kind is TokenKind.OPEN_COMMENT:
            raise InputError(OpenComment(span=span))
        tokens.append(Token(kind, found[group], span))
    return tuple(tokens)


def _refuse_split(source: Source, before: list[Token], cut: tuple[int, int, int]) -> None:
    """Refuse lines that go on between two tokens if C, which joins them first, sees other tokens.

    The second token, or the end of the text, is from `cut[1]` to `cut[2]`; the one before it, if
    there is one, ends at `cut[0]`.
    """
    seen, first, end = cut
    joined, right = _CONTINUATION.sub("", source.text[seen:first]), source.text[first:end]
    if joined.isspace():
        return
    left = before[0].text if before else ""
    matches = preprocessing_pattern().finditer(left + joined + right)
    if [m[m.lastgroup] for m in matches if m.lastgroup] == [t for t in (left, right) if t]:
        return
    if joined:
        raise InputError(SplitComment(span=_place(source, source.text.index("\\", seen))))
    raise InputError(SplitToken(span=before[0].span, left=left, right=right))


def _place(source: Source, offset: int) -> Span:
    """Return where the character at `offset` stands."""
    line = source.text.count("\n", 0, offset) + 1
    column = offset - source.text.rfind("\n", 0, offset)
    return Span(source.name, line, column, line, column + 1)


def refuse_stray(token: Token) -> None:
    """Raise the diagnostic for a stray character or wide characters in live text."""
    if token.kind is TokenKind.WIDE:
        raise InputError(WideQuote(span=token.span))
    if token.kind is not TokenKind.STRAY:
        return
    if token.text in "\"'":
        raise InputError(OpenQuote(span=token.span))
    shown = f"`{token.text}`" if token.text.isprintable() else f"U+{ord(token.text):04X}"
    raise InputError(StrayCharacter(span=token.span, character=shown))

"""Assembly replaced by what it may do to variables; one that may jump stays, and is refused.

`asm volatile (text : outputs : inputs : clobbers)` gives any value to each of its outputs.
"""

from __future__ import annotations

from flushproof.frontend.tokens import Kind, Token

ANY = "__any_value"
_ASM = frozenset({"asm", "__asm__", "__asm", "asm_inline"})
_ASM_WORDS = frozenset({"volatile", "__volatile__", "inline", "__inline__"})


def without_assembly(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return a function's tokens without assembly."""
    kept: list[Token] = []
    index = 0
    while index < len(tokens):
        found = _assembly(tokens, index)
        if found is None:
            kept.append(tokens[index])
            index += 1
        else:
            opening, index = found[0], found[1] + 1
            kept += _given(tokens[opening + 1 : found[1]])
    return tuple(kept)


def closing(tokens: tuple[Token, ...], index: int) -> int | None:
    """Return the index of the parenthesis that closes the one at `index`; None if none is there."""
    depth = 0
    for at in range(index, len(tokens)):
        depth += tokens[at].is_punct("(") - tokens[at].is_punct(")")
        if depth <= 0:
            return at if at > index else None
    return None


def word(text: str, at: Token) -> Token:
    """Return a token that stands where another one does."""
    return Token(Kind.NAME if text[0].isalpha() or text[0] == "_" else Kind.PUNCT, text, at.span)


def _assembly(tokens: tuple[Token, ...], index: int) -> tuple[int, int] | None:
    """Return where the parentheses of assembly that begins at `index` are."""
    if tokens[index].text not in _ASM:
        return None
    at = index + 1
    while at < len(tokens) and tokens[at].text in _ASM_WORDS:
        at += 1
    end = closing(tokens, at)
    return None if end is None else (at, end)


def _given(inside: tuple[Token, ...]) -> list[Token]:
    """Return assignments to the outputs, as one expression."""
    kept: list[Token] = []
    section = index = 0
    while index < len(inside) and section < 2:
        end = closing(inside, index) if inside[index].is_punct("(") else None
        section += inside[index].is_punct(":")
        if end is not None and section == 1:
            at = inside[index]
            kept += [word(",", at)] if kept else []
            kept += inside[index + 1 : end]
            kept += [word(w, at) for w in ("=", ANY, "(", ")")]
        index = index + 1 if end is None else end + 1
    return kept

"""Assembly replaced by what it may do to variables; one that may jump stays, and is refused.

`asm volatile (text : outputs : inputs : clobbers)` gives any value to each of its outputs. One that
says that it changes memory is a call of a function that is not known, with its inputs.
"""

from __future__ import annotations

from flushproof.frontend.c.tokens import Token, TokenKind

ANY = "__any_value"
ASSEMBLY = "assembly"
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


def closing_parenthesis(tokens: tuple[Token, ...], index: int) -> int | None:
    """Return the index of the parenthesis that closes the one at `index`; None if none is there."""
    depth = 0
    for at in range(index, len(tokens)):
        depth += tokens[at].is_punct("(") - tokens[at].is_punct(")")
        if depth <= 0:
            return at if at > index else None
    return None


def word_token(text: str, at: Token) -> Token:
    """Return a token that stands where another one does."""
    return Token(
        TokenKind.NAME if text[0].isalpha() or text[0] == "_" else TokenKind.PUNCT, text, at.span
    )


def _assembly(tokens: tuple[Token, ...], index: int) -> tuple[int, int] | None:
    """Return where the parentheses of assembly that begins at `index` are."""
    if tokens[index].text not in _ASM:
        return None
    at = index + 1
    while at < len(tokens) and tokens[at].text in _ASM_WORDS:
        at += 1
    end = closing_parenthesis(tokens, at)
    return None if end is None else (at, end)


def _given(inside: tuple[Token, ...]) -> list[Token]:
    """Return a call with the inputs if memory changes, and assignments to the outputs."""
    outputs, inputs, clobbers = _operands(inside)
    kept: list[Token] = []
    if inputs and any(t.text == '"memory"' for t in clobbers):
        at = inputs[0][0]
        kept += [word_token(ASSEMBLY, at), word_token("(", at)]
        for number, operand in enumerate(inputs):
            kept += [word_token(",", at)] if number else []
            kept += operand[1:-1]
        kept.append(word_token(")", at))
    for operand in outputs:
        at = operand[0]
        kept += [word_token(",", at)] if kept else []
        kept += operand[1:-1]
        kept += [word_token(w, at) for w in ("=", ANY, "(", ")")]
    return kept


_Operands = list[tuple[Token, ...]]


def _operands(inside: tuple[Token, ...]) -> tuple[_Operands, _Operands, tuple[Token, ...]]:
    """Return the outputs and inputs, each with its parentheses, and what is clobbered."""
    found: tuple[_Operands, _Operands] = [], []
    section = index = 0
    while index < len(inside) and section < 3:
        end = closing_parenthesis(inside, index) if inside[index].is_punct("(") else None
        section += inside[index].is_punct(":")
        if end is not None and section in {1, 2}:
            found[section - 1].append(inside[index : end + 1])
        index = index + 1 if end is None else end + 1
    return *found, inside[index:]

"""From preprocessed tokens to the parser's: attributes gone, typedefs found, terminals named.

The tokens that go in hold no line ends. Every token that comes out has a terminal of the grammar; a
word that no part of the subset knows raises `OutsideSubset`.
"""

from __future__ import annotations

from collections.abc import Iterator

import lark

from flushproof.frontend.c.attributes import is_attribute_word, past_attribute, past_parentheses
from flushproof.frontend.c.constants import OutsideSubset
from flushproof.frontend.c.grammar import grammar_vocabulary
from flushproof.frontend.c.macro_shadowing import defines_function
from flushproof.frontend.c.tokens import Token, TokenKind, refuse_stray
from flushproof.support.diagnostics import InputError

# Destructors that only give memory back; what others do at the end of a block is not followed.
_DESTRUCTORS = frozenset({"kfree", "kvfree", "kfree_sensitive", "free_page", "bitmap"})
OUTSIDE = {
    "asm": "inline assembly",
    "__asm__": "inline assembly",
    "__asm": "inline assembly",
    "asm_inline": "inline assembly",
    "typeof": "`typeof`",
    "__typeof__": "`typeof`",
    "__typeof": "`typeof`",
    "__auto_type": "`__auto_type`",
    "_Generic": "`_Generic`",
    "_Atomic": "`_Atomic`",
    "_Complex": "complex numbers",
    "__int128": "128-bit integers",
    "__label__": "local labels",
    "_Static_assert": "`_Static_assert`",
    "_Thread_local": "a variable of each thread",
    "__thread": "a variable of each thread",
    "_Alignof": "`_Alignof`",
    "__alignof__": "`__alignof__`",
    "_Pragma": "`_Pragma`",
    "union": "unions",
    "float": "floating point",
    "double": "floating point",
    "__builtin_va_arg": "variable arguments",
}
ANY_VALUE = "any"
"""Behind `=` a spec file has it as a value, elsewhere as a word of its grammar."""

ATOMIC = "atomic"
"""In front of a block it makes the block one step, elsewhere it is a name like others."""

_KEEPS_NAME = frozenset({"->", ".", "struct", "enum", "goto"})


def significant_tokens(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Pass over attributes; raise `InputError` at words and characters outside the subset."""
    return tuple(_significant(tokens))


def _significant(tokens: tuple[Token, ...]) -> Iterator[Token]:
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if is_attribute_word(token.text):
            index = past_attribute(tokens, index - 1)
            continue
        if token.text == "__free" and index + 2 < len(tokens) and tokens[index].is_punct("("):
            destructor = tokens[index + 1].text
            if destructor not in _DESTRUCTORS or defines_function(tokens, destructor):
                raise InputError(OutsideSubset(span=token.span, construct="a destructor"))
            index = past_parentheses(tokens, index)
            continue
        if token.text in OUTSIDE:
            raise InputError(OutsideSubset(span=token.span, construct=OUTSIDE[token.text]))
        refuse_stray(token)
        yield token


def declared_typedefs(tokens: tuple[Token, ...]) -> frozenset[int]:
    """Return the indices of the names that `typedef` declarations introduce."""
    starts = (i for i, token in enumerate(tokens) if token.text == "typedef")
    found = (_declared_name(tokens, start + 1) for start in starts)
    return frozenset(index for index in found if index is not None)


def _declared_name(tokens: tuple[Token, ...], index: int) -> int | None:
    depth = 0
    name = None
    for position in range(index, len(tokens)):
        token = tokens[position]
        if depth == 0 and token.is_punct(";"):
            return name
        if token.kind is TokenKind.NAME and depth == 0:
            name = position
        if token.is_punct("*") and depth == 1 and tokens[position - 1].is_punct("("):
            return position + 1 if tokens[position + 1 : position + 2] else None
        depth += (token.text in {"(", "{", "["}) - (token.text in {")", "}", "]"})
    return None


def name_terminals(
    tokens: tuple[Token, ...], typedefs: frozenset[str], *, spec: bool = False
) -> Iterator[lark.Token]:
    """Yield the parser's tokens; `start_pos` and `end_pos` hold the index of the token."""
    words = grammar_vocabulary(spec=spec)
    declared = declared_typedefs(tokens)
    known: dict[str, str] = {}
    previous = ""
    for index, token in enumerate(tokens):
        text = token.text
        terminal = known.get(text) or known.setdefault(text, words.terminal(text))
        if terminal == "NAME" and text in typedefs:
            kept = previous in _KEEPS_NAME or index in declared
            terminal = "NAME" if kept else "TYPE_NAME"
        if spec and text == ANY_VALUE and previous == "=":
            terminal = "NAME"
        if text == ATOMIC and not _begins_block(tokens, index, previous):
            terminal = "NAME"
        yield _parser_token(terminal or token.kind.value, index, token)
        previous = text


def _begins_block(tokens: tuple[Token, ...], index: int, previous: str) -> bool:
    following = tokens[index + 1 : index + 2]
    return bool(following) and following[0].is_punct("{") and previous not in _KEEPS_NAME


def _parser_token(terminal: str, index: int, token: Token) -> lark.Token:
    span = token.span
    return lark.Token(
        terminal, token.text, index, span.line, span.column, span.end_line, span.end_column, index
    )

"""Function-like macros of the prelude that a file does not get: it defines such a function itself.

In C the definition would be taken for a use of the macro. So what a file calls `min` is what it
says, and the `min` of a file that says nothing is the kernel's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from flushproof.frontend.c.macros import Macro
from flushproof.frontend.c.tokens import Token, TokenKind

_NO_TYPES: Final = frozenset({"define", "return", "else", "do"})


def drop_shadowed_macros(tokens: Sequence[Token], table: Mapping[str, Macro]) -> dict[str, Macro]:
    """Return the macros without those that have the name of a function that tokens define."""
    own = shadowed_names(tokens, table)
    return {name: macro for name, macro in table.items() if name not in own}


def shadowed_names(tokens: Sequence[Token], table: Mapping[str, Macro]) -> frozenset[str]:
    """Return the names of function-like macros that tokens define as functions."""
    names = {name for name, macro in table.items() if macro.parameters is not None}
    if names.isdisjoint(t.text for t in tokens):
        return frozenset()
    plain = [t for t in tokens if t.kind is not TokenKind.NEWLINE]
    return frozenset(t.text for at, t in enumerate(plain) if t.text in names and _head(plain, at))


def defines_function(tokens: Sequence[Token], name: str) -> bool:
    """Tell whether tokens define a function of that name."""
    return any(t.text == name and _head(tokens, at) for at, t in enumerate(tokens))


def _head(tokens: Sequence[Token], at: int) -> bool:
    """Tell whether a type is before a name, and parameters and a body are behind it."""
    before = tokens[at - 1] if at else None
    if before is None or before.text in _NO_TYPES:
        return False
    typed = before.kind is TokenKind.NAME or before.is_punct("*")
    end = _closed(tokens, at + 1)
    return typed and end < len(tokens) and tokens[end].is_punct("{")


def _closed(tokens: Sequence[Token], at: int) -> int:
    """Return where the parentheses that open at `at` are closed behind; `at` if none open."""
    depth = 0
    for here in range(at, len(tokens)):
        depth += tokens[here].is_punct("(") - tokens[here].is_punct(")")
        if depth == 0:
            return here + 1 if here > at else at
    return len(tokens)

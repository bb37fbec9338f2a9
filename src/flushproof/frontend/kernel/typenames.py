"""Words of C that can only be names of types, whether or not any file at hand declares them.

An expression never ends in `*`, nor follows another one without an operator: so `(x *)` is a cast,
and so is `(x) y` where no call or statement head is before it. `x y;` and `x *y;` at the
beginning of a statement, or in a list of parameters, are declarations.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.c.grammar import grammar_vocabulary
from flushproof.frontend.c.tokens import Token, TokenKind

_STARTS = frozenset("{};")
_ENDS_DECLARATOR = frozenset(";=,[")
_OPERANDS = frozenset({TokenKind.NUMBER, TokenKind.STRING, TokenKind.CHAR})


def names_of_types(tokens: tuple[Token, ...]) -> frozenset[str]:
    """Return the names in a function, or another item, that must be names of types."""
    return frozenset({*_cast(tokens), *_declared(tokens)})


def is_plain_name(token: Token) -> bool:
    """Tell whether a token is a name that is no word of the grammar."""
    return (
        token.kind is TokenKind.NAME
        and grammar_vocabulary(spec=False).terminal(token.text) == "NAME"
    )


def _cast(tokens: tuple[Token, ...]) -> Iterator[str]:
    for at in range(1, len(tokens) - 2):
        if not (tokens[at - 1].is_punct("(") and is_plain_name(tokens[at])):
            continue
        end = _past_stars(tokens, at + 1)
        if end >= len(tokens) or not tokens[end].is_punct(")"):
            continue
        pointer = end > at + 1
        if pointer or (_operand(tokens, end + 1) and not _called(tokens, at - 2)):
            yield tokens[at].text


def _past_stars(tokens: tuple[Token, ...], at: int) -> int:
    while at < len(tokens) and tokens[at].is_punct("*"):
        at += 1
    return at


def _operand(tokens: tuple[Token, ...], at: int) -> bool:
    """Tell whether an operand begins at `at` that cannot go on an expression before it."""
    if at >= len(tokens):
        return False
    return tokens[at].kind in _OPERANDS or is_plain_name(tokens[at])


def _called(tokens: tuple[Token, ...], before: int) -> bool:
    """Tell whether the parenthesis behind a token can be a call's, or the head of a statement."""
    if before < 0:
        return True
    token = tokens[before]
    return token.text != "return" and (
        token.kind is TokenKind.NAME or token.text in {")", "]", "}"}
    )


def _declared(tokens: tuple[Token, ...]) -> Iterator[str]:
    parameters = depth = 0
    body = False
    for at, token in enumerate(tokens[:-2]):
        body = body or token.is_punct("{")
        depth += token.is_punct("(") - token.is_punct(")")
        parameters = depth == 1 and not body
        if not is_plain_name(token):
            continue
        before = tokens[at - 1].text if at else ";"
        starts = before in _STARTS or (parameters and before in {"(", ","}) or before == "const"
        name = _past_stars(tokens, at + 1)
        if starts and name + 1 < len(tokens) and is_plain_name(tokens[name]):
            after = tokens[name + 1].text
            if after in _ENDS_DECLARATOR or (parameters and after == ")"):
                yield token.text

"""From preprocessed tokens to the parser's: attributes dropped, typedefs found, terminals named.

The tokens that go in hold no line ends. Every token that comes out has a terminal of the grammar; a
word that no part of the subset knows raises `Outside`.
"""

from __future__ import annotations

from collections.abc import Iterator

import lark

from flushproof.diagnostics import InputError
from flushproof.frontend.constants import Outside
from flushproof.frontend.grammar import vocabulary
from flushproof.frontend.tokens import Kind, Token, refuse_stray

# Words of the kernel and the compiler that change nothing the subset can express.
SKIPPED = frozenset(
    [
        "__maybe_unused",
        "__always_unused",
        "__used",
        "__init",
        "__exit",
        "__initdata",
        "__ro_after_init",
        "__read_mostly",
        "__always_inline",
        "noinline",
        "notrace",
        "noinstr",
        "asmlinkage",
        "__must_check",
        "__user",
        "__iomem",
        "__rcu",
        "__percpu",
        "__kernel",
        "__force",
        "__packed",
        "__cold",
        "__hot",
        "__pure",
        "__attribute_const__",
        "__noreturn",
        "__weak",
        "__visible",
        "__extension__",
        "__bitwise",
        "__init_or_module",
        "__refdata",
        "__cacheline_aligned",
        "__randomize_layout",
        "__ref",
        "__noclone",
        "__flatten",
        "__deprecated",
    ]
)
SKIPPED_WITH_ARGUMENTS = frozenset(
    [
        "__attribute__",
        "__attribute",
        "__aligned",
        "__printf",
        "__scanf",
        "__section",
        "__alias",
        "__alloc_size",
        "__nonstring",
        "__counted_by",
        "__assume_aligned",
    ]
)
# Destructors that only give memory back; what others do at the end of a block is not followed.
_DESTRUCTORS = frozenset({"kfree", "kvfree", "kfree_sensitive", "free_page", "bitmap"})
OUTSIDE = {
    "__cleanup": "a destructor",
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
    "union": "unions",
    "float": "floating point",
    "double": "floating point",
    "__builtin_va_arg": "variable arguments",
}
_KEEPS_NAME = frozenset({"->", ".", "struct", "enum", "goto"})


def significant(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Drop attributes; raise `InputError` at words and characters outside the subset."""
    return tuple(_significant(tokens))


def _significant(tokens: tuple[Token, ...]) -> Iterator[Token]:
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token.text in SKIPPED:
            continue
        if token.text in SKIPPED_WITH_ARGUMENTS:
            index = _past_parentheses(tokens, index)
            continue
        if token.text == "__free" and index + 2 < len(tokens) and tokens[index].is_punct("("):
            if tokens[index + 1].text not in _DESTRUCTORS:
                raise InputError(Outside(span=token.span, construct="a destructor"))
            index = _past_parentheses(tokens, index)
            continue
        if token.text in OUTSIDE:
            raise InputError(Outside(span=token.span, construct=OUTSIDE[token.text]))
        if token.kind is Kind.STRAY:
            refuse_stray(token)
        yield token


def _past_parentheses(tokens: tuple[Token, ...], index: int) -> int:
    """Return the index behind the balanced parentheses that begin at `index`, if any do."""
    depth = 0
    for position in range(index, len(tokens)):
        depth += tokens[position].is_punct("(") - tokens[position].is_punct(")")
        if depth == 0:
            return position + 1 if position > index else index
    return index


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
        if token.kind is Kind.NAME and depth == 0:
            name = position
        if token.is_punct("*") and depth == 1 and tokens[position - 1].is_punct("("):
            return position + 1 if tokens[position + 1 : position + 2] else None
        depth += (token.text in {"(", "{", "["}) - (token.text in {")", "}", "]"})
    return None


def named(
    tokens: tuple[Token, ...], typedefs: frozenset[str], *, spec: bool = False
) -> Iterator[lark.Token]:
    """Yield the parser's tokens; `start_pos` and `end_pos` hold the index of the token."""
    words = vocabulary(spec=spec)
    declared = declared_typedefs(tokens)
    known: dict[str, str] = {}
    previous = ""
    for index, token in enumerate(tokens):
        text = token.text
        terminal = known.get(text) or known.setdefault(text, words.terminal(text))
        if terminal == "NAME" and text in typedefs:
            kept = previous in _KEEPS_NAME or index in declared
            terminal = "NAME" if kept else "TYPE_NAME"
        yield _parser_token(terminal or token.kind.value, index, token)
        previous = text


def _parser_token(terminal: str, index: int, token: Token) -> lark.Token:
    span = token.span
    return lark.Token(
        terminal, token.text, index, span.line, span.column, span.end_line, span.end_column, index
    )

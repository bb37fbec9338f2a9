"""Cutting live tokens into the items of a file, by brackets and a few words, without parsing.

What no item is made of (assembly, uses of macros without a semicolon) becomes an item without a
name, or is left off the front of the item that follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import pairwise

from flushproof.frontend.c.attributes import WORDS, takes_arguments
from flushproof.frontend.c.parse_errors import check_brackets
from flushproof.frontend.c.terminals import declared_typedefs
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.support.record import Record

_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_TAGS = frozenset({"struct", "enum", "union"})


class Sort(Enum):
    """What an item declares."""

    FUNCTION = "function"
    PROTOTYPE = "prototype"
    STRUCT = "struct"
    ENUM = "enum"
    TYPEDEF = "typedef"
    GLOBAL = "global"
    OTHER = "other"


class Item(Record, frozen=True):
    """The tokens from `start` up to `end`; an enum without a name goes by its enumerators.

    `others` are the enumerators of an enum, and what a declaration declares behind `name`.
    """

    sort: Sort
    name: str
    start: int
    end: int
    static: bool = False
    others: tuple[str, ...] = ()


def split_items(tokens: tuple[Token, ...]) -> tuple[Item, ...]:
    """Return the items of a file in order.

    Raises:
        InputError: brackets are not balanced.
    """
    check_brackets(tokens)
    return tuple(_item(tokens, start, end) for start, end in _stretches(tokens))


def _stretches(tokens: tuple[Token, ...]) -> Iterator[tuple[int, int]]:
    """Yield the ends of each item: past a `;`, or past the brace that closes a function."""
    start = depth = 0
    body = False
    for index, token in enumerate(tokens):
        if token.kind is not TokenKind.PUNCT:
            continue
        text = token.text
        if text in _OPEN:
            if text == "{" and depth == 0:
                body = bool(_function_name(tokens, start, index))
            depth += 1
        elif text in _CLOSE:
            depth -= 1
            if depth == 0 and body and text == "}":
                yield start, index + 1
                start, body = index + 1, False
        elif text == ";" and depth == 0:
            yield start, index + 1
            start = index + 1


def _top(tokens: tuple[Token, ...], start: int, end: int) -> list[int]:
    """Return the indices of the tokens outside brackets, opening brackets included."""
    depth, found = 0, []
    for index in range(start, end):
        text = tokens[index].text
        closes = tokens[index].kind is TokenKind.PUNCT and text in _CLOSE
        depth -= closes
        if depth == 0 and not closes:
            found.append(index)
        depth += tokens[index].kind is TokenKind.PUNCT and text in _OPEN
    return found


def _function_name(tokens: tuple[Token, ...], start: int, end: int) -> int | None:
    """Return the index of the function's name in what stands before a body or a semicolon."""
    top = _top(tokens, start, end)
    texts = {tokens[i].text for i in top}
    if "=" in texts or "typedef" in texts or "{" in texts:
        return None
    named = [
        i
        for i, after in pairwise(top)
        if tokens[after].is_punct("(")
        and tokens[i].kind is TokenKind.NAME
        and _can_name(tokens[i].text)
    ]
    # A macro without a semicolon may stand before, annotations such as __acquires() behind.
    plain = [i for i in named if not tokens[i].text.startswith("__acq")]
    plain = [i for i in plain if not tokens[i].text.startswith(("__rel", "__must_hold"))]
    return plain[-1] if plain and plain[-1] > start else None


def _can_name(text: str) -> bool:
    return not takes_arguments(text) and text not in {"asm", "__asm__", "typeof"}


def _begin(tokens: tuple[Token, ...], start: int, name: int) -> int:
    """Return where the declaration of `name` begins, behind uses of macros before it."""
    top = _top(tokens, start, name)
    for before, after in zip(reversed(top[:-1]), reversed(top[1:]), strict=False):
        closed = after > before + 1 and tokens[before].is_punct("(")
        attribute = before > start and takes_arguments(tokens[before - 1].text)
        if closed and not attribute:
            return after
    return start


def _item(tokens: tuple[Token, ...], start: int, end: int) -> Item:
    top = _top(tokens, start, end)
    braces = [i for i in top if tokens[i].is_punct("{")]
    body = braces[-1] if braces else end
    name = _function_name(tokens, start, body)
    if name is not None:
        begin = _begin(tokens, start, name)
        sort = Sort.FUNCTION if braces else Sort.PROTOTYPE
        static = any(tokens[i].text == "static" for i in range(begin, name))
        return Item(sort, tokens[name].text, begin, end, static)
    if any(tokens[i].text == "typedef" for i in top):
        return _typedef(tokens, start, end)
    if tokens[end - 1].is_punct("}"):
        return Item(Sort.OTHER, "", start, end)
    return _tagged(tokens, start, end, top) or _global(tokens, start, end, top)


def _typedef(tokens: tuple[Token, ...], start: int, end: int) -> Item:
    names = declared_typedefs(tokens[start:end])
    name = tokens[start + min(names)].text if names else ""
    return Item(Sort.TYPEDEF, name, start, end)


def _tagged(tokens: tuple[Token, ...], start: int, end: int, top: list[int]) -> Item | None:
    """Return the struct or enum that the item defines."""
    brace = next((i for i in top if tokens[i].is_punct("{")), None)
    equals = next((i for i in top if tokens[i].is_punct("=")), end)
    if brace is None or brace > equals:
        return None
    tag = next((i for i in top if tokens[i].text in _TAGS), None)
    if tag is None or tag > brace:
        return None
    words = [tokens[i].text for i in top if tag < i < brace and tokens[i].kind is TokenKind.NAME]
    name = next((w for w in words if w not in WORDS and _can_name(w)), "")
    begin = _begin(tokens, start, tag) if tag > start else start
    if tokens[tag].text == "enum":
        return Item(Sort.ENUM, name, begin, end, others=_enumerators(tokens, brace))
    return Item(Sort.STRUCT, name, begin, end)


def _enumerators(tokens: tuple[Token, ...], brace: int) -> tuple[str, ...]:
    names, depth = [], 0
    for index in range(brace, len(tokens)):
        token = tokens[index]
        depth += token.text in _OPEN and token.kind is TokenKind.PUNCT
        depth -= token.text in _CLOSE and token.kind is TokenKind.PUNCT
        if depth == 0:
            break
        if depth == 1 and token.kind is TokenKind.NAME and tokens[index - 1].text in {"{", ","}:
            names.append(token.text)
    return tuple(names)


def _global(tokens: tuple[Token, ...], start: int, end: int, top: list[int]) -> Item:
    stop = next((i for i in top if tokens[i].text in {"=", "[", ",", "("}), end - 1)
    names = [i for i in top if i < stop and tokens[i].kind is TokenKind.NAME]
    names = [i for i in names if tokens[i].text not in WORDS]
    if len(names) < 2 or (stop < end and tokens[stop].text == "("):
        return Item(Sort.OTHER, "", start, end)
    static = any(tokens[i].text == "static" for i in top if i < names[-1])
    others = _others(tokens, end, top)
    return Item(Sort.GLOBAL, tokens[names[-1]].text, start, end, static, others)


def _others(tokens: tuple[Token, ...], end: int, top: list[int]) -> tuple[str, ...]:
    """Return the names that a declaration declares behind its first one."""
    found = []
    for comma in (i for i in top if tokens[i].is_punct(",")):
        at = comma + 1
        while at < end and (tokens[at].is_punct("*") or tokens[at].text in WORDS):
            at += 1
        if at < end and tokens[at].kind is TokenKind.NAME:
            found.append(tokens[at].text)
    return tuple(found)

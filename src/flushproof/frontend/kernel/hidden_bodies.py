"""Code that is no function to be read, and macros by which code comes to the state.

A macro may name a member, glue its name together, or make a function that does. In: the files at
hand. Out: the words by which code may come to a member, and what may hold such code.

Lemma L28 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.macros import Macro
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.frontend.kernel.files_at_hand import pieces_with
from flushproof.frontend.kernel.library import FilePiece, Library
from flushproof.support.record import Record

STORING = frozenset({"=", "++", "--", "&", *(f"{x}=" for x in "+-*/%&|^")})
"""What a store looks like, but for shifts, which hold no root."""


class MacroMeans(Record, frozen=True):
    """The words by which code may come to a member; those of `bodies` are macros with a block."""

    names: frozenset[str]
    bodies: frozenset[str]


def find_means(library: Library, members: frozenset[str]) -> MacroMeans:
    """Return by which words code may come to some members, through macros at hand, too."""
    names = members
    while True:
        macros = _macros(library, names)
        leading = {m.name for m in macros if _leads(m, names) or _glues_anything(m)}
        if leading <= names:
            return MacroMeans(names, _with_blocks(macros, members))
        names |= leading


def storing_macros(library: Library, members: frozenset[str]) -> frozenset[str]:
    """Name the macros at hand that come to a member and may store to it."""
    names, storing = members, frozenset[str]()
    while True:
        macros = _macros(library, names)
        leading = {m.name for m in macros if _leads(m, names)}
        inner = {m.name for m in macros if _stores(m) or storing & {t.text for t in m.body}}
        if leading <= names and leading & inner <= storing:
            return storing
        names, storing = names | leading, storing | (leading & inner)


def _stores(macro: Macro) -> bool:
    """Tell whether a macro assigns, or takes an address that may be stored through."""
    return any(t.kind is TokenKind.PUNCT and t.text in STORING for t in macro.body)


def hidden_bodies(where: FilePiece, means: MacroMeans) -> Iterator[str]:
    """Yield what may write a member outside of what is known for a function.

    That is a macro that makes a function, or a block behind what is no head of one, as in the style
    of before C89.
    """
    functions = [i for i in where.items if i.sort is Sort.FUNCTION]
    inside = {at for i in functions for at in range(i.start, i.end)}
    tokens = where.outline.tokens
    outside = [at for at in range(len(tokens)) if at not in inside]
    yield from (tokens[at].text for at in outside if _is_one(tokens[at], means.bodies))
    for at in outside:
        loose = at > 0 and tokens[at - 1].text in {";", "}"}
        if loose and tokens[at].is_punct("{") and means.names & set(_block(tokens, at)):
            yield "a block"


def _is_one(token: Token, names: frozenset[str]) -> bool:
    return token.kind is TokenKind.NAME and token.text in names


def _block(tokens: tuple[Token, ...], start: int) -> Iterator[str]:
    """Yield the words from a brace up to that which closes it."""
    depth = 0
    for token in tokens[start:]:
        depth += token.is_punct("{") - token.is_punct("}")
        if depth == 0:
            return
        yield token.text


def _macros(library: Library, names: frozenset[str]) -> tuple[Macro, ...]:
    pieces = pieces_with(library, names)
    return tuple(c.macro for x in pieces for c in x.outline.changes if c.macro is not None)


def _leads(macro: Macro, names: frozenset[str]) -> bool:
    """Tell whether a macro has one of some names, or glues something to a part of one."""
    glued = _glued(macro) - set(macro.parameters or ())
    texts = {t.text for t in macro.body}
    return bool(names & texts) or any(
        n.startswith(t) or n.endswith(t) for t in glued for n in names
    )


def _glued(macro: Macro) -> set[str]:
    pairs = pairwise(t.text for t in macro.body)
    return {t for pair in pairs if "##" in pair for t in pair if t != "##"}


def _glues_anything(macro: Macro) -> bool:
    """Tell whether a macro makes a name of what it is given alone."""
    glued = _glued(macro)
    return bool(glued) and glued <= set(macro.parameters or ())


def _with_blocks(macros: Iterable[Macro], members: frozenset[str]) -> frozenset[str]:
    """Return the macros that come to a member and hold a block, or lead to one that does."""
    known = tuple(macros)
    leading, blocks = members, frozenset(m.name for m in known if _holds_block(m))
    while True:
        more = leading | {m.name for m in known if _leads(m, leading)}
        longer = blocks | {m.name for m in known if blocks & {t.text for t in m.body}}
        if (more, longer) == (leading, blocks):
            return leading & blocks
        leading, blocks = more, longer


def _holds_block(macro: Macro) -> bool:
    return any(t.is_punct("{") for t in macro.body)

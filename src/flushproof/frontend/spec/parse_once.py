"""Spec files parsed once for all variants under which their text means the same.

A spec is read with the macros and type names of its variant. Few variants define a name that the
spec mentions; for all others the tree is the one without any variant.
"""

from __future__ import annotations

import re
from functools import lru_cache

from flushproof.frontend.c.macros import Macros
from flushproof.frontend.c.parser import ParseContext
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.parser import parse_spec
from flushproof.frontend.spec.syntax import SpecTree
from flushproof.support.source import Source

_KEPT = 16
_WORD = re.compile(r"\w+")
_JOINS = ("##", "\\")
"""What makes one word of two."""


@lru_cache(maxsize=_KEPT)
def parse_without_variant(source: Source) -> SpecTree:
    """Parse a spec file as far as the program's own prelude gives its words a meaning.

    Raises:
        InputError: it is not accepted.
    """
    return parse_spec(source, load_builtin().context)


def parse_beside_variant(source: Source, context: ParseContext) -> SpecTree:
    """Parse a spec file in the context that holds after its variant.

    Raises:
        InputError: it is not accepted.
    """
    if _means_the_same(source.text, load_builtin().context, context):
        return parse_without_variant(source)
    return parse_spec(source, context)


def _means_the_same(text: str, a: ParseContext, b: ParseContext) -> bool:
    """Tell whether no word of a text, nor what it stands for, differs between two contexts."""
    tables = a.macros.table, b.macros.table
    names = tables[0].keys() | tables[1].keys()
    differ = {name for name in names if tables[0].get(name) is not tables[1].get(name)}
    differ |= a.typedefs ^ b.typedefs
    if any(mark in text for mark in _JOINS):
        return False
    reached = _words_reached(text, a.macros)
    return reached is not None and differ.isdisjoint(reached)


def _words_reached(text: str, macros: Macros) -> frozenset[str] | None:
    """Return the words of a text and of the macros that they stand for; None where words join."""
    seen: set[str] = set()
    work = [*_WORD.findall(text)]
    while work:
        word = work.pop()
        if word in seen:
            continue
        seen.add(word)
        macro = macros.table.get(word)
        if macro is not None:
            spelled = " ".join(token.text for token in macro.body)
            if any(mark in spelled for mark in _JOINS):
                return None
            work += _WORD.findall(spelled)
    return frozenset(seen)

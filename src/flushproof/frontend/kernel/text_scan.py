"""What texts look like around a name, told without cutting them up.

In: the text of a file and a name. Out: whether the file could define it. A wrong yes costs time; a
definition that is written in none of these ways is not found. Names are looked for first and what
is around them only there, so that hundreds of headers are gone through in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import assert_never

from flushproof.frontend.c.item_splitter import Sort

_FAR = 2000
"""So many characters before a name are looked at, lest a text of one endless line take for ever."""
_REMEMBERED = 1 << 16
"""So many answers are remembered, for files that are read again with one of them edited."""
_INCLUDE = re.compile(r'#[ \t]*include[ \t]*(["<])([^">\n]+)[">]')
_DEFINE = re.compile(r"[ \t]*#[ \t]*define[ \t]+")
_DECLARES = re.compile(r"(?!return\b)[A-Za-z_]|$")
_ENUM = re.compile(r"\benum\s+$")
_IN_ENUM = re.compile(r"\benum\b[^;{}]*\{[^;{}]*$")
_OPENS, _BRACE = re.compile(r"[ \t]*\("), re.compile(r"\s*\{")
_NEXT = re.compile(r"\s*(?:[,=}]|$)", re.MULTILINE)
_ENDS, _ASSIGNED = re.compile(r"\s*;"), re.compile(r"\s*[;=,\[]")


def included_names(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a text includes: the opening quote or bracket, and the name."""
    for found in _INCLUDE.finditer(text):
        if not _line(text, found.start()).strip():
            yield found[1], found[2]


def word_occurrences(text: str, word: str) -> Iterator[int]:
    """Yield where a whole word stands in a text."""
    size = len(word)
    at = text.find(word)
    while at >= 0:
        around = text[at - 1 : at] if at else "", text[at + size : at + size + 1]
        if not any(c.isalnum() or c == "_" for c in around):
            yield at
        at = text.find(word, at + size)


@lru_cache(maxsize=_REMEMBERED)
def could_define(text: str, sort: Sort, name: str) -> bool:
    """Tell whether some place in a text looks like a definition of the name."""
    size = len(name)
    return any(_fits(text, sort, at, at + size) for at in word_occurrences(text, name))


@lru_cache(maxsize=_REMEMBERED)
def could_define_macro(text: str, name: str) -> bool:
    """Tell whether some line of a text looks like a `#define` of the name."""
    return any(_DEFINE.fullmatch(_line(text, at)) for at in word_occurrences(text, name))


def _fits(text: str, sort: Sort, at: int, end: int) -> bool:
    match sort:
        case Sort.FUNCTION | Sort.PROTOTYPE:
            return bool(_OPENS.match(text, end) and _DECLARES.match(_line(text, at)))
        case Sort.STRUCT:
            return bool(_BRACE.match(text, end)) and "struct" in _since(text, at, ";{}")
        case Sort.ENUM:
            return _enumerates(text, at, end)
        case Sort.TYPEDEF:
            if "typedef" in _since(text, at, ";"):
                return True
            return bool(_ENDS.match(text, end)) and _near(text, at).rstrip().endswith("}")
        case Sort.GLOBAL:
            return bool(_ASSIGNED.match(text, end) and _DECLARES.match(_line(text, at)))
        case Sort.OTHER:
            return False
        case _:
            assert_never(sort)


def _enumerates(text: str, at: int, end: int) -> bool:
    """Tell whether this could be the tag of an enum that is defined here, or an enumerator."""
    if _BRACE.match(text, end):
        return _ENUM.search(_since(text, at, ";{}")) is not None
    if not _NEXT.match(text, end):
        return False
    # A line for each enumerator is usual, and comments between them may hold anything.
    return not _line(text, at).strip() or _IN_ENUM.search(_since(text, at, ";}")) is not None


def _near(text: str, at: int) -> str:
    return text[max(0, at - _FAR) : at]


def _line(text: str, at: int) -> str:
    """Return the line up to a place."""
    return _near(text, at).rpartition("\n")[2]


def _since(text: str, at: int, marks: str) -> str:
    """Return the text from the last of the marks up to a place."""
    near = _near(text, at)
    return near[max(near.rfind(m) for m in marks) + 1 :]

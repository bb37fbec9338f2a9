"""The names in a claim's messages: what stands in braces must be something that can be told.

In: a claim, and the texts of its messages with their tokens. Out: nothing, or an error at the word
that names nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.spec.spec_errors import check_known
from flushproof.frontend.spec.syntax import ClaimSpec
from flushproof.support.source import Span

SHORTHANDS = ("CACHE_IN_USE", "CACHE_ROOT")
"""What a spec says of the cache, which messages may tell."""

OF_NAME = ("since", "field", "race")
PARTS = (*OF_NAME, "flushed", "calls", "ret", "history", "waits")
"""What may stand behind a dot; but for the first, these are of the call at fault or of its locks,
whatever they are said to be of."""

ACCESS = ("thread", "place", "write", "once", "locks")
_BRACES = re.compile(r"\{([^{}.]+)(?:\.([a-z]+))?\}")


def check_messages(claim: ClaimSpec, texts: Iterable[tuple[str, Span]]) -> None:
    """Refuse a name in braces that is none of the claim's.

    `texts` are pieces of messages as they are written, each with its place.

    Raises:
        InputError: a message names what nothing is known of.
    """
    known = _names(claim)
    for written, span in (*texts, *_asserted(claim)):
        for found in _BRACES.finditer(written):
            name, part = found.groups()
            if part is not None:
                check_known("part of a message", part, PARTS, _inside(span, *_of(found, 2)))
            if part is None or part in OF_NAME:
                check_known("name of this claim", name, known, _inside(span, *_of(found, 1)))


def _of(found: re.Match[str], group: int) -> tuple[int, int]:
    return found.start(group), found.end(group) - found.start(group)


def _names(claim: ClaimSpec) -> tuple[str, ...]:
    """Return what messages may tell the value of."""
    chosen = [w.name for w in claim.witnesses if w.kind not in ("call", "access")]
    chosen += [f"{w.name}_{p}" for w in claim.witnesses if w.kind == "access" for p in ACCESS]
    ghosts = [e.declarator.name for d in claim.ghosts for e in d.declarators]
    given = [p.value for h in claim.handlers for p in h.parameters]
    return tuple(dict.fromkeys((*chosen, *ghosts, *given, *SHORTHANDS, "subject")))


def _asserted(claim: ClaimSpec) -> Iterator[tuple[str, Span]]:
    """Yield the texts of assertions."""
    for handler in claim.handlers:
        for node in walk(handler.body):
            match node:
                case c.CallExpr(c.Name("assert"), (_, c.String(text, span=span))):
                    yield f'"{text}"', span
                case _:
                    pass


def _inside(span: Span, start: int, length: int) -> Span:
    """Return the place of a word in a text that is written in one line, else that of the text."""
    if span.line != span.end_line:
        return span
    column = span.column + start
    return Span(span.file, span.line, column, span.line, column + length)

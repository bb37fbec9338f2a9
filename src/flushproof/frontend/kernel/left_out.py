"""Code that is left out as conditions ask for names that no file at hand defines.

In: functions that are kept, and members of the state. Out: the names, such as options of the
configuration, on which it hangs that a part of these functions is not there, or that other code is
not which names a member.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flushproof.frontend.c.directive_conditions import list_options_off
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.kernel.files_at_hand import pieces_with
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames


def list_left_out(
    known: ResolvedNames, bodies: Iterable[Body], members: frozenset[str]
) -> tuple[str, ...]:
    """Return the names in order."""
    found = {name for body in bodies for name in _within(known, body)}
    for piece in pieces_with(known.library, members):
        for line in piece.outline.left_out:
            if line.words & members:
                found |= line.asked
    return tuple(sorted(found))


def _within(known: ResolvedNames, body: Body) -> Iterator[str]:
    """Yield the names on which parts of a function hang."""
    item = body.where.find(Sort.FUNCTION, body.function.name)
    if item is None:
        return
    raw = body.where.raw(item)
    first, last = raw[0].span.line, raw[-1].span.line
    for line in body.where.outline.left_out:
        if first < line.line < last:
            yield from line.asked
    yield from list_options_off(
        raw, body.where.outline.macros_at(item.start, known.base.context.macros)
    )

"""Code that is left out as conditions ask for names that no file at hand defines.

In: functions that are kept, and members of the state. Out: the names, such as options of the
configuration, on which it hangs that a part of these functions is not there, or that other code is
not which names a member, or a macro is not that they use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flushproof.frontend.c.directive_conditions import list_options_off
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.outline import LeftOut
from flushproof.frontend.kernel.files_at_hand import pieces_with
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames


def list_left_out(
    known: ResolvedNames, bodies: Iterable[Body], members: frozenset[str]
) -> tuple[str, ...]:
    """Return the names in order.

    Raises:
        InputError: a condition that matters cannot be evaluated.
    """
    kept = tuple(bodies)
    found = {name for body in kept for name in _within(known, body)}
    macros = frozenset(name for body in kept for name in _macros_used(body))
    for piece in pieces_with(known.library, members | macros):
        for line in piece.outline.left_out:
            if line.words & members or line.defined in macros:
                found |= _asked(line)
    return tuple(sorted(found))


def _asked(line: LeftOut) -> frozenset[str]:
    if line.doubt is not None:
        raise line.doubt
    return line.asked


def _macros_used(body: Body) -> Iterator[str]:
    """Yield the macros that a function uses: those of its file, and what is written like one."""
    item = body.where.find(Sort.FUNCTION, body.function.name)
    words = frozenset[str]() if item is None else body.where.words(item)
    yield from (w for w in words if w.isupper() or body.where.outline.macro(w) is not None)


def _within(known: ResolvedNames, body: Body) -> Iterator[str]:
    """Yield the names on which parts of a function hang.

    Raises:
        InputError: a condition that matters cannot be evaluated.
    """
    item = body.where.find(Sort.FUNCTION, body.function.name)
    if item is None:
        return
    raw = body.where.raw(item)
    first, last = raw[0].span.line, raw[-1].span.line
    for line in body.where.outline.left_out:
        if first < line.line < last:
            yield from _asked(line)
    yield from list_options_off(
        raw, body.where.outline.macros_at(item.start, known.base.context.macros)
    )

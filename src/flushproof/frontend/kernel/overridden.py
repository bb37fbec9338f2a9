"""Macros that a header at hand defines otherwise than the prelude, whose meaning they keep.

In: functions that are kept. Out: the names of such macros that they use.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.macros import Macro
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames


def list_overridden(known: ResolvedNames, bodies: Iterable[Body]) -> tuple[str, ...]:
    """Return the names in order; what the file of a function defines itself is what it says."""
    table, library = known.base.context.macros.table, known.library
    found: set[str] = set()
    for body in bodies:
        item = body.where.find(Sort.FUNCTION, body.function.name)
        words = frozenset[str]() if item is None else body.where.words(item)
        for name in words & table.keys() - found:
            other = None if body.where.outline.macro(name) else library.macro(name)
            if other is not None and _spelled(other) != _spelled(table[name]):
                found.add(name)
    return tuple(sorted(found))


def _spelled(macro: Macro) -> tuple[object, ...]:
    """Return what a macro comes to, whatever its parameters are called."""
    places: dict[str, object] = {p: at for at, p in enumerate(macro.parameters or ())}
    return tuple(places.get(t.text, t.text) for t in macro.body)

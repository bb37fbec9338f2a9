"""Which functions that creation calls may set a member of the VM or a vCPU.

Those that name one, or write an object as a whole, are gone through. What is not at hand, or cannot
be read and stores through no pointer, is believed to set nothing, and noted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.kernel.assembly import ASSEMBLY
from flushproof.frontend.kernel.harmless import Harm, harm_of
from flushproof.frontend.kernel.library import FilePiece
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.objects import FILLS, Places, could_set_whole, stores_through
from flushproof.frontend.kernel.ways import Key
from flushproof.support.diagnostics import InputError


@dataclass
class Setters:
    """Answers for calls; `believed` are the functions of which nothing is known."""

    known: ResolvedNames
    places: Places
    believed: dict[str, None] = field(default_factory=dict)
    _whole: dict[tuple[str, str], bool] = field(default_factory=dict)

    def inner(self, e: c.CallExpr, body: Body) -> Body | None:
        """Return the function that is called if it may set a member."""
        if not isinstance(e.function, c.Name) or self.known.modelled(e.function.id) is not None:
            return None
        place = self.known.library.find(Sort.FUNCTION, e.function.id, body.where)
        if place is None or not self._may_set(*place, set()):
            return None
        return self.known.body(e.function.id, body.where)

    def left_out(self, e: c.CallExpr, body: Body) -> frozenset[Key]:
        """Return the members that may hold anything after a call that is not gone through.

        They are those of the objects it is given, where it is known to store where it is pointed,
        or takes them as something else.
        """
        name = e.function.id if isinstance(e.function, c.Name) else ""
        pointed = frozenset[Key]().union(*(self.places.pointed(body, a) for a in e.arguments))
        harm = harm_of(name)
        if not pointed or harm is Harm.READS:
            return frozenset()
        if name == ASSEMBLY or harm is Harm.STORES:
            return pointed
        if not name or self.known.library.find(Sort.FUNCTION, name, body.where) is None:
            self.believed.setdefault(name)
            return frozenset()
        return pointed if self._disguises(e, name, body) else frozenset()

    def _disguises(self, e: c.CallExpr, name: str, body: Body) -> bool:
        try:
            inner = self.known.body(name, body.where)
        except InputError:
            self.believed.setdefault(name)
            return False
        return inner is not None and self.places.disguises(body, e, inner)

    def _may_set(self, where: FilePiece, item: Item, seen: set[str]) -> bool:
        """Tell whether a function names a member that matters, or writes objects as a whole."""
        if item.name in seen:
            return False
        seen.add(item.name)
        words = where.words(item)
        if words & ({m for _, m in self.places.keys} | FILLS) or self._sets_whole(where, item):
            return True
        inner = ((w, where.find(Sort.FUNCTION, w)) for w in sorted(words))
        return any(self._may_set(where, i, seen) for _, i in inner if i is not None)

    def _sets_whole(self, where: FilePiece, item: Item) -> bool:
        """Tell whether a function may write a whole object that holds a member."""
        key = (where.name, item.name)
        if key not in self._whole:
            self._whole[key] = could_set_whole(where.raw(item)) and self._writes_whole(where, item)
        return self._whole[key]

    def _writes_whole(self, where: FilePiece, item: Item) -> bool:
        try:
            body = Body(self.known.reader.function(where, item), where)
        except InputError:
            self.believed.setdefault(item.name)
            return stores_through(where.raw(item))
        return bool(self.places.whole(body))

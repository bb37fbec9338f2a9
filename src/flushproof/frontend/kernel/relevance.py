"""Which functions matter to the flush: those whose text, or what it calls, names its state.

The state is known by the names of struct members. A function that names none of them, and issues no
hypercall, can be left out wherever it stands: it is replaced by any result and no effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.side_effects import QUIET
from flushproof.frontend.c.types import Pointer, Struct
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.library import FilePiece
from flushproof.frontend.kernel.name_resolution import ResolvedNames
from flushproof.frontend.kernel.tracked import TrackedState
from flushproof.frontend.kernel.type_inference import member_uses
from flushproof.support.diagnostics import InputError


@dataclass
class Relevance:
    """Answers by name, for a state that is known by its names."""

    known: ResolvedNames
    tracked: TrackedState
    _touches: dict[tuple[str, str], bool] = field(default_factory=dict)
    _pure: dict[str, bool] = field(default_factory=dict)

    @property
    def members(self) -> frozenset[str]:
        """The names of the members of structs that are state."""
        return self.tracked.members

    @cached_property
    def hypercalls(self) -> frozenset[str]:
        """The functions of the prelude that issue a hypercall."""
        functions = self.known.base.prelude.functions.values()
        direct = {f.name for f in functions if any(a.name == "__hypercall" for a in f.annotations)}
        through = {
            f.name for f in functions if f.body is not None and direct & called_names(f.body)
        }
        return frozenset(n for n in direct | through if not n.startswith("__"))

    @cached_property
    def _hot(self) -> tuple[Path, ...]:
        """The files around that name the state at all."""
        library = self.known.library
        words = self.tracked.names | self.hypercalls
        around = (*library.headers, *library.companions)
        return tuple(p for p in around if any(library.mentions(p, w) for w in words))

    def acts(self, name: str) -> bool:
        """Tell whether a function of the prelude does more than compute."""
        f = self.known.modelled(name)
        if f is None:
            return False
        if f.annotations:
            return any(a.name not in QUIET for a in f.annotations)
        calls = (n.function for n in walk(f.body) if isinstance(n, c.CallExpr)) if f.body else ()
        return any(isinstance(g, c.Name) and g.id != name and self.acts(g.id) for g in calls)

    def touches(self, name: str, near: FilePiece | None) -> bool:
        """Tell whether a function of some file names the state, itself or through calls."""
        if self.known.modelled(name):
            return False
        place = self._place(name, near)
        if place is None:
            return False
        where, item = place
        key = (where.name, name)
        if key not in self._touches:
            self._touches[key] = False
            words = where.words(item)
            self._touches[key] = bool(words & (self.tracked.names | self.hypercalls)) or any(
                self.touches(w, where) for w in sorted(words) if w != name
            )
        return self._touches[key]

    def _place(self, name: str, near: FilePiece | None) -> tuple[FilePiece, Item] | None:
        library = self.known.library
        for own in (near, library.main):
            found = own.find(Sort.FUNCTION, name) if own else None
            if own and found:
                return own, found
        places = (library.find_in(p, Sort.FUNCTION, name) for p in self._hot)
        return next((place for place in places if place), None)

    def pure(self, name: str, near: FilePiece | None) -> bool:
        """Tell whether a function computes from its arguments alone."""
        if name not in self._pure:
            self._pure[name] = False
            self._pure[name] = self._computes(name, near)
        return self._pure[name]

    def _computes(self, name: str, near: FilePiece | None) -> bool:
        try:
            body = self.known.body(name, near)
            if body is None or body.function.body is None:
                return False
            shared = any(not _leads_on(a.type) for a in member_uses(self.known, body))
        except InputError:
            return False
        names = {p.declarator.name for p in body.function.parameters}
        nodes = tuple(walk(body.function.body))
        for node in nodes:
            if isinstance(node, c.Declaration):
                names |= {d.declarator.name for d in node.declarators}
        return not shared and all(self._plain(node, names, body.where) for node in nodes)

    def _plain(self, node: object, names: set[str], near: FilePiece) -> bool:
        match node:
            case c.CallExpr(c.Name(g)):
                return not self.acts(g) and (
                    self.known.modelled(g) is not None or self.pure(g, near)
                )
            case c.CallExpr():
                return False
            case c.AssignExpr(_, target):
                return isinstance(target, c.Name) and target.id in names
            case c.Name(name):
                return name in names or not self._variable(name, near)
            case _:
                return True

    def _variable(self, name: str, near: FilePiece) -> bool:
        return self.known.library.find(Sort.GLOBAL, name, near) is not None


def called_names(body: c.Block) -> frozenset[str]:
    """Return the names that a block calls."""
    calls = (n.function for n in walk(body) if isinstance(n, c.CallExpr))
    return frozenset(f.id for f in calls if isinstance(f, c.Name))


def _leads_on(t: object) -> bool:
    """Tell whether a member only leads to another struct."""
    return isinstance(t, Struct) or (isinstance(t, Pointer) and isinstance(t.target, Struct))

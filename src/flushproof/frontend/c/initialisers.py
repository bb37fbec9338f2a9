"""Which part of an object each value of a braced initialiser goes to (C11 6.7.9).

In: the braces as written, and the type of the object. Out: the values by the path of the part, in
the order of the parts in memory, which is the order in which gcc evaluates them. What has no value
is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import Constants, evaluate_constant
from flushproof.frontend.c.side_effects import has_effect
from flushproof.frontend.c.structs import StructInfo
from flushproof.frontend.c.type_errors import Mismatch, UnknownMember, UnsupportedConstruct
from flushproof.frontend.c.types import Array, CType, Struct
from flushproof.support.diagnostics import InputError, Note
from flushproof.support.record import Record

Path = tuple[str | int, ...]
Values = Mapping[Path, c.Expr]
IsWhole = Callable[[c.Expr], bool]
"""Tells whether an expression is a struct, which gives a value to all parts of one."""


class Shapes(Record, frozen=True):
    """What is known of types: structs, constants, the functions that are declared."""

    structs: Mapping[str, StructInfo]
    constants: Constants
    functions: Mapping[str, c.Function]
    whole: IsWhole

    def parts(self, t: CType) -> tuple[tuple[Path, CType], ...] | None:
        """Return the direct parts of an aggregate, each below its own path; None for a scalar.

        A nameless inner struct is one part, whose members are named as if they were outside it.
        """
        match t:
            case Struct(name) if name in self.structs:
                slots = self.structs[name].slots
                named = (s for s in slots if s.name or isinstance(s.type, Struct))
                return tuple(((s.name,) if s.name else (), s.type) for s in named)
            case Array(element, size):
                return tuple(((k,), element) for k in range(size or 0))
            case _:
                return None


class _Level(Record):
    """An aggregate whose parts are being given values, and the number of the next one."""

    type: CType
    path: Path
    parts: tuple[tuple[Path, CType], ...]
    next: int = 0


class _Placing:
    """One initialiser being taken apart."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.values: dict[Path, c.Expr] = {}

    def braced(self, t: CType, path: Path, init: c.InitList) -> None:
        parts = self.shapes.parts(t)
        if parts is None:
            self._scalar(path, init)
            return
        levels = [_Level(t, path, parts)]
        for item in init.items:
            if item.designators:
                self._designate(levels, item)
            self._item(levels, item)

    def _scalar(self, path: Path, init: c.InitList) -> None:
        """Take the braces off a scalar's value."""
        if len(init.items) != 1 or init.items[0].designators:
            raise InputError(Mismatch(span=init.span, text="one value is needed here"))
        value = init.items[0].value
        if isinstance(value, c.InitList):
            raise InputError(Mismatch(span=value.span, text="one value is needed here"))
        self._set(path, value)

    def _item(self, levels: list[_Level], item: c.InitItem) -> None:
        while len(levels) > 1 and levels[-1].next >= len(levels[-1].parts):
            levels.pop()
        level = levels[-1]
        if level.next >= len(level.parts):
            text = f"more values than `{level.type}` has parts"
            raise InputError(Mismatch(span=item.span, text=text))
        below, t = level.parts[level.next]
        level.next += 1
        path = level.path + below
        if isinstance(item.value, c.InitList):
            if below:
                self._forget(path, item)
            self.braced(t, path, item.value)
        elif (parts := self.shapes.parts(t)) is None or self._is_whole(t, item.value):
            self._set(path, item.value)
        else:
            levels.append(_Level(t, path, parts))
            self._item(levels, item)

    def _is_whole(self, t: CType, value: c.Expr) -> bool:
        return isinstance(t, Struct) and self.shapes.whole(value)

    def _designate(self, levels: list[_Level], item: c.InitItem) -> None:
        """Go to the part that designators name, counted from the braces."""
        del levels[1:]
        for number, designator in enumerate(item.designators):
            if number:
                self._enter(levels, item)
            self._find(levels, designator, item)

    def _enter(self, levels: list[_Level], item: c.InitItem) -> None:
        level = levels[-1]
        below, t = level.parts[level.next]
        level.next += 1
        parts = self.shapes.parts(t)
        if parts is None:
            raise InputError(Mismatch(span=item.span, text=f"`{t}` has no parts"))
        levels.append(_Level(t, level.path + below, parts))

    def _find(self, levels: list[_Level], designator: str | c.Expr, item: c.InitItem) -> None:
        level = levels[-1]
        if isinstance(level.type, Array) == isinstance(designator, str):
            text = f"this designator does not fit `{level.type}`"
            raise InputError(Mismatch(span=item.span, text=text))
        if not isinstance(designator, str):
            level.next = evaluate_constant(designator, self.shapes.constants)
            if not 0 <= level.next < len(level.parts):
                text = f"`{level.type}` has no element {level.next}"
                raise InputError(Mismatch(span=designator.span, text=text))
            return
        for number, (below, t) in enumerate(level.parts):
            if below == (designator,):
                level.next = number
                return
            if (
                not below
                and isinstance(t, Struct)
                and designator in self.shapes.structs[t.name].members
            ):
                level.next = number
                self._enter(levels, item)
                self._find(levels, designator, item)
                return
        struct = level.type.name if isinstance(level.type, Struct) else str(level.type)
        raise InputError(UnknownMember(span=item.span, struct=struct, name=designator))

    def _set(self, path: Path, value: c.Expr) -> None:
        self._forget(path, value)
        self.values[path] = value

    def _forget(self, path: Path, new: c.InitItem | c.Expr) -> None:
        """Drop the values that a later one replaces; what they would do is not known in C."""
        for known, value in list(self.values.items()):
            shorter = min(len(known), len(path))
            if known[:shorter] != path[:shorter]:
                continue
            if len(known) < len(path) or has_effect(self.shapes.functions, value):
                construct = "a value that a later one of the same initialiser replaces"
                notes = (Note("replaced here", new.span),)
                raise InputError(
                    UnsupportedConstruct(span=value.span, construct=construct, notes=notes)
                )
            del self.values[known]


def values_of(shapes: Shapes, t: CType, init: c.InitList) -> Values:
    """Return the values of a braced initialiser by the path of what they are for.

    Raises:
        InputError: there are too many, a designator names nothing, or one replaces another whose
            evaluation does something.
    """
    placing = _Placing(shapes)
    placing.braced(t, (), init)
    return placing.values


def complete_type(shapes: Shapes, t: CType, init: c.Expr | None) -> CType:
    """Return the type of an object whose initialiser says how many elements it has.

    Raises:
        InputError: as `values_of`.
    """
    if not isinstance(t, Array) or t.size is not None or not isinstance(init, c.InitList):
        return t
    most = sum(1 for _ in init.items) + sum(_indices(shapes, init)) + 1
    open_ended = Array(t.element, most)
    found = values_of(shapes, open_ended, init)
    return Array(t.element, max((p[0] for p in found if isinstance(p[0], int)), default=-1) + 1)


def _indices(shapes: Shapes, init: c.InitList) -> list[int]:
    firsts = (i.designators[0] for i in init.items if i.designators)
    return [evaluate_constant(d, shapes.constants) for d in firsts if not isinstance(d, str)]

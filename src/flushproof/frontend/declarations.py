"""All names a set of translation units declares, resolved to types and values.

Later units override earlier ones, except that a primitive (an annotated prototype of the prelude)
is kept: it says how the machine sees the function, whatever body the file gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from flushproof.diagnostics import InputError, Note, closest
from flushproof.frontend import syntax as c
from flushproof.frontend.consteval import evaluate
from flushproof.frontend.errors import Redefined, UnknownType
from flushproof.frontend.structs import (
    Slot,
    StructInfo,
    bit_field,
    check_finite,
    struct_info,
)
from flushproof.frontend.types import BUILTIN, Array, Code, CType, Integer, Pointer, Struct
from flushproof.ir.types import INT, S64, U32, U64, Int
from flushproof.record import Record, replace
from flushproof.source import Span


class Global(Record, frozen=True):
    """A variable at file level; `elsewhere` if no file that is read defines it."""

    name: str
    type: CType
    initialiser: c.Expr | None
    elsewhere: bool
    span: Span


class Declarations(Record, frozen=True):
    """The names of a program; `enums` maps each enumeration's values to their names."""

    structs: Mapping[str, StructInfo]
    constants: Mapping[str, int]
    typedefs: Mapping[str, CType]
    functions: Mapping[str, c.Function]
    globals: Mapping[str, Global]
    enums: Mapping[str, Mapping[int, str]]

    def resolve(self, written: c.WrittenType, declarator: c.Declarator) -> CType:
        """Return the type that a base type and a declarator give.

        Raises:
            InputError: the base type is not defined, or an array size is not constant.
        """
        if declarator.function_pointer:
            return Pointer(Code())
        t = self.base(written)
        for _ in range(declarator.pointers):
            t = Pointer(t)
        for size in reversed(declarator.arrays):
            t = Array(t, None if size is None else evaluate(size, self.constants))
        return t

    def _enum_type(self, name: str) -> Int:
        """Return what gcc stores an enumeration in: unsigned unless an enumerator is negative."""
        values = self.enums.get(name, {-1: ""})
        return next(
            t for t in (U32, INT, U64, S64) if t.low <= min(values) and max(values) <= t.high
        )

    def base(self, written: c.WrittenType) -> CType:
        """Return the type a base type names."""
        if written.kind == "struct":
            return Struct(written.name)
        if written.kind == "enum":
            return Integer(f"enum {written.name}", self._enum_type(written.name))
        found = BUILTIN.get(written.name) or self.typedefs.get(written.name)
        if found is None:
            hint = closest(written.name, (*self.typedefs, *BUILTIN))
            raise InputError(UnknownType(span=written.span, name=written.name, hint=hint))
        return found


class _Builder:
    """Collects declarations unit by unit; used once."""

    def __init__(self) -> None:
        self.structs: dict[str, StructInfo] = {}
        self.constants: dict[str, int] = {}
        self.typedefs: dict[str, CType] = {}
        self.functions: dict[str, c.Function] = {}
        self.globals: dict[str, Global] = {}
        self.enums: dict[str, dict[int, str]] = {}
        self.view = Declarations(
            self.structs,
            self.constants,
            self.typedefs,
            self.functions,
            self.globals,
            self.enums,
        )

    def unit(self, unit: c.TranslationUnit) -> None:
        seen: dict[tuple[str, str], Span] = {}
        for item in unit.items:
            self._item(item, seen)

    def _item(self, item: c.TopLevel, seen: dict[tuple[str, str], Span]) -> None:
        match item:
            case c.StructDef():
                _once(seen, "struct", item.name, item.span)
                self._struct(item, item.name)
            case c.EnumDef():
                self._enum(item, seen)
            case c.Typedef():
                self.typedefs[item.declarator.name] = self.view.resolve(item.type, item.declarator)
            case c.Declaration():
                self._globals(item)
            case c.Function():
                self._function(item, seen)
            case _:
                assert_never(item)

    def _struct(self, item: c.StructDef, name: str) -> None:
        slots: list[Slot] = []
        for field in item.fields:
            slots += self._slots(field, f"{name}.{len(slots)}", name)
        self.structs[name] = struct_info(name, slots, self.structs, item.span)

    def _slots(self, field: c.FieldDecl, nameless: str, owner: str) -> Iterator[Slot]:
        """Yield the members of one declaration; a nameless inner struct is one with its own tag."""
        if field.nested is not None and not field.declarators:
            self._struct(field.nested, nameless)
            yield Slot("", Struct(nameless), None, field.span)
        for declarator in field.declarators:
            t = self._field_type(field, declarator, owner)
            if declarator.bits is None:
                yield Slot(declarator.name, t, None, declarator.span)
                continue
            bits = evaluate(declarator.bits, self.constants)
            t = bit_field(t, bits, declarator)
            yield Slot(declarator.name, t, bits, declarator.span)

    def _field_type(self, field: c.FieldDecl, declarator: c.Declarator, owner: str) -> CType:
        if field.nested is None:
            return self.view.resolve(field.type, declarator)
        inner = field.nested.name or f"{owner}.{declarator.name}"
        if inner not in self.structs or field.nested.span != self.structs[inner].span:
            self._struct(field.nested, inner)
        return self.view.resolve(c.WrittenType("struct", inner, field.span), declarator)

    def _enum(self, item: c.EnumDef, seen: dict[tuple[str, str], Span]) -> None:
        _once(seen, "enum", item.name, item.span)
        value = -1
        for entry in item.enumerators:
            _once(seen, "enumerator", entry.name, entry.span)
            value = value + 1 if entry.value is None else evaluate(entry.value, self.constants)
            self.constants[entry.name] = value
            self.enums.setdefault(item.name, {}).setdefault(value, entry.name)

    def _globals(self, item: c.Declaration) -> None:
        for entry in item.declarators:
            name = entry.declarator.name
            t = self.view.resolve(item.type, entry.declarator)
            start = entry.initialiser
            new = Global(name, t, start, "extern" in item.qualifiers and start is None, entry.span)
            known = self.globals.get(name)
            if known is None or start is not None:
                self.globals[name] = new
            elif known.elsewhere and not new.elsewhere:
                self.globals[name] = replace(known, elsewhere=False)

    def _function(self, item: c.Function, seen: dict[tuple[str, str], Span]) -> None:
        known = self.functions.get(item.name)
        if item.body is not None:
            _once(seen, "function", item.name, item.span)
        if known is None or (item.body is not None and not known.annotations) or item.annotations:
            self.functions[item.name] = item


def _once(seen: dict[tuple[str, str], Span], kind: str, name: str, span: Span) -> None:
    first = seen.setdefault((kind, name), span)
    if first is not span and name:
        note = Note("first defined here", first)
        raise InputError(Redefined(span=span, kind=kind, name=name, notes=(note,)))


def declare(units: tuple[c.TranslationUnit, ...]) -> Declarations:
    """Resolve the declarations of several units, earlier first.

    Raises:
        InputError: a name is defined twice in one unit, a type is not defined, or a struct holds
            itself.
    """
    builder = _Builder()
    for unit in units:
        builder.unit(unit)
    check_finite(builder.structs)
    return builder.view

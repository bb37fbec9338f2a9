"""All names a set of translation units declares, resolved to types and values.

The first unit is the prelude. What a later one defines takes its place: a function with a body also
that of one that the machine knows. Types that would no longer fit what the prelude does with them
are refused, and so is a second definition of what some other unit defines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from flushproof.diagnostics import InputError, Note, closest
from flushproof.frontend import syntax as c
from flushproof.frontend.consteval import evaluate
from flushproof.frontend.errors import Incompatible, Redefined, UnknownType
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


_EXTENDED = frozenset({"kvm_arch", "kvm_vcpu_arch"})
"""Structs without members in the prelude that a file fills in; the others are the machine's own."""
_RESERVED = frozenset({"machine_boot"})
"""What no file may define: the machine calls it."""


class _Builder:
    """Collects declarations unit by unit; used once."""

    def __init__(self) -> None:
        self.given: frozenset[str] = frozenset()
        """The files of the prelude."""
        self.places: dict[tuple[str, str], Span] = {}
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
        if not self.given:
            self.given = frozenset(item.span.file for item in unit.items)

    def _item(self, item: c.TopLevel, seen: dict[tuple[str, str], Span]) -> None:
        match item:
            case c.StructDef():
                _once(seen, "struct", item.name, item.span)
                self._refuse_opaque(item)
                self._struct(item, item.name)
            case c.EnumDef():
                self._enum(item, seen)
            case c.Typedef():
                self._typedef(item)
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
            self._refuse_variable(entry)
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
        if known is None:
            self.functions[item.name] = item
        elif item.body is not None:
            self._refuse_second(known, item)
            self.functions[item.name] = item
        elif known.body is None and item.annotations:
            self.functions[item.name] = item

    # What may not be defined again ----------------------------------------------------------------

    def _refuse_second(self, known: c.Function, item: c.Function) -> None:
        """Refuse a function that another file defines, or that the machine calls itself."""
        replaced = known.span.file in self.given and item.name not in _RESERVED
        if known.body is not None and not replaced:
            note = Note("first defined here", known.span)
            raise InputError(
                Redefined(span=item.span, kind="function", name=item.name, notes=(note,))
            )

    def _refuse_variable(self, entry: c.InitDeclarator) -> None:
        """Refuse a variable with the name of a function."""
        name = entry.declarator.name
        known = self.functions.get(name)
        if known is not None:
            note = Note("a function is declared here", known.span)
            raise InputError(Redefined(span=entry.span, kind="variable", name=name, notes=(note,)))

    def _refuse_opaque(self, item: c.StructDef) -> None:
        """Refuse members for a struct of the machine, such as a lock."""
        known = self.structs.get(item.name)
        if known is None or known.members or item.name in _EXTENDED or not item.fields:
            return
        if known.span.file in self.given and item.span.file not in self.given:
            note = Note("the machine's own struct is this", known.span)
            raise InputError(
                Incompatible(span=item.span, kind="struct", name=item.name, notes=(note,))
            )

    def _typedef(self, item: c.Typedef) -> None:
        name = item.declarator.name
        t = self.view.resolve(item.type, item.declarator)
        known = self.typedefs.get(name)
        first = self.places.setdefault(("typedef", name), item.span)
        if known is not None and first.file in self.given and not _alike(known, t):
            note = Note("the machine's own type is this", first)
            raise InputError(Incompatible(span=item.span, kind="type", name=name, notes=(note,)))
        self.typedefs[name] = t


def _alike(a: CType, b: CType) -> bool:
    """Tell whether two types are one to the machine: equal, or integers of one width and sign."""
    match a, b:
        case Integer(_, x), Integer(_, y):
            return x == y
        case Pointer(x), Pointer(y):
            return _alike(x, y)
        case _:
            return a == b


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

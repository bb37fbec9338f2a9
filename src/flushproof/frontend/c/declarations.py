"""All names a set of translation units declares, resolved to types and values.

The first unit is the prelude. What a later one defines takes its place: a function with a body also
that of one that the machine knows. Types that would no longer fit what the prelude does with them
are refused, and so is a second definition of what some other unit defines. Within a unit
declarations of one name have to agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import assert_never

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import Constants, enumerator_type, evaluate_constant
from flushproof.frontend.c.declaration_agreement import Agreement, is_compatible
from flushproof.frontend.c.initialisers import Shapes, complete_type
from flushproof.frontend.c.structs import (
    MemberSlot,
    StructInfo,
    bit_field,
    check_finite,
    struct_info,
)
from flushproof.frontend.c.type_errors import (
    Incompatible,
    Mismatch,
    Redefined,
    UnknownType,
    UnsupportedConstruct,
)
from flushproof.frontend.c.types import (
    BUILTIN,
    Array,
    CType,
    FunctionType,
    Integer,
    Pointer,
    Struct,
)
from flushproof.frontend.c.walk import walk
from flushproof.ir.types import INT, S64, U32, U64, Int
from flushproof.support.diagnostics import InputError, Note, suggest_closest
from flushproof.support.record import Record, replace
from flushproof.support.resources import PRELUDE
from flushproof.support.source import Span


class Global(Record, frozen=True):
    """A variable at file level; `elsewhere` if no file that is read defines it."""

    name: str
    type: CType
    initialiser: c.Expr | None
    elsewhere: bool
    span: Span


class Declarations(Record, frozen=True):
    """The names of a program; `enums` maps each enumeration's values to their names.

    `wide` gives the types of the enumerators that do not fit int; `partial` says that structs have
    more members than were read.
    """

    structs: Mapping[str, StructInfo]
    constants: Mapping[str, int]
    typedefs: Mapping[str, CType]
    functions: Mapping[str, c.Function]
    globals: Mapping[str, Global]
    enums: Mapping[str, Mapping[int, str]]
    wide: Mapping[str, Int]
    partial: bool

    @property
    def known(self) -> Constants:
        """What constant expressions can speak of."""
        return Constants(self.constants, self.wide, self.structs, self.resolve)

    def resolve(self, written: c.WrittenType, declarator: c.Declarator) -> CType:
        """Return the type that a base type and a declarator give.

        Raises:
            InputError: the base type is not defined, or an array size is not constant.
        """
        if declarator.function_pointer:
            return Pointer(FunctionType())
        t = self.base(written)
        for _ in range(declarator.pointers):
            t = Pointer(t)
        for size in reversed(declarator.arrays):
            t = Array(t, None if size is None else self._size(size))
        return t

    def _size(self, e: c.Expr) -> int:
        size = evaluate_constant(e, self.known)
        if size < 0:
            raise InputError(Mismatch(span=e.span, text=f"an array cannot have {size} elements"))
        return size

    def result(self, f: c.Function) -> CType:
        """Return the type of what a function returns."""
        t = self.base(f.type)
        for _ in range(f.pointers):
            t = Pointer(t)
        return t

    def parameter(self, p: c.Parameter) -> CType:
        """Return the type of a parameter: that of an array is a pointer (C11 6.7.6.3)."""
        t = self.resolve(p.type, p.declarator)
        return Pointer(t.element) if isinstance(t, Array) else t

    def base(self, written: c.WrittenType) -> CType:
        """Return the type a base type names."""
        match written.kind:
            case "struct":
                return Struct(written.name)
            case "enum" if written.name in self.enums:
                return Integer(f"enum {written.name}", enum_type(self.enums[written.name]))
            case "enum":
                name = f"enum {written.name}"
                hint = suggest_closest(written.name, self.enums)
                raise InputError(UnknownType(span=written.span, name=name, hint=hint))
            case _:
                found = BUILTIN.get(written.name) or self.typedefs.get(written.name)
        if found is None:
            hint = suggest_closest(written.name, (*self.typedefs, *BUILTIN))
            raise InputError(UnknownType(span=written.span, name=written.name, hint=hint))
        return found


def enum_type(values: Mapping[int, str]) -> Int:
    """Return what gcc stores an enumeration in: unsigned unless an enumerator is negative."""
    return next(t for t in (U32, INT, U64, S64) if t.low <= min(values) and max(values) <= t.high)


_EXTENDED = frozenset({"kvm_arch", "kvm_vcpu_arch"})
"""Structs without members in the prelude that a file fills in; the others are the machine's own."""
_RESERVED = frozenset({"machine_boot"})
"""What no file may define: the machine calls it."""


class _Builder:
    """Collects declarations unit by unit; used once."""

    def __init__(self, *, partial: bool) -> None:
        self.given: frozenset[str] = frozenset()
        """The files of the prelude."""
        self.places: dict[tuple[str, str], Span] = {}
        self.structs: dict[str, StructInfo] = {}
        self.constants: dict[str, int] = {}
        self.typedefs: dict[str, CType] = {}
        self.functions: dict[str, c.Function] = {}
        self.globals: dict[str, Global] = {}
        self.enums: dict[str, dict[int, str]] = {}
        self.wide: dict[str, Int] = {}
        self.view = Declarations(
            self.structs,
            self.constants,
            self.typedefs,
            self.functions,
            self.globals,
            self.enums,
            self.wide,
            partial,
        )
        self.agreement = Agreement()

    def unit(self, unit: c.TranslationUnit) -> None:
        self.agreement = Agreement()
        for item in unit.items:
            self._item(item)
        if not self.given:
            self.given = frozenset(item.span.file for item in unit.items)

    def _item(self, item: c.TopLevel) -> None:
        match item:
            case c.StructDef():
                self._tag("struct", item.name, item.span)
                self._refuse_opaque(item)
                self._struct(item, item.name)
            case c.EnumDef():
                self._enum(item)
            case c.Typedef():
                self._typedef(item)
            case c.Declaration():
                self._globals(item)
            case c.Function():
                self._function(item)
            case _:
                assert_never(item)

    # Types --------------------------------------------------------------------------------------

    def _tag(self, kind: str, name: str, span: Span) -> None:
        """Note the definition of a struct or an enumeration, which share their names."""
        self.agreement.once(kind, name, span)
        self.agreement.kind("tag", name, kind, span)

    def _struct(self, item: c.StructDef, name: str) -> None:
        slots: list[MemberSlot] = []
        for field in item.fields:
            slots += self._slots(field, f"{name}.{len(slots)}", name)
        partial = self.view.partial or item.span.file == PRELUDE.name
        self.structs[name] = struct_info(name, slots, self.structs, item.span, partial=partial)

    def _slots(self, field: c.FieldDecl, nameless: str, owner: str) -> Iterator[MemberSlot]:
        """Yield the members of one declaration; a nameless inner struct is one with its own tag."""
        if field.nested is not None and not field.declarators:
            if field.nested.name:
                construct = "a struct with a tag that is no member"
                raise InputError(UnsupportedConstruct(span=field.span, construct=construct))
            self._struct(field.nested, nameless)
            yield MemberSlot("", Struct(nameless), None, field.span)
        for declarator in field.declarators:
            t = self._field_type(field, declarator, owner)
            if declarator.bits is None:
                yield MemberSlot(declarator.name, t, None, declarator.span)
                continue
            bits = evaluate_constant(declarator.bits, self.view.known)
            t = bit_field(t, bits, declarator)
            yield MemberSlot(declarator.name, t, bits, declarator.span)

    def _field_type(self, field: c.FieldDecl, declarator: c.Declarator, owner: str) -> CType:
        if field.nested is None:
            return self.view.resolve(field.type, declarator)
        first = field.declarators[0] is declarator
        inner = field.nested.name or f"{owner}.{field.declarators[0].name}"
        if first:
            if field.nested.name:
                self._tag("struct", inner, field.span)
            self._struct(field.nested, inner)
        return self.view.resolve(c.WrittenType("struct", inner, field.span), declarator)

    def _enum(self, item: c.EnumDef) -> None:
        self._tag("enum", item.name, item.span)
        value = -1
        names: dict[int, str] = {}
        for entry in item.enumerators:
            self._ordinary("enumerator", entry.name, entry.span)
            self.agreement.once("enumerator", entry.name, entry.span)
            value = (
                value + 1
                if entry.value is None
                else evaluate_constant(entry.value, self.view.known)
            )
            if value > U64.high:
                raise InputError(Mismatch(span=entry.span, text=f"{value} fits no enumeration"))
            self.constants[entry.name] = value
            names.setdefault(value, entry.name)
        if min(names) < 0 and max(names) > S64.high:
            text = f"no type holds all values of `enum {item.name}`"
            raise InputError(Mismatch(span=item.span, text=text))
        self.enums[item.name] = names
        for entry in item.enumerators:
            self.wide.pop(entry.name, None)
            if enumerator_type(self.constants[entry.name]) != INT:
                self.wide[entry.name] = enum_type(names)

    def _typedef(self, item: c.Typedef) -> None:
        name = item.declarator.name
        self._ordinary("typedef", name, item.span)
        t = self.view.resolve(item.type, item.declarator)
        known = self.typedefs.get(name)
        first = self.places.setdefault(("typedef", name), item.span)
        if known is not None and first.file in self.given and not is_compatible(known, t):
            note = Note("the machine's own type is this", first)
            raise InputError(Incompatible(span=item.span, kind="type", name=name, notes=(note,)))
        self.typedefs[name] = t
        self.agreement.type("typedef", name, t, item.span)

    # Variables and functions ----------------------------------------------------------------------

    def _ordinary(self, kind: str, name: str, span: Span) -> None:
        """Note what a name stands for; what an earlier unit has under it is hidden."""
        self.agreement.kind("name", name, kind, span)
        if kind != "enumerator":
            self.constants.pop(name, None)
        if kind != "typedef":
            self.typedefs.pop(name, None)
        if kind != "variable":
            self.globals.pop(name, None)
        if kind != "function":
            self.functions.pop(name, None)

    def _globals(self, item: c.Declaration) -> None:
        for entry in item.declarators:
            self.agreement.kind("name", entry.declarator.name, "variable", entry.span)
            self._refuse_variable(entry)
            self._ordinary("variable", entry.declarator.name, entry.span)
            self._global(item, entry)

    def _global(self, item: c.Declaration, entry: c.InitDeclarator) -> None:
        name, start = entry.declarator.name, entry.initialiser
        shapes = Shapes(self.structs, self.view.known, self.functions, lambda _: False)
        t = complete_type(shapes, self.view.resolve(item.type, entry.declarator), start)
        self.agreement.type("variable", name, t, entry.span)
        new = Global(name, t, start, "extern" in item.qualifiers and start is None, entry.span)
        known = self.globals.get(name)
        if start is not None:
            self.agreement.once("variable", name, entry.span)
            self.globals[name] = new
        elif known is None or known.type != t:
            self.globals[name] = new if known is None else _joined(known, new)
        elif known.elsewhere and not new.elsewhere:
            self.globals[name] = replace(known, elsewhere=False)

    def _function(self, item: c.Function) -> None:
        self._ordinary("function", item.name, item.span)
        self.agreement.function(item)
        known = self.functions.get(item.name)
        if item.body is not None:
            self.agreement.once("function", item.name, item.span)
            self._lasting(item, item.body)
        if known is None:
            self.functions[item.name] = item
        elif item.body is not None:
            self._refuse_second(known, item)
            self.functions[item.name] = item
        elif known.body is None and item.annotations:
            self.functions[item.name] = item

    def _lasting(self, f: c.Function, body: c.Block) -> None:
        """Declare what lasts beyond a call: variables of other files, and static ones."""
        for declaration in _qualified(_Body(body)):
            if "extern" in declaration.qualifiers:
                self._globals(declaration)
        for number, (declaration, entry) in enumerate(list_statics(body)):
            name = static_name(f, number)
            t = self.view.resolve(declaration.type, entry.declarator)
            shapes = Shapes(self.structs, self.view.known, self.functions, lambda _: False)
            start = entry.initialiser
            t = complete_type(shapes, t, start)
            self.globals[name] = Global(name, t, start, elsewhere=False, span=entry.span)

    # What may not be defined again ----------------------------------------------------------------

    def _refuse_second(self, known: c.Function, item: c.Function) -> None:
        """Refuse a function that another file defines, or that the machine calls itself."""
        replaced = known.span.file in self.given and item.name not in _RESERVED
        if known.body is not None and known != item and not replaced:
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


def list_statics(body: c.Block) -> Iterator[tuple[c.Declaration, c.InitDeclarator]]:
    """Yield the static variables of a function, in the order of the text."""
    for node in _qualified(_Body(body)):
        if "static" in node.qualifiers:
            yield from ((node, entry) for entry in node.declarators)


class _Body:
    """A body of a function, by identity: comparing whole trees would take longer than a walk."""

    __slots__ = ("block",)

    def __init__(self, block: c.Block) -> None:
        self.block = block

    def __hash__(self) -> int:
        return id(self.block)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Body) and other.block is self.block


@lru_cache(maxsize=2048)
def _qualified(body: _Body) -> tuple[c.Declaration, ...]:
    """Return the declarations within a body that have a storage class or a qualifier."""
    found = (node for node in walk(body.block) if isinstance(node, c.Declaration))
    return tuple(node for node in found if node.qualifiers)


def static_name(f: c.Function, number: int) -> str:
    """Return the name under which a static variable of a function stands at file level."""
    assert f.body is not None
    names = [entry.declarator.name for _, entry in list_statics(f.body)]
    same = names[:number].count(names[number])
    return f"{f.name}(){f'#{same}' if same else ''}.{names[number]}"


def _joined(known: Global, new: Global) -> Global:
    """Join two declarations of a variable: an array's size may be said by either."""
    if isinstance(new.type, Array) and new.type.size is None:
        return replace(known, elsewhere=known.elsewhere and new.elsewhere)
    if isinstance(known.type, Array) and known.type.size is None:
        return replace(known, type=new.type, elsewhere=known.elsewhere and new.elsewhere)
    return new


def resolve_declarations(
    units: tuple[c.TranslationUnit, ...], *, partial: bool = False
) -> Declarations:
    """Resolve the declarations of several units, earlier first.

    With `partial` the structs have more members than were read.

    Raises:
        InputError: a name is defined twice in one unit, or declared in two ways, a type is not
            defined, or a struct holds itself.
    """
    builder = _Builder(partial=partial)
    for unit in units:
        builder.unit(unit)
        if not partial:
            builder.agreement.check(builder.view.result, builder.view.parameter)
    check_finite(builder.structs)
    return builder.view

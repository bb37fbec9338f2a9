"""What names mean in a kernel file: in the prelude, the file, what it includes, or by default.

Struct members and other definitions are parsed when somebody asks for them, and remembered, so
that in the end exactly those are declared that the flush and the load need. A member that no file
at hand declares gets a type from how it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.type_errors import UnknownMember
from flushproof.frontend.c.types import (
    BUILTIN,
    INT_T,
    Array,
    CType,
    FunctionType,
    Integer,
    Pointer,
    Struct,
)
from flushproof.frontend.kernel.builtin_headers import BuiltinHeaders
from flushproof.frontend.kernel.item_parser import ItemParser
from flushproof.frontend.kernel.library import FilePiece, Library
from flushproof.frontend.kernel.pointers import CONSTRUCT, adds_attributes
from flushproof.frontend.kernel.text_scan import could_define
from flushproof.ir.types import U64
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

WIDE = Integer("u64", U64)
_BODY = Sort.FUNCTION


class Body(Record, frozen=True):
    """A function with its file."""

    function: c.Function
    where: FilePiece


@dataclass
class ResolvedNames:
    """Names resolved so far; `usage` says what members without a declaration are used as."""

    base: BuiltinHeaders
    library: Library
    usage: dict[str, c.WrittenType] = field(default_factory=dict)
    structs: dict[str, dict[str, c.FieldDecl]] = field(default_factory=dict)
    invented: dict[tuple[str, str], Span] = field(default_factory=dict)
    scopes: dict[int, tuple[c.Function, dict[str, CType]]] = field(default_factory=dict)
    _bodies: dict[tuple[str, str], Body | InputError | None] = field(default_factory=dict)
    _inner: dict[str, c.StructDef] = field(default_factory=dict)
    _defined: dict[str, bool] = field(default_factory=dict)

    @property
    def reader(self) -> ItemParser:
        """What parses items."""
        return ItemParser(self.library, self.base.context)

    # Functions ----------------------------------------------------------------------------------

    def modelled(self, name: str) -> c.Function | None:
        """Return the prelude's function, unless a C file at hand defines it: that is what runs."""
        found = self.base.prelude.functions.get(name)
        return None if found is None or self._own(name) else found

    def _own(self, name: str) -> bool:
        """Tell whether the file, or one beside a header that it includes, defines a function."""
        if name not in self._defined:
            library = self.library
            beside = (p for p in library.companions if could_define(library.text(p), _BODY, name))
            pieces = (library.main, *filter(None, map(library.piece, beside)))
            found = [(where, item) for where in pieces if (item := where.find(_BODY, name))]
            self._defined[name] = bool(found) and not self._as_modelled(name, *found[0])
        return self._defined[name]

    def _as_modelled(self, name: str, where: FilePiece, item: Item) -> bool:
        """Tell whether a function does what the prelude says of it."""
        return name == CONSTRUCT and adds_attributes(self.reader.function(where, item))

    def body(self, name: str, near: FilePiece | None) -> Body | None:
        """Return a function that some file defines, parsed; None where none does.

        Raises:
            InputError: it is outside the subset.
        """
        found = self.library.find(Sort.FUNCTION, name, near)
        if found is None:
            default = self.base.default(c.Function, name)
            known = isinstance(default, c.Function) and default.body is not None
            return Body(default, self.library.main) if known else None  # type: ignore[arg-type]
        where, item = found
        key = (where.name, name)
        if key not in self._bodies:
            try:
                self._bodies[key] = Body(self.reader.function(where, item), where)
            except InputError as error:
                self._bodies[key] = error
        result = self._bodies[key]
        if isinstance(result, InputError):
            raise result
        return result

    def result(self, name: str, near: FilePiece | None) -> CType | None:
        """Return the type a function returns, None where nothing is known of it."""
        known = self.modelled(name)
        if known is None:
            for sort in (Sort.FUNCTION, Sort.PROTOTYPE):
                found = self.library.find(sort, name, near)
                if found:
                    return self._result(found)
            default = self.base.default(c.Function, name)
            known = default if isinstance(default, c.Function) else None
        return None if known is None else self.pointed(self.written(known.type), known.pointers)

    def _result(self, found: tuple[FilePiece, Item]) -> CType | None:
        try:
            f = self.reader.function(*found)
        except (InputError, IndexError):
            return None
        return self.pointed(self.written(f.type), f.pointers)

    # Types --------------------------------------------------------------------------------------

    def pointed(self, t: CType, pointers: int) -> CType:
        """Return a pointer to a type, several times over."""
        for _ in range(pointers):
            t = Pointer(t)
        return t

    def written(self, t: c.WrittenType) -> CType:
        """Return what a written type means; one that no file at hand declares is taken as u64."""
        if t.kind == "struct":
            return Struct(t.name)
        if t.kind == "enum":
            return Integer(f"enum {t.name}", INT_T.ir)
        return BUILTIN.get(t.name) or self.base.prelude.typedefs.get(t.name) or WIDE

    def declared(self, t: c.WrittenType, d: c.Declarator) -> CType:
        """Return the type of a declarator."""
        if d.function_pointer:
            return Pointer(FunctionType())
        result = self.pointed(self.written(t), d.pointers)
        for _ in d.arrays:
            result = Array(result, None)
        return result

    # Members ------------------------------------------------------------------------------------

    def member(self, struct: str, name: str, span: Span) -> CType:
        """Return the type of a struct member, and remember that it is needed.

        Raises:
            InputError: a file at hand defines the struct, without that member.
        """
        known = self.base.prelude.structs.get(struct)
        if known is not None and name in known.members:
            return known.members[name]
        fields = self.structs.setdefault(struct, {})
        if name not in fields:
            fields[name] = self._field(struct, name, span)
        return self._type(fields[name], struct, name)

    def _type(self, f: c.FieldDecl, struct: str, name: str) -> CType:
        d = next(x for x in f.declarators if x.name == name)
        if f.nested is None:
            return self.declared(f.type, d)
        inner = f.nested.name or f"{struct}.{name}"
        self._inner[inner] = f.nested
        return self.pointed(Struct(inner), d.pointers)

    def _field(self, struct: str, name: str, span: Span) -> c.FieldDecl:
        nested = self._inner.get(struct)
        if nested is not None:
            found = _only(nested.fields, name)
            if found is None:
                names = (d.name for f in nested.fields for d in f.declarators)
                raise InputError(_no_member(struct, name, names, span))
            return found
        return self._declared_field(struct, name, span) or self._invent(struct, name, span)

    def _declared_field(self, struct: str, name: str, span: Span) -> c.FieldDecl | None:
        place = self.library.find(Sort.STRUCT, struct)
        if place is not None:
            parsed = self.reader.field(*place, name)
            if parsed is None:
                words = (t.text for t in place[0].raw(place[1]))
                raise InputError(_no_member(struct, name, words, span))
            return _only((parsed,), name)
        default = self.base.default(c.StructDef, struct)
        return _only(default.fields, name) if isinstance(default, c.StructDef) else None

    def _invent(self, struct: str, name: str, span: Span) -> c.FieldDecl:
        self.invented[struct, name] = span
        t = self.usage.get(name) or c.WrittenType("name", "u64", span)
        return c.FieldDecl(t, (c.Declarator(name, 0, (), False, None, span),), None, span)  # noqa: FBT003

    def whole(self, struct: str) -> None:
        """Remember every member of a struct, in order."""
        if struct in self.base.prelude.structs or struct in self._inner:
            return
        place = self.library.find(Sort.STRUCT, struct)
        if place is None:
            self.structs.setdefault(struct, {})
            return
        built = self.reader.typedef(*place)
        for item in built:
            if isinstance(item, c.StructDef) and item.name == struct:
                fields = [
                    (d.name, replace(f, declarators=(d,)))
                    for f in item.fields
                    for d in f.declarators
                ]
                self.structs[struct] = dict(fields)


def _only(fields: Iterable[c.FieldDecl], name: str) -> c.FieldDecl | None:
    """Return the declaration of one member without the others beside it."""
    for f in fields:
        for d in f.declarators:
            if d.name == name:
                return replace(f, declarators=(d,))
    return None


def _no_member(struct: str, name: str, names: Iterable[str], span: Span) -> UnknownMember:
    return UnknownMember(span=span, struct=struct, name=name, hint=suggest_closest(name, names))

"""The types of expressions in a function that is not lowered yet, as far as they can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.types import Array, CType, Pointer, Struct
from flushproof.frontend.c.walk import Node, walk
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.support.record import Record
from flushproof.support.source import Span

Scope = Mapping[str, CType]


class MemberUse(Record, frozen=True):
    """A use of a struct member."""

    struct: str
    member: str
    type: CType
    node: c.Member

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self.node.span


def scope_of(known: ResolvedNames, function: c.Function) -> dict[str, CType]:
    """Return the types of a function's parameters and local variables."""
    known_of, found = known.scopes.get(id(function), (None, {}))
    if known_of is function:
        return found
    found = {}
    for p in function.parameters:
        found[p.declarator.name] = known.declared(p.type, p.declarator)
    for node in walk(function.body) if function.body else ():
        if isinstance(node, c.Declaration):
            for d in node.declarators:
                found[d.declarator.name] = known.declared(node.type, d.declarator)
    known.scopes[id(function)] = function, found
    return found


def member_uses(known: ResolvedNames, body: Body, node: Node | None = None) -> Iterator[MemberUse]:
    """Yield the struct members that a function, or a part of it, uses."""
    scope = scope_of(known, body.function)
    start = node or body.function.body
    for part in walk(start) if start else ():
        if isinstance(part, c.Member):
            struct = struct_of(known, body, scope, part)
            if struct is not None:
                t = known.member(struct, part.name, part.span)
                yield MemberUse(struct, part.name, t, part)


def root_of(e: c.Expr) -> c.Name | None:
    """Return the variable that an expression names, or names a part of."""
    while isinstance(e, c.Member | c.Index | c.CastExpr):
        if isinstance(e, c.Member) and e.arrow:
            return None
        e = e.operand if isinstance(e, c.CastExpr) else e.base
    return e if isinstance(e, c.Name) else None


def is_table(e: c.Expr, scope: Scope) -> TypeGuard[c.Member]:
    """Tell whether an expression is the entry of a table of operations."""
    if not (isinstance(e, c.Member) and isinstance(e.base, c.Name)):
        return False
    return e.base.id not in scope and "ops" in e.base.id


def struct_of(known: ResolvedNames, body: Body, scope: Scope, e: c.Member) -> str | None:
    """Return the struct whose member an expression names."""
    t = type_of(known, body, scope, e.base)
    if e.arrow and isinstance(t, Pointer):
        t = t.target
    return t.name if isinstance(t, Struct) else None


def type_of(known: ResolvedNames, body: Body, scope: Scope, e: c.Expr) -> CType | None:
    """Return the type of an expression, None where it cannot be told."""
    match e:
        case c.Name(name):
            return scope.get(name) or _global(known, body, name)
        case c.Member():
            struct = struct_of(known, body, scope, e)
            return None if struct is None else known.member(struct, e.name, e.span)
        case c.UnaryExpr("&", operand):
            t = type_of(known, body, scope, operand)
            return None if t is None else Pointer(t)
        case c.UnaryExpr("*", operand) | c.Index(operand):
            return _element(type_of(known, body, scope, operand))
        case c.CallExpr(c.Name(name)):
            return known.result(name, body.where)
        case c.CastExpr(written, declarator):
            return known.declared(written, declarator)
        case c.ContainerOf(_, written):
            return Pointer(Struct(written.name))
        case c.AssignExpr(_, target):
            return type_of(known, body, scope, target)
        case c.Conditional(_, then, otherwise):
            return type_of(known, body, scope, otherwise if then is None else then)
        case _:
            return None


def _element(t: CType | None) -> CType | None:
    return t.target if isinstance(t, Pointer) else t.element if isinstance(t, Array) else None


def _global(known: ResolvedNames, body: Body, name: str) -> CType | None:
    found = known.library.find(Sort.GLOBAL, name, body.where)
    declared = known.reader.variable(*found) if found else None
    if declared is None:
        return None
    entry = next((d for d in declared.declarators if d.declarator.name == name), None)
    return None if entry is None else known.declared(declared.type, entry.declarator)


def usage_of(known: ResolvedNames, functions: Iterator[c.Function]) -> dict[str, c.WrittenType]:
    """Return types for members by their use: handed to a known function, or given an enumerator."""
    found: dict[str, c.WrittenType] = {}
    for function in functions:
        for node in walk(function.body) if function.body else ():
            match node:
                case c.CallExpr(c.Name(name), arguments):
                    _arguments(known, name, arguments, found)
                case c.AssignExpr(_, c.Member(_, member), c.Name(value)) | c.BinaryExpr(
                    "==" | "!=", c.Member(_, member), c.Name(value)
                ):
                    enum = _enum(known, value)
                    if enum:
                        found.setdefault(member, c.WrittenType("enum", enum, node.span))
                case _:
                    pass
    return found


def _arguments(
    known: ResolvedNames, name: str, arguments: tuple[c.Expr, ...], found: dict[str, c.WrittenType]
) -> None:
    function = known.modelled(name)
    if function is None:
        return
    for p, argument in zip(function.parameters, arguments, strict=False):
        plain = p.declarator.pointers == 1 and p.type.name != "void"
        if plain and isinstance(argument, c.UnaryExpr) and isinstance(argument.operand, c.Member):
            found.setdefault(argument.operand.name, p.type)


def _enum(known: ResolvedNames, enumerator: str) -> str:
    place = known.library.find(Sort.ENUM, enumerator)
    if place:
        return place[1].name
    default = known.base.default(c.EnumDef, enumerator)
    return default.name if isinstance(default, c.EnumDef) else ""

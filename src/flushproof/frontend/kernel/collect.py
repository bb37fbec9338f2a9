"""The declarations that reduced functions need, as one translation unit behind the prelude."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.rewrite import rewrite_expression, rewrite_statement
from flushproof.frontend.c.type_errors import UnknownName
from flushproof.frontend.c.types import BUILTIN
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.assembly import ANY
from flushproof.frontend.kernel.builtin_headers import names_of
from flushproof.frontend.kernel.constant_folding import fold_branches
from flushproof.frontend.kernel.havoc import GIVEN
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.notes import STATE, Notes, unconstrained_value
from flushproof.frontend.kernel.state import changed_expression
from flushproof.frontend.kernel.type_inference import Scope, scope_of
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace


@dataclass
class Collector:
    """Finds what is declared outside functions; `functions` are those of the slice, by name."""

    known: ResolvedNames
    functions: dict[str, Body]
    notes: Notes
    enums: dict[str, c.EnumDef] = field(default_factory=dict)
    typedefs: dict[str, c.TopLevel] = field(default_factory=dict)
    variables: dict[str, c.Declaration] = field(default_factory=dict)

    def unit(self) -> c.TranslationUnit:
        """Return the slice with all that it needs, what is used first."""
        bodies = [self._function(body) for body in self.functions.values()]
        for body in bodies:
            for t in _written(body):
                self._type(t)
        self._containers()
        structs = [self._struct(name) for name in self._struct_names()]
        given = (ANY, *(GIVEN if STATE in self.notes.called else ()))
        defaults = (self.known.base.default(c.Function, name) for name in given)
        # The second of two equal definitions would be one too many.
        return c.TranslationUnit(
            (
                *(x for x in defaults if x is not None),
                *self.typedefs.values(),
                *dict.fromkeys(self.enums.values()),
                *structs,
                *dict.fromkeys(self.variables.values()),
                *self._handed_on(),
                *bodies,
            )
        )

    # Structs ------------------------------------------------------------------------------------

    def _containers(self) -> None:
        """Remember the members that container_of goes through, in the prelude's helpers too."""
        calls = {
            n.function.id
            for body in self.functions.values()
            for n in (walk(body.function.body) if body.function.body else ())
            if isinstance(n, c.CallExpr) and isinstance(n.function, c.Name)
        }
        helpers = [self.known.modelled(name) for name in sorted(calls)]
        for f in (*(b.function for b in self.functions.values()), *helpers):
            for node in walk(f.body) if f is not None and f.body is not None else ():
                if isinstance(node, c.ContainerOf):
                    self.known.member(node.type.name, node.member[0], node.span)

    def _struct_names(self) -> tuple[str, ...]:
        done: dict[str, None] = {}
        pending = list(self.known.structs)
        while pending:
            name = pending.pop(0)
            if name in done or "." in name:
                continue
            done[name] = None
            for f in self.known.structs.get(name, {}).values():
                inner = f.type.kind == "struct" and not any(d.pointers for d in f.declarators)
                if inner and f.nested is None and f.type.name not in done:
                    pending.append(f.type.name)
        return tuple(done)

    def _struct(self, name: str) -> c.StructDef:
        fields = self.known.structs.get(name, {}).values()
        for f in fields:
            for t in (f.type, *(x.type for x in (f.nested.fields if f.nested else ()))):
                self._type(t)
        given = self.known.base.struct(name)
        before = given.fields if given else ()
        spans = [f.span for f in (*fields, *before)]
        span = spans[0] if spans else self.known.base.units[0].items[0].span
        return c.StructDef(name, (*before, *fields), span)

    # Types --------------------------------------------------------------------------------------

    def _type(self, t: c.WrittenType) -> None:
        if t.kind == "enum":
            self._enum(t.name)
        elif t.kind == "name" and t.name not in BUILTIN and t.name != "...":
            self._typedef(t)

    def _enum(self, name: str) -> bool:
        """Declare the enumeration of that name or with that enumerator."""
        if name in self.enums:
            return True
        found = self.known.library.find(Sort.ENUM, name)
        default = self.known.base.default(c.EnumDef, name)
        built = self.known.reader.enumeration(*found) if found else (default,)
        for item in built:
            if isinstance(item, c.EnumDef):
                self.enums |= {n: item for n in names_of(item) if n}
        return name in self.enums

    def _typedef(self, t: c.WrittenType) -> None:
        if t.name in self.typedefs or t.name in self.known.base.prelude.typedefs:
            return
        found = self.known.library.find(Sort.TYPEDEF, t.name)
        wide = c.WrittenType("name", "u64", t.span)
        plain = c.Declarator(t.name, 0, (), function_pointer=False, bits=None, span=t.span)
        self.typedefs[t.name] = c.Typedef(wide, plain, t.span)
        if not found:
            self.notes.assume(f"{t.name} is an unsigned integer of 64 bits")
            return
        try:
            built = self.known.reader.typedef(*found)
        except InputError:
            return
        inner = next((i for i in built if isinstance(i, c.Typedef)), None)
        if inner is not None and inner.type.kind == "name" and not inner.declarator.arrays:
            self._type(inner.type)
            self.typedefs.pop(t.name)
            self.typedefs[t.name] = inner

    # Variables and enumerators --------------------------------------------------------------------

    def _function(self, body: Body) -> c.Function:
        f = body.function
        if f.body is None:
            return f
        scope = scope_of(self.known, f)

        def expression(e: c.Expr) -> c.Expr:
            match e:
                case c.Name(name) if name not in scope:
                    return self._named(e, name, body)
                case c.Member() if (root := _root(e)) and self._elsewhere(root.id, scope):
                    return self._any(root)
                case c.CallExpr(c.Name()):
                    return replace(e, arguments=tuple(expression(a) for a in e.arguments))
                case _:
                    return rewrite_expression(e, expression, statement)

        def statement(s: c.Stmt) -> c.Stmt:
            return rewrite_statement(s, expression, statement)

        new = fold_branches(statement(f.body))
        assert isinstance(new, c.Block)
        return replace(f, body=new)

    def _named(self, e: c.Name, name: str, body: Body) -> c.Expr:
        """Return what stands for a name: itself, its value, or anything."""
        prelude = self.known.base.prelude
        if name in self.functions or name in prelude.functions or name in prelude.constants:
            return e
        if self._enum(name) or self.known.library.find(Sort.FUNCTION, name, body.where):
            return e
        declared = self._variable(name, body)
        if declared is None:
            handed_on = self.known.library.find(Sort.PROTOTYPE, name)
            if not handed_on:
                raise InputError(UnknownName(span=e.span, name=name))
            return e
        if self._writes(name):
            self.variables[name] = declared
            self._type(declared.type)
            return e
        start = declared.declarators[0].initialiser
        if not isinstance(start, c.Number):
            return self._any(e)
        self.notes.assume(f"{name} keeps its initial value, {start.value}")
        return replace(start, span=e.span)

    def _any(self, e: c.Name) -> c.Expr:
        self.notes.assume(f"{e.id} may hold anything")
        return unconstrained_value(e.span)

    def _elsewhere(self, name: str, scope: Scope) -> bool:
        """Tell whether a variable is one of the kernel that no function of the slice changes."""
        prelude = self.known.base.prelude
        known = name in scope or name in prelude.constants or name in prelude.functions
        return not known and not any(
            (root := _root(target)) is not None and root.id == name
            for b in self.functions.values()
            for n in (walk(b.function.body) if b.function.body else ())
            if (target := changed_expression(n)) is not None
        )

    def _variable(self, name: str, body: Body) -> c.Declaration | None:
        """Return the declaration of a variable at file level, one with a value if possible."""
        found = self.known.library.find(Sort.GLOBAL, name, body.where)
        declared = self.known.reader.variable(*found) if found else None
        if declared is None or not _starts(declared, name):
            default = self.known.base.default(c.Declaration, name)
            declared = default if isinstance(default, c.Declaration) else declared
        if declared is None:
            return None
        entries = tuple(d for d in declared.declarators if d.declarator.name == name)
        return replace(declared, declarators=entries) if entries else None

    def _writes(self, name: str) -> bool:
        nodes = (
            n
            for b in self.functions.values()
            for n in (walk(b.function.body) if b.function.body else ())
        )
        return any(
            isinstance(n, c.AssignExpr | c.Postfix | c.UnaryExpr)
            and (n.target if isinstance(n, c.AssignExpr) else n.operand) == c.Name(name, n.span)
            and (not isinstance(n, c.UnaryExpr) or n.op in ("++", "--", "&"))
            for n in nodes
        )

    def _handed_on(self) -> Iterator[c.Function]:
        """Declare the functions that are only named, as arguments of others."""
        free = (c.Annotation("__free", (), self.known.base.units[0].items[0].span),)
        known = self.known.base.prelude.functions
        for name in list(self.notes.called):
            if name in self.functions or name in known:
                continue
            yield c.Function(
                name,
                c.WrittenType("name", "int", free[0].span),
                0,
                (),
                free,
                None,
                free[0].span,
            )


def _root(e: c.Expr) -> c.Name | None:
    """Return the variable that an expression names, or names a member of."""
    while isinstance(e, c.Member | c.Index):
        e = e.base
    return e if isinstance(e, c.Name) else None


def _starts(d: c.Declaration, name: str) -> bool:
    return any(x.declarator.name == name and x.initialiser is not None for x in d.declarators)


def _written(f: c.Function) -> Iterator[c.WrittenType]:
    yield f.type
    for p in f.parameters:
        yield p.type
    for node in walk(f.body) if f.body else ():
        match node:
            case c.Declaration(t) | c.CastExpr(t):
                yield t
            case c.SizeOf(c.WrittenType() as t):
                yield t
            case _:
                pass

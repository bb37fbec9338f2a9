"""Local variables: their declaration, and the values they start with."""

from __future__ import annotations

from flushproof.diagnostics import InputError, closest
from flushproof.frontend import syntax as c
from flushproof.frontend.errors import Mismatch, UnknownType
from flushproof.frontend.types import CType, Integer, Pointer, Struct
from flushproof.ir.code import Havoc, Local
from flushproof.ir.types import BOOL
from flushproof.lower import convert
from flushproof.lower.context import Alias, Context, Named, unsupported
from flushproof.lower.expressions import lower
from flushproof.lower.places import member
from flushproof.lower.store import assign_alias, store
from flushproof.lower.values import FALSE, Frame, LocalPlace, Place, StructPlace
from flushproof.source import Span


def declaration(ctx: Context, s: c.Declaration) -> None:
    """Emit the initialisation of local variables and bind their names.

    Raises:
        InputError: a variable has a type or an initialiser that is not accepted.
    """
    for entry in s.declarators:
        t = ctx.env.declarations.resolve(s.type, entry.declarator)
        if "static" in s.qualifiers:
            raise unsupported("a static local variable", entry.span)
        _declare(ctx, entry.declarator.name, t, entry)


def _declare(ctx: Context, name: str, t: CType, entry: c.InitDeclarator) -> None:
    match t:
        case Struct():
            _declare_struct(ctx, name, t, entry)
        case Pointer() if not ctx.is_vcpu_pointer(t):
            _declare_pointer(ctx, name, t, entry)
        case Integer() | Pointer():
            _declare_scalar(ctx, name, t, entry)
        case _:
            raise unsupported(f"a local variable of type `{t}`", entry.span)


def _declare_scalar(ctx: Context, name: str, t: CType, entry: c.InitDeclarator) -> None:
    local = ctx.emitter.local(name, ctx.field_type(t, entry.span))
    if entry.initialiser is not None:
        value = convert.as_type(lower(ctx, entry.initialiser), t, entry.span)
        ctx.emitter.assign(local, value, entry.span)
        ctx.bind(name, Named(LocalPlace(local, t)))
        return
    written = _unwritten(ctx, name, entry.span)
    ctx.emitter.emit(Havoc(local, entry.span))
    ctx.bind(name, Named(LocalPlace(local, t, written, name)))


def _unwritten(ctx: Context, name: str, span: Span) -> Local:
    written = ctx.emitter.local(f"{name}.written", BOOL)
    ctx.emitter.assign(written, FALSE, span)
    return written


def _declare_pointer(ctx: Context, name: str, t: Pointer, entry: c.InitDeclarator) -> None:
    if entry.initialiser is None:
        alias = Alias(t, ctx.emitter.local(name, BOOL), None, _unwritten(ctx, name, entry.span))
        ctx.emitter.emit(Havoc(alias.nonnull, entry.span))
    else:
        value = lower(ctx, entry.initialiser)
        alias = Alias(t, ctx.emitter.local(name, BOOL))
        assign_alias(ctx, alias, value, entry.span)
    ctx.bind(name, alias)


def _declare_struct(ctx: Context, name: str, t: Struct, entry: c.InitDeclarator) -> None:
    if t.name not in ctx.env.declarations.structs:
        hint = closest(t.name, ctx.env.declarations.structs)
        raise InputError(UnknownType(span=entry.span, name=str(t), hint=hint))
    prefix = ctx.emitter.local(name, BOOL).name
    where = StructPlace(Frame(prefix), (), t)
    ctx.bind(name, Named(where))
    if isinstance(entry.initialiser, c.InitList):
        _initialise(ctx, where, entry.initialiser)
    elif entry.initialiser is not None:
        store(ctx, where, lower(ctx, entry.initialiser), entry.span)
    else:
        _havoc_struct(ctx, where, entry.span)


def _initialise(ctx: Context, where: StructPlace, init: c.InitList) -> None:
    names = list(ctx.env.declarations.structs[where.struct.name].members)
    given: dict[str, c.InitItem] = {}
    position = 0
    for item in init.items:
        if not item.member and position >= len(names):
            raise InputError(Mismatch(span=item.span, text="more values than members"))
        key = item.member or names[position]
        position = names.index(key) + 1 if key in names else position
        given[key] = item
    for key in dict.fromkeys((*names, *given)):
        written = given.get(key)
        at = init.span if written is None else written.span
        _fill(ctx, member(ctx, where, key, at), None if written is None else written.value, at)


def _fill(ctx: Context, place: Place, value: c.Expr | None, at: Span) -> None:
    """Give a member its initial value, zero where none is written."""
    if isinstance(place, StructPlace) and (value is None or isinstance(value, c.InitList)):
        _initialise(ctx, place, value or c.InitList((), at))
    else:
        store(ctx, place, convert.number(0) if value is None else lower(ctx, value), at)


def _havoc_struct(ctx: Context, where: StructPlace, span: Span) -> None:
    for name in ctx.env.declarations.structs[where.struct.name].members:
        leaf = member(ctx, where, name, span)
        if isinstance(leaf, LocalPlace):
            ctx.emitter.emit(Havoc(leaf.local, span))

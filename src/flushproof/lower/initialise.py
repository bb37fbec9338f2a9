"""Variables: their declaration, and the values they start with."""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import list_statics, static_name
from flushproof.frontend.c.initialisers import Path, Shapes, Values, complete_type, values_of
from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct
from flushproof.frontend.c.walk import walk
from flushproof.ir.code import Havoc, Local, LocalOrigin
from flushproof.ir.types import BOOL
from flushproof.lower.arrays import require_array
from flushproof.lower.assignment import assign_alias, convert_for_storage, store_value
from flushproof.lower.context import Alias, Context, Named, unsupported_construct
from flushproof.lower.expressions import global_place, lower_expression
from flushproof.lower.places import scalar_places, select_part, unknown_struct
from flushproof.lower.values import (
    FALSE,
    ArrayPlace,
    BitPlace,
    FieldPlace,
    Frame,
    LocalPlace,
    Null,
    Place,
    StructPlace,
    StructValue,
)
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.support.source import Span


def lower_declaration(ctx: Context, s: c.Declaration) -> None:
    """Emit the initialisation of local variables and bind their names.

    Raises:
        InputError: a variable has a type or an initialiser that is not accepted.
    """
    for entry in s.declarators:
        name = entry.declarator.name
        if "extern" in s.qualifiers:
            if entry.initialiser is not None:
                text = f"`{name}` is `extern` within a function, and is given a value"
                raise InputError(Mismatch(span=entry.span, text=text))
            ctx.declare(name, Named(global_place(ctx, name, entry.span)), entry.span)
        elif "static" in s.qualifiers:
            lasting = _static(ctx, entry)
            ctx.declare(name, Named(global_place(ctx, lasting, entry.span)), entry.span)
        else:
            t = ctx.env.declarations.resolve(s.type, entry.declarator)
            _declare(ctx, name, complete_type(known_shapes(ctx), t, entry.initialiser), entry)


def _static(ctx: Context, entry: c.InitDeclarator) -> str:
    """Return the name at file level of a static variable."""
    function = ctx.env.declarations.functions[ctx.frame.name]
    assert function.body is not None
    number = next(k for k, (_, e) in enumerate(list_statics(function.body)) if e is entry)
    return static_name(function, number)


def _declare(ctx: Context, name: str, t: CType, entry: c.InitDeclarator) -> None:
    match t:
        case Struct():
            _declare_struct(ctx, name, t, entry)
        case Pointer() if not ctx.is_vcpu_pointer(t):
            _declare_pointer(ctx, name, t, entry)
        case Integer() | Pointer():
            _declare_scalar(ctx, name, t, entry)
        case Array():
            _declare_array(ctx, name, t, entry)
        case _:
            raise unsupported_construct(f"a local variable of type `{t}`", entry.span)


def _declare_scalar(ctx: Context, name: str, t: CType, entry: c.InitDeclarator) -> None:
    local = ctx.emitter.local(name, ctx.field_type(t, entry.span))
    if entry.initialiser is not None and not _names_itself(entry):
        value = lower_expression(ctx, _unbraced(ctx, t, entry.initialiser))
        ctx.emitter.assign(local, convert_for_storage(ctx, value, t, entry.span), entry.span)
        ctx.declare(name, Named(LocalPlace(local, t)), entry.span)
        return
    written = _unwritten(ctx, name, entry.span)
    ctx.emitter.emit(Havoc(local, entry.span))
    place = LocalPlace(local, t, written, name)
    ctx.declare(name, Named(place), entry.span)
    if entry.initialiser is not None:
        value = lower_expression(ctx, _unbraced(ctx, t, entry.initialiser))
        store_value(ctx, place, value, entry.span)


def _names_itself(entry: c.InitDeclarator) -> bool:
    """Tell whether the value that a variable is given may look at it: it is in scope by then."""
    if entry.initialiser is None:
        return False
    below = walk(entry.initialiser)
    return any(isinstance(x, c.Name) and x.id == entry.declarator.name for x in below)


def _unwritten(ctx: Context, name: str, span: Span) -> Local:
    written = ctx.emitter.local(f"{name}.written", BOOL, LocalOrigin.WRITTEN_FLAG)
    ctx.emitter.assign(written, FALSE, span)
    return written


def _declare_pointer(ctx: Context, name: str, t: Pointer, entry: c.InitDeclarator) -> None:
    early = entry.initialiser is None or _names_itself(entry)
    if early:
        alias = Alias(t, ctx.emitter.local(name, BOOL), None, _unwritten(ctx, name, entry.span))
        ctx.emitter.emit(Havoc(alias.nonnull, entry.span))
        ctx.declare(name, alias, entry.span)
    else:
        alias = Alias(t, ctx.emitter.local(name, BOOL))
    if entry.initialiser is not None:
        value = lower_expression(ctx, _unbraced(ctx, t, entry.initialiser))
        assign_alias(ctx, alias, value, entry.span)
    if not early:
        ctx.declare(name, alias, entry.span)


def _declare_struct(ctx: Context, name: str, t: Struct, entry: c.InitDeclarator) -> None:
    if t.name not in ctx.env.declarations.structs:
        raise unknown_struct(ctx, t, entry.span)
    prefix = ctx.emitter.local(name, BOOL).name
    where = StructPlace(Frame(prefix, t), (), t)
    ctx.declare(name, Named(where), entry.span)
    if entry.initialiser is not None:
        lower_initialiser(ctx, where, t, entry.initialiser)
        return
    for leaf in scalar_places(ctx, where, entry.span):
        if isinstance(leaf, LocalPlace):
            ctx.emitter.emit(Havoc(leaf.local, entry.span))


def _declare_array(ctx: Context, name: str, t: Array, entry: c.InitDeclarator) -> None:
    require_array(ctx, t, entry.span)
    where = ArrayPlace(None, ctx.emitter.local(name, BOOL).name, t, local=True)
    ctx.declare(name, Named(where), entry.span)
    if entry.initialiser is not None:
        lower_initialiser(ctx, where, t, entry.initialiser)
        return
    for leaf in scalar_places(ctx, where, entry.span):
        if isinstance(leaf, LocalPlace):
            ctx.emitter.emit(Havoc(leaf.local, entry.span))


# Initial values -----------------------------------------------------------------------------------


def known_shapes(ctx: Context) -> Shapes:
    """Return what is known of types, for taking an initialiser apart."""
    d = ctx.env.declarations
    return Shapes(d.structs, d.known, d.functions, lambda e: _is_struct(ctx, e))


def _is_struct(ctx: Context, e: c.Expr) -> bool:
    return isinstance(lower_expression(ctx.aside(), e), StructValue)


def _unbraced(ctx: Context, t: CType, e: c.Expr) -> c.Expr:
    """Return the value of a scalar without the braces that may be around it."""
    return values_of(known_shapes(ctx), t, e)[()] if isinstance(e, c.InitList) else e


def lower_initialiser(
    ctx: Context, where: Place, t: CType, e: c.Expr, only: frozenset[str] | None = None
) -> None:
    """Emit the stores of an initialiser, and of 0 where it gives no value.

    With `only` nothing is stored or evaluated for shared fields of other names.

    Raises:
        InputError: the initialiser does not fit the type.
    """
    plain: Values = {(): e}
    values = values_of(known_shapes(ctx), t, e) if isinstance(e, c.InitList) else plain
    _InitialValues(ctx, known_shapes(ctx), values, only, e.span).fill(where, t, ())


class _InitialValues(Record, frozen=True):
    """The values that an object starts with, by path."""

    ctx: Context
    shapes: Shapes
    values: Values
    only: frozenset[str] | None
    span: Span

    def fill(self, where: Place, t: CType, path: Path) -> None:
        written = self.values.get(path)
        if written is not None:
            if self._wanted(where):
                store_value(self.ctx, where, lower_expression(self.ctx, written), written.span)
            return
        parts = None if self._is_lock(t) else self.shapes.parts(t)
        if parts is None:
            if self._wanted(where) and not self._is_lock(t):
                store_value(self.ctx, where, Null(), self.span)
            return
        for below, inner in parts:
            place = select_part(self.ctx, where, below[0], self.span) if below else where
            self.fill(place, inner, path + below)

    def _is_lock(self, t: CType) -> bool:
        """Tell whether the part is a lock, which starts free."""
        return isinstance(t, Struct) and t.name in self.ctx.env.lock_types

    def _wanted(self, where: Place) -> bool:
        match where:
            case _ if self.only is None:
                return True
            case FieldPlace(field) | BitPlace(FieldPlace(field)):
                return field.name in self.only
            case _:
                return True

"""Assignment: a value converted and put into a place or given to a pointer variable."""

from __future__ import annotations

from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.types import CType, Pointer, Struct
from flushproof.ir.code import Assign, Const, Expr, Var
from flushproof.ir.types import NO_VCPU, VCPU
from flushproof.lower import convert
from flushproof.lower.arrays import all_elements, is_in_vcpu
from flushproof.lower.bits import replace_bits
from flushproof.lower.context import (
    Alias,
    Context,
    in_vcpu,
    same_place,
    unsupported_construct,
    vcpu_of,
)
from flushproof.lower.places import (
    member_place,
    read_place,
    scalar_places,
    value_of,
    vcpu_nonnull,
    vcpu_view,
    vm_part,
    write_place,
)
from flushproof.lower.values import (
    FALSE,
    TRUE,
    ArrayPlace,
    BitPlace,
    ChosenPlace,
    FieldPlace,
    Null,
    Place,
    PointerTo,
    Scalar,
    StructPlace,
    StructValue,
    Value,
)
from flushproof.lower.views import as_pointer
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def store_value(ctx: Context, where: Place, value: Value, span: Span) -> Value:
    """Convert a value, write it to a place, and return what was written."""
    if isinstance(where, StructPlace):
        return _copy_struct(ctx, where, value, span)
    if isinstance(where, ArrayPlace):
        raise InputError(Mismatch(span=span, text="an array cannot be assigned"))
    if isinstance(value, PointerTo) and not ctx.is_vm_pointer(where.type):
        raise unsupported_construct("an address that is stored in memory", span)
    expr = convert_for_storage(ctx, value, where.type, span)
    if not isinstance(expr, Const):
        expr = ctx.emitter.keep(expr, span)
    write_place(ctx, where, expr, span)
    return value_of(ctx, expr, where.type, span)


def convert_for_storage(ctx: Context, value: Value, t: CType, span: Span) -> Expr:
    """Convert a value for storage in a scalar of C type `t`, in the form that the model gives it.

    Raises:
        InputError: the types do not fit.
    """
    match value:
        case Null() | Scalar(Const(0)) if isinstance(t, Pointer):
            null = NO_VCPU if ctx.is_vcpu_pointer(t) else 0
            return Const(null, ctx.field_type(t, span))
        case PointerTo(where, nonnull) if isinstance(t, Pointer) and ctx.is_vm_pointer(t):
            seen = as_pointer(ctx, PointerTo(where), t.target, span)
            if not isinstance(seen, PointerTo) or seen.place != vm_part(ctx, t, span):
                raise InputError(Mismatch(span=span, text=f"this value does not fit in `{t}`"))
            return nonnull
        case Null():
            value = convert.int_constant(0)
        case _:
            pass
    expr = convert.as_type(value, t, span)
    if isinstance(t, Pointer) and expr.type != ctx.field_type(t, span):
        raise InputError(Mismatch(span=span, text=f"this value does not fit in `{t}`"))
    return expr


def _copy_struct(ctx: Context, where: StructPlace, value: Value, span: Span) -> Value:
    if not isinstance(value, StructValue) or value.place.struct != where.struct:
        raise InputError(Mismatch(span=span, text=f"this is no `{where.struct}`"))
    words: dict[FieldPlace, Expr] = {}
    for name in ctx.env.declarations.structs[where.struct.name].members:
        origin = member_place(ctx, value.place, name, span)
        if isinstance(origin, ArrayPlace):
            into = scalar_places(ctx, member_place(ctx, where, name, span), span)
            for element, target in zip(all_elements(ctx, origin, span), into, strict=True):
                store_value(ctx, target, read_place(ctx, element, span), span)
            continue
        source = read_place(ctx, origin, span)
        match member_place(ctx, where, name, span):
            case BitPlace(unit, first, t):
                before = words.get(unit, Const(0, unit.field.type))
                part = convert_for_storage(ctx, source, t, span)
                words[unit] = ctx.emitter.keep(replace_bits(before, first, part), span)
            case other:
                store_value(ctx, other, source, span)
    for unit, word in words.items():
        write_place(ctx, unit, word, span)
    return value


def _retarget(ctx: Context, alias: Alias, where: Place, span: Span) -> None:
    if isinstance(where, ChosenPlace) or is_in_vcpu(where):
        raise unsupported_construct("a pointer variable to such an element or array", span)
    index = vcpu_of(where)
    if index is not None:
        if alias.vcpu is None:
            alias.vcpu = ctx.emitter.local("pointer", VCPU)
        ctx.emitter.assign(alias.vcpu, index, span)
        where = in_vcpu(where, Var(alias.vcpu))
    if alias.place is not None and not same_place(alias.place, where):
        raise unsupported_construct("a pointer with more than one target", span)
    alias.place = where


def assign_alias(ctx: Context, alias: Alias, value: Value, span: Span) -> Value:
    """Assign a pointer variable whose target must stay the same object."""
    value = as_pointer(ctx, value, alias.type.target, span)
    match value:
        case Scalar(expr, Pointer(Struct() as struct)) if expr.type == VCPU:
            value = PointerTo(vcpu_view(ctx, expr, struct, span), vcpu_nonnull(expr))
        case _:
            pass
    match value:
        case PointerTo(where, nonnull):
            _retarget(ctx, alias, where, span)
        case Null():
            nonnull = FALSE
        case _:
            raise InputError(Mismatch(span=span, text=f"this value does not fit in `{alias.type}`"))
    ctx.emitter.emit(Assign(alias.nonnull, nonnull, span))
    if alias.written is not None:
        ctx.emitter.emit(Assign(alias.written, TRUE, span))
    return value

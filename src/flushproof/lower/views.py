"""One object seen through pointers of several types: what is at one address, and what around it.

A cast keeps the address, so it leads from a struct to its first member, to the first one of that,
and back; or to a struct whose members are those that it begins with. `container_of` leads from a
member to the struct around it, and only if the pointer is to that member.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.c.declaration_agreement import is_compatible
from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct, Void
from flushproof.ir.code import Const, Expr, FieldScope
from flushproof.ir.types import VCPU
from flushproof.lower.context import Context, base_scope, unsupported_construct
from flushproof.lower.places import (
    check_nonnull,
    member_type,
    select_part,
    unknown_struct,
    vcpu_nonnull,
    vcpu_view,
)
from flushproof.lower.values import (
    ArrayPlace,
    ChosenPlace,
    FieldPlace,
    Frame,
    Lasting,
    LocalPlace,
    Null,
    Place,
    PointerTo,
    Scalar,
    StructPlace,
    Value,
    Vcpu,
)
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def as_pointer(ctx: Context, value: Value, t: CType, span: Span) -> Value:
    """Look at a pointer value as a pointer to `t`, at the same address.

    Raises:
        InputError: it points to something else.
    """
    match value, t:
        case PointerTo(StructPlace() as place, nonnull), Struct():
            return PointerTo(_at_same_address(ctx, place, t, span), nonnull)
        case PointerTo(LocalPlace(type=Integer(_, held)) | FieldPlace(type=Integer(_, held))), (
            Integer(_, seen)
        ) if held != seen:
            raise unsupported_construct("a pointer to an integer of another type", span)
        case Scalar(expr, Pointer(Struct() as own)), Struct() if expr.type == VCPU:
            seen_as = _at_same_address(ctx, vcpu_view(ctx, expr, own, span), t, span)
            return _address(seen_as)
        case PointerTo(ArrayPlace(type=Array(element)) | ChosenPlace(type=element)), _ if (
            not isinstance(t, Void) and element != t and not _is_same_integer(element, t)
        ):
            raise unsupported_construct("a pointer to elements of another type", span)
        case Scalar(Const(0)), _:
            return Null()
        case _:
            return value


def _is_same_integer(a: CType, b: CType) -> bool:
    return isinstance(a, Integer) and isinstance(b, Integer) and a.ir == b.ir


def container_of(
    ctx: Context, value: Value, outer: Struct, path: tuple[str, ...], span: Span
) -> Value:
    """Return the address of the struct around what a pointer points to, as its member `path`.

    Raises:
        InputError: the pointer is not to such a member.
    """
    inner, nonnull = _pointee(ctx, value, outer, span)
    for around in _around(ctx, inner, outer, len(path)):
        if _walk(ctx, around, path, span) == inner:
            first = (path, inner.struct) in _firsts(ctx, outer)
            if not first and not ctx.env.declarations.partial:
                check_nonnull(ctx, nonnull, span)
            found = _address(around)
            return PointerTo(around, nonnull) if isinstance(found, PointerTo) else found
    raise _mismatch(ctx, inner.struct, outer, span)


def _pointee(ctx: Context, value: Value, outer: Struct, span: Span) -> tuple[StructPlace, Expr]:
    match value:
        case PointerTo(StructPlace() as place, nonnull):
            return place, nonnull
        case Scalar(expr, Pointer(Struct() as own)) if expr.type == VCPU:
            return vcpu_view(ctx, expr, own, span), vcpu_nonnull(expr)
        case _:
            text = f"this is no pointer to a struct within a `{outer}`"
            raise InputError(Mismatch(span=span, text=text))


def _address(place: StructPlace) -> Value:
    """Return the address of a struct: a number for (a part of) a vCPU, else a known place."""
    if isinstance(place.base, Vcpu) and place.path == (place.struct.name,):
        return Scalar(place.base.index, Pointer(place.struct))
    return PointerTo(place)


def _at_same_address(ctx: Context, place: StructPlace, t: Struct, span: Span) -> StructPlace:
    if place.struct == t:
        return place
    for path, inner in _firsts(ctx, place.struct):
        if inner == t and isinstance(found := _walk(ctx, place, path, span), StructPlace):
            return found
    for path, inner in _firsts(ctx, t):
        if inner == place.struct:
            for around in _around(ctx, place, t, len(path)):
                if _walk(ctx, around, path, span) == place:
                    return around
    if _begins_alike(ctx, place.struct, t):
        return StructPlace(place.base, place.path, t)
    raise _mismatch(ctx, place.struct, t, span)


def _begins_alike(ctx: Context, own: Struct, t: Struct) -> bool:
    """Tell whether a struct begins with all members of another one, by name and type."""
    known = ctx.env.declarations.structs
    if own.name not in known or t.name not in known:
        return False
    theirs = known[t.name].slots
    ours = known[own.name].slots[: len(theirs)]
    return (
        bool(theirs)
        and len(ours) == len(theirs)
        and all(
            (x.name, x.bits) == (y.name, y.bits) and is_compatible(x.type, y.type)
            for x, y in zip(ours, theirs, strict=True)
        )
    )


def _walk(ctx: Context, place: Place, path: tuple[str, ...], span: Span) -> Place:
    """Return the member of a struct that a path leads to."""
    for step in path:
        place = select_part(ctx, place, step, span)
    return place


def _mismatch(ctx: Context, own: Struct, other: Struct, span: Span) -> InputError:
    """Say that one struct is not another, or that one of them, perhaps misspelt, is not there."""
    place, known = ctx.outside_prelude(span), ctx.env.declarations.structs
    within = known[other.name].slots if other.name in known else ()
    members = (slot.type for slot in within if isinstance(slot.type, Struct))
    for struct in (other, own, *members):
        if struct.name not in known:
            return unknown_struct(ctx, struct, place)
    return InputError(Mismatch(span=place, text=f"`{own} *` cannot be taken for `{other} *`"))


def _firsts(ctx: Context, struct: Struct) -> Iterator[tuple[tuple[str, ...], Struct]]:
    """Yield the structs that begin where a struct does, with their paths in it."""
    path: tuple[str, ...] = ()
    while True:
        info = ctx.env.declarations.structs.get(struct.name)
        if info is None or info.partial or not info.slots:
            return
        first = info.slots[0]
        if not isinstance(first.type, Struct):
            return
        path = (*path, first.name) if first.name else path
        struct = first.type
        yield path, struct


def _around(ctx: Context, place: StructPlace, outer: Struct, depth: int) -> Iterator[StructPlace]:
    """Yield what may be the struct `outer` of which a place is a member, `depth` names deep."""
    scope = base_scope(place)
    if scope is not None and ctx.env.objects.unique(scope, outer.name):
        yield StructPlace(place.base, (outer.name,), outer)
    steps = place.path[: len(place.path) - depth]
    rooted = len(steps) > 0 or isinstance(place.base, Frame)
    if len(place.path) >= depth and rooted and _struct_at(ctx, place, scope, steps) == outer:
        yield StructPlace(place.base, steps, outer)


def _struct_at(
    ctx: Context, place: StructPlace, scope: FieldScope | None, path: tuple[str, ...]
) -> CType | None:
    """Return the type of what lies at a path of the object that a place is part of."""
    t: CType
    if isinstance(place.base, Frame):
        t = place.base.struct
    elif isinstance(place.base, Lasting):
        t, path = place.base.struct, path[1:]
    elif path and scope is not None and ctx.env.objects.unique(scope, path[0]):
        t, path = Struct(path[0]), path[1:]
    else:
        return None
    for step in path:
        match t:
            case Struct() if step in ctx.env.declarations.structs[t.name].members:
                t = member_type(ctx, t, step, ctx.frame.span)
            case Array(element):
                t = element
            case _:
                return None
    return t

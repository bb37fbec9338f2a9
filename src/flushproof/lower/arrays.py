"""Arrays of scalars, of constant size: each element is a place of its own.

An index that is a constant names one of them. Any other index is a choice: the code branches on it,
and only the element that is chosen is accessed. An index out of range is undefined behaviour, which
is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flushproof.frontend.c.types import Array, CType, Integer, Pointer
from flushproof.ir.code import Binary, Const, Expr, FieldScope
from flushproof.ir.types import BOOL, Int
from flushproof.lower import convert
from flushproof.lower.context import Context, unsupported_construct
from flushproof.lower.values import (
    FALSE,
    ArrayPlace,
    ChosenPlace,
    FieldPlace,
    Frame,
    LocalPlace,
    Place,
    StructPlace,
    Vcpu,
)
from flushproof.support.source import Span

MOST = 64
"""So many elements an array may have."""


def require_array(ctx: Context, t: Array, span: Span) -> None:
    """Refuse an array whose elements have no places of their own.

    Raises:
        InputError: it is of structs, of unknown size or too large, or code that is not read may
            change it.
    """
    size = t.size
    if ctx.env.declarations.partial:
        raise unsupported_construct("an array", span)
    if size is None or size == 0:
        raise unsupported_construct("an array without a size", span)
    if size > MOST:
        raise unsupported_construct(f"an array of more than {MOST} elements", span)
    match t.element:
        case Integer():
            pass
        case Pointer() if ctx.is_vcpu_pointer(t.element):
            pass
        case other:
            raise unsupported_construct(f"an array with elements of type `{other}`", span)


def element_place(ctx: Context, array: ArrayPlace, at: int, span: Span) -> Place:
    """Return the place of one element."""
    t = array.type.element
    name = f"{array.name}[{at}]"
    match array.owner:
        case StructPlace(Frame(prefix), path):
            return _local_element(ctx, prefix, (*path, name), t, span)
        case StructPlace(Vcpu(index), path):
            return FieldPlace(ctx.shared(FieldScope.VCPU, path, name, t, span), index, t)
        case StructPlace(_, path):
            return FieldPlace(ctx.shared(FieldScope.VM, path, name, t, span), None, t)
        case None if array.local:
            return _local_element(ctx, array.name, (f"[{at}]",), t, span)
        case None:
            return FieldPlace(ctx.shared(FieldScope.VM, (), name, t, span), None, t)


def _local_element(
    ctx: Context, prefix: str, path: tuple[str, ...], t: CType, span: Span
) -> LocalPlace:
    binding = ctx.leaves.get((prefix, path))
    if binding is None:
        name = ".".join((prefix, *path)).replace(".[", "[")
        binding = LocalPlace(ctx.emitter.local(name, ctx.field_type(t, span)), t)
        ctx.leaves[prefix, path] = binding
    return binding


def all_elements(ctx: Context, array: ArrayPlace, span: Span) -> Iterator[Place]:
    """Yield the places of all elements, in order."""
    for at in range(array.type.size or 0):
        yield element_place(ctx, array, at, span)


def indexed_place(ctx: Context, array: ArrayPlace, index: Expr, t: Int, span: Span) -> Place:
    """Return the place of the element with some number, and check that there is one."""
    size = array.type.size or 0
    if isinstance(index, Const):
        there = 0 <= index.value < size
        ctx.emitter.check(Const(int(there), BOOL), OUT_OF_RANGE, ctx.outside_prelude(span))
        return element_place(ctx, array, index.value if there else 0, span)
    known = ctx.emitter.keep(index, span)
    ctx.emitter.check(_in_range(known, t, size), OUT_OF_RANGE, ctx.outside_prelude(span))
    elements = tuple(all_elements(ctx, array, span))
    return ChosenPlace(known, elements, array.type.element)


def check_first(ctx: Context, index: Expr, t: Int, span: Span) -> None:
    """Check an index into what is no array, which is as an array of one element."""
    first = convert.apply_operator("==", index, Const(0, t))
    ctx.emitter.check(first, BEYOND_FIRST, ctx.outside_prelude(span))


OUT_OF_RANGE = "an index is out of range"
BEYOND_FIRST = "an index leads beyond the one element that a pointer is known to point to"


def _in_range(index: Expr, t: Int, size: int) -> Expr:
    inside: Expr = Const(1, BOOL)
    if t.signed:
        inside = Binary(">=", index, Const(0, t), BOOL)
    if size <= t.high:
        below = Binary("<", index, Const(size, t), BOOL)
        inside = convert.conjoin_conditions(inside, below) if t.signed else below
    return inside


def choose_element(
    ctx: Context, place: ChosenPlace, span: Span, act: Callable[[Place], None]
) -> None:
    """Emit what is done with the element that is chosen, for each of them behind a branch."""
    e = ctx.emitter
    end = e.label()
    t = place.index.type
    assert isinstance(t, Int)
    for at, element in enumerate(place.elements[:-1]):
        here, further = e.label(), e.label()
        same = Binary("==", place.index, Const(at, t), BOOL) if at <= t.high else FALSE
        e.branch(same, here, further, span)
        e.place(here)
        act(element)
        e.jump(end, span)
        e.place(further)
    act(place.elements[-1])
    e.jump(end, span)
    e.place(end)


def is_in_vcpu(place: Place) -> bool:
    """Tell whether an array lies in a vCPU."""
    match place:
        case ArrayPlace(StructPlace(Vcpu())):
            return True
        case _:
            return False

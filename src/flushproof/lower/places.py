"""Reading, writing and walking places."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.c.type_errors import Mismatch, UnknownMember, UnknownType
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct
from flushproof.ir.code import (
    Binary,
    Const,
    Expr,
    FieldScope,
    Havoc,
    Mode,
    Read,
    Uninit,
    Var,
    Write,
)
from flushproof.ir.types import BOOL, NO_VCPU, VCPU, LockWord
from flushproof.lower import bits
from flushproof.lower.arrays import all_elements, choose_element, element_place, require_array
from flushproof.lower.context import Context, base_scope, unsupported_construct
from flushproof.lower.object_model import ANCHORS
from flushproof.lower.values import (
    FALSE,
    ArrayPlace,
    BitPlace,
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
    StructValue,
    Value,
    Vcpu,
    Vm,
)
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.resources import PRELUDE
from flushproof.support.source import Span

OUTSIDE = frozenset({"cpu", "mode", "requests"})
"""Members of a vCPU that code outside the model changes at any time."""

THE_VM = "kvm_vcpu.kvm"
"""The field by which each vCPU points to its VM, from its creation on."""


def read_place(ctx: Context, place: Place, span: Span, mode: Mode = Mode.PLAIN) -> Value:
    """Emit the read of a place and return its value."""
    match place:
        case StructPlace():
            return StructValue(place)
        case ArrayPlace():
            return PointerTo(place)
        case ChosenPlace(type=t):
            found = ctx.emitter.local("element", ctx.field_type(t, span))

            def read(element: Place) -> None:
                value = read_place(ctx, element, span, mode)
                assert isinstance(value, Scalar)
                ctx.emitter.assign(found, value.expr, span)

            choose_element(ctx, place, span, read)
            return Scalar(Var(found), t)
        case LocalPlace(local, t, written, label):
            if written is not None:
                ctx.emitter.emit(Uninit(label, Var(written), span))
            return value_of(ctx, ctx.emitter.keep(Var(local), span), t, span)
        case FieldPlace(field, index, t):
            if field.name == THE_VM:
                return PointerTo(vm_part(ctx, t, span))
            target = ctx.emitter.temp(field.type)
            ctx.emitter.emit(Read(target, field, index, ctx.mode(mode), span))
            return value_of(ctx, Var(target), t, span)
        case BitPlace(unit, first, t):
            word = bits.read_unit(ctx, unit, span, mode)
            return Scalar(ctx.emitter.keep(bits.extract_bits(word, first, t), span), t)


def value_of(ctx: Context, expr: Expr, t: CType, span: Span) -> Value:
    """Return what was read: of a pointer to the one VM only whether it is NULL has to be."""
    return PointerTo(vm_part(ctx, t, span), expr) if ctx.is_vm_pointer(t) else Scalar(expr, t)


def vm_part(ctx: Context, t: CType, span: Span) -> StructPlace:
    """Return the part of the VM that a pointer of this type points to."""
    assert isinstance(t, Pointer)
    assert isinstance(t.target, Struct)
    if not ctx.env.objects.unique(FieldScope.VM, t.target.name):
        raise unsupported_construct(
            f"a pointer to `{t.target}`, of which the VM holds several", span
        )
    return StructPlace(Vm(), (t.target.name,), t.target)


def write_place(
    ctx: Context, place: Place, value: Expr, span: Span, mode: Mode = Mode.PLAIN
) -> None:
    """Emit the write of a scalar place; the value already has the place's type."""
    match place:
        case LocalPlace(local, _, written, _):
            ctx.emitter.assign(local, value, span)
            if written is not None:
                ctx.emitter.assign(written, Const(1, written.type), span)
        case FieldPlace():
            _write_field(ctx, place, value, span, mode)
        case BitPlace(unit, first):
            word = bits.read_unit(ctx, unit, span, mode)
            write_place(ctx, unit, bits.replace_bits(word, first, value), span, mode)
        case ChosenPlace():
            choose_element(
                ctx, place, span, lambda element: write_place(ctx, element, value, span, mode)
            )
        case ArrayPlace():
            raise InputError(Mismatch(span=span, text="an array is not a scalar"))
        case StructPlace(struct=struct):
            raise InputError(Mismatch(span=span, text=f"`struct {struct.name}` is not a scalar"))


def _write_field(ctx: Context, place: FieldPlace, value: Expr, span: Span, mode: Mode) -> None:
    field = place.field
    if field.name == THE_VM:
        raise unsupported_construct("assignment to a vCPU's pointer to its VM", span)
    if isinstance(field.type, LockWord):
        raise unsupported_construct("assignment to a lock", span)
    if ctx.observing and field.name not in ctx.writable:
        text = f"a claim cannot change `{field.member}`"
        raise InputError(Mismatch(span=span, text=text))
    ctx.emitter.emit(Write(field, place.index, value, ctx.mode(mode), span))


def select_part(ctx: Context, place: Place, step: str | int, span: Span) -> Place:
    """Return the place of a member of a struct, or of an element of an array.

    Raises:
        InputError: as `member_place`, or the place has no parts.
    """
    if isinstance(place, ArrayPlace) and isinstance(step, int):
        return element_place(ctx, place, step, span)
    if not isinstance(place, StructPlace) or not isinstance(step, str):
        raise unsupported_construct("an array", span)
    return member_place(ctx, place, step, span)


def scalar_places(ctx: Context, place: Place, span: Span) -> Iterator[Place]:
    """Yield the scalars of an object, bit fields one by one."""
    if isinstance(place, ArrayPlace):
        yield from all_elements(ctx, place, span)
        return
    if not isinstance(place, StructPlace):
        yield place
        return
    for name in ctx.env.declarations.structs[place.struct.name].members:
        yield from scalar_places(ctx, member_place(ctx, place, name, span), span)


def member_place(ctx: Context, place: StructPlace, name: str, span: Span) -> Place:
    """Return the place of a member.

    Raises:
        InputError: there is no such struct or member, or its type has no form in the model.
    """
    t = member_type(ctx, place.struct, name, span)
    scope = base_scope(place)
    if isinstance(t, Array):
        if is_mask(ctx, place.struct):
            where = " on the stack" if scope is None and isinstance(place.base, Frame) else ""
            text = f"a mask of CPUs{where}, other than by functions that change bits of it"
            raise unsupported_construct(text, ctx.outside_prelude(span))
        require_array(ctx, t, span)
        return ArrayPlace(place, name, t)
    if isinstance(t, Struct) and t.name not in ctx.env.lock_types:
        path = (
            (*place.path, name)
            if scope is None
            else ctx.env.objects.enter(scope, place.path, name, t.name)
        )
        return StructPlace(place.base, path, t)
    match place.base:
        case Frame(prefix, _):
            return _leaf(ctx, prefix, (*place.path, name), t, span)
        case Vm() | Lasting():
            return _shared(ctx, place, FieldScope.VM, None, name, t, span)
        case Vcpu(index):
            own = place.struct.name == ANCHORS[FieldScope.VCPU] and _is_preludes(ctx, place.struct)
            if name in OUTSIDE and own:
                return _anything(ctx, name, t, span)
            return _shared(ctx, place, FieldScope.VCPU, index, name, t, span)


def is_mask(ctx: Context, struct: Struct) -> bool:
    """Tell whether a struct is the prelude's mask of CPUs, not one that a file declares itself."""
    return struct.name == "cpumask" and _is_preludes(ctx, struct)


def _is_preludes(ctx: Context, struct: Struct) -> bool:
    return ctx.env.declarations.structs[struct.name].span.file == PRELUDE.name


def _anything(ctx: Context, name: str, t: CType, span: Span) -> Place:
    """Return a place that holds any value whenever it is looked at."""
    local = ctx.emitter.local(name, ctx.field_type(t, span))
    ctx.emitter.emit(Havoc(local, span))
    return LocalPlace(local, t)


def _shared(
    ctx: Context,
    place: StructPlace,
    scope: FieldScope,
    index: Expr | None,
    name: str,
    t: CType,
    span: Span,
) -> Place:
    """Return the place of a shared scalar: bit fields side by side are one field of the machine."""
    unit = ctx.env.declarations.structs[place.struct.name].units.get(name)
    if unit is None or not isinstance(t, Integer):
        return FieldPlace(ctx.shared(scope, place.path, name, t, span), index, t)
    whole = bits.type_of(unit, span)
    shared = FieldPlace(ctx.shared(scope, place.path, unit.name, whole, span), index, whole)
    return BitPlace(shared, unit.first[name], t)


def _leaf(ctx: Context, prefix: str, path: tuple[str, ...], t: CType, span: Span) -> Place:
    binding = ctx.leaves.get((prefix, path))
    if binding is None:
        name = ".".join((prefix, *path))
        binding = LocalPlace(ctx.emitter.local(name, ctx.field_type(t, span)), t)
        ctx.leaves[prefix, path] = binding
    return binding


def unknown_struct(ctx: Context, struct: Struct, span: Span) -> InputError:
    """Make the error for a struct that nothing defines."""
    hint = suggest_closest(struct.name, ctx.env.declarations.structs)
    return InputError(UnknownType(span=span, name=f"struct {struct.name}", hint=hint))


def check_struct(ctx: Context, struct: Struct, span: Span) -> None:
    """Refuse a struct that nothing defines, perhaps a misspelt one."""
    if struct.name not in ctx.env.declarations.structs:
        raise unknown_struct(ctx, struct, span)


def member_type(ctx: Context, struct: Struct, name: str, span: Span) -> CType:
    """Return the type of a member.

    Raises:
        InputError: there is no such struct or member.
    """
    info = ctx.env.declarations.structs.get(struct.name)
    if info is None:
        raise unknown_struct(ctx, struct, span)
    if name not in info.members:
        hint = suggest_closest(name, info.members)
        raise InputError(UnknownMember(span=span, struct=struct.name, name=name, hint=hint))
    return info.members[name]


def pointer_target(ctx: Context, value: Value, t: CType, span: Span) -> Place:
    """Return the place a pointer value points at, with a check that it is not NULL."""
    match value:
        case PointerTo(place, nonnull):
            check_nonnull(ctx, nonnull, span)
            return place
        case Scalar(expr, Pointer(Struct() as struct)) if expr.type == VCPU:
            check_nonnull(ctx, vcpu_nonnull(expr), span)
            return vcpu_view(ctx, expr, struct, span)
        case Null():
            check_nonnull(ctx, FALSE, span)
            raise unsupported_construct("dereferencing NULL", span)
        case _:
            raise InputError(Mismatch(span=span, text=f"`{t}` cannot be dereferenced here"))


def vcpu_view(ctx: Context, index: Expr, struct: Struct, span: Span) -> StructPlace:
    """Return the part of vCPU `index` that has the given struct type."""
    if not ctx.env.objects.unique(FieldScope.VCPU, struct.name):
        raise unsupported_construct(f"a pointer to `{struct}`, of which a vCPU holds several", span)
    return StructPlace(Vcpu(index), (struct.name,), struct)


def vcpu_nonnull(expr: Expr) -> Expr:
    """Return the condition that a vCPU reference is not NULL."""
    return Binary("!=", expr, Const(NO_VCPU, VCPU), BOOL)


def check_nonnull(ctx: Context, nonnull: Expr, span: Span) -> None:
    """Emit a check unless the pointer is surely not NULL."""
    ctx.emitter.check(nonnull, "NULL is dereferenced", span)

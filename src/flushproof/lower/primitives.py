"""The annotated prototypes of the prelude: what the machine does when they are called.

__acquires(lock)  __releases(lock)      take or free the lock a parameter points to
__acquires_shared(lock)  __releases_shared(lock)   the same as one of its readers
__releases_fenced(lock)                 free the lock by a locked instruction, a full barrier
__tries(lock)  __tries_shared(lock)     take it if that needs no wait; return 1, or 0 if it does
__hypercall(root, whole, start, pages)  issue a hypercall; the result is 0 or an error
__free                                  return any value
__vcpu_at(i)                            return vCPU i, NULL past the last
__num_vcpus                             return the number of vCPUs
__flag_of(mask, vcpu)                   return where a mask says whether a vCPU is in it
__fence  __store_fence                  a full memory barrier, and one between stores
__load(p)  __store(p, v)  __store_release(p, v)
                                        one marked access through a pointer
__exchange(p, v)  __compare_exchange(p, old, v)
__exchange_add(p, v)  __exchange_or(p, v)  __exchange_and(p, v)
                                        one atomic access, returning the old value
__unreachable                           undefined, as C has it
__initialises(lock)                     refused: others may hold the lock, which it would free
__ignored                               no effect; arguments are evaluated for theirs only

Those on numbers are in `lower/number_macros.py`.

Lemma L1 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.types import BOOL_T, INT_T, Integer, Pointer, Struct
from flushproof.ir.code import (
    Acquire,
    BinaryOp,
    Cast,
    Const,
    Exchange,
    Fence,
    Freeing,
    Havoc,
    Hypercall,
    Mode,
    NumVcpus,
    Release,
    StoreFence,
    TryAcquire,
    Var,
)
from flushproof.ir.types import BOOL, INT, NO_VCPU, U64, VCPU, Int, LockWord
from flushproof.lower import convert, number_macros
from flushproof.lower.arrays import choose_element
from flushproof.lower.assignment import convert_for_storage
from flushproof.lower.atomic_blocks import check_primitive, emit_exchange
from flushproof.lower.context import Context, unsupported_construct
from flushproof.lower.cpu_masks import lower_flag
from flushproof.lower.expressions import lower_expression, lower_truth
from flushproof.lower.places import pointer_target, read_place, value_of, write_place
from flushproof.lower.values import (
    FALSE,
    ChosenPlace,
    FieldPlace,
    Nothing,
    Place,
    Scalar,
    StructPlace,
    Value,
)
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span

Meaning = Callable[[Context, tuple[c.Expr, ...], Span], Value]


def lower_primitive(ctx: Context, function: c.Function, span: Span) -> Value | None:
    """Emit the meaning of an annotated function; None where it has no meaningful annotation.

    Raises:
        InputError: the annotation or the call does not make sense.
    """
    for annotation in function.annotations:
        if annotation.name in TABLE:
            if ctx.observing and annotation.name in ACTS:
                text = f"a claim cannot call `{ctx.frame.name}()`, which acts on the state"
                raise InputError(Mismatch(span=_caller(ctx, span), text=text))
            check_primitive(ctx, annotation.name, _caller(ctx, span))
            return TABLE[annotation.name](ctx, annotation.arguments, span)
    return None


def _field(ctx: Context, pointer: c.Expr, span: Span) -> FieldPlace:
    value = lower_expression(ctx, pointer)
    return _shared(pointer_target(ctx, value, Pointer(INT_T), span), span)


def _shared(where: Place, span: Span) -> FieldPlace:
    if not isinstance(where, FieldPlace):
        raise unsupported_construct("this operation on a local variable", span)
    return where


def _shared_scalar(ctx: Context, pointer: c.Expr, span: Span) -> FieldPlace | ChosenPlace:
    """Return what a pointer leads to: a field, or that of some which is chosen."""
    value = lower_expression(ctx, pointer)
    where = pointer_target(ctx, value, Pointer(INT_T), span)
    return where if isinstance(where, ChosenPlace) else _shared(where, span)


def _act_on(
    ctx: Context, where: FieldPlace | ChosenPlace, span: Span, act: Callable[[FieldPlace], None]
) -> None:
    if isinstance(where, ChosenPlace):
        choose_element(ctx, where, span, lambda element: act(_shared(element, span)))
    else:
        act(where)


def _lock(ctx: Context, pointer: c.Expr, span: Span, *, shared: bool) -> FieldPlace:
    where = _field(ctx, pointer, span)
    match where.field.type:
        case LockWord(readers):
            if shared and not readers:
                text = f"`{where.field.member}` is a lock that has no readers"
                raise InputError(Mismatch(span=span, text=text))
        case _:
            raise InputError(Mismatch(span=span, text=f"`{where.field.member}` is not a lock"))
    _check_sort(ctx, pointer, where, span)
    return where


def _check_sort(ctx: Context, pointer: c.Expr, where: FieldPlace, span: Span) -> None:
    """Refuse a lock of another type than the function declares."""
    name = ctx.frame.name
    for p in ctx.env.declarations.functions[name].parameters:
        wanted = ctx.env.declarations.parameter(p)
        named = isinstance(pointer, c.Name) and pointer.id == p.declarator.name
        if named and wanted != Pointer(where.type):
            text = f"`{name}()` takes a `{wanted}`, and `{where.field.member}` is a `{where.type}`"
            raise InputError(Mismatch(span=span, text=text))


def _acquire(
    ctx: Context, arguments: tuple[c.Expr, ...], span: Span, *, shared: bool = False
) -> Value:
    where = _lock(ctx, arguments[0], span, shared=shared)
    ctx.emitter.emit(Acquire(where.field, where.index, shared, span))
    return Nothing()


def _try(ctx: Context, arguments: tuple[c.Expr, ...], span: Span, *, shared: bool = False) -> Value:
    where = _lock(ctx, arguments[0], span, shared=shared)
    got = ctx.emitter.temp(BOOL)
    ctx.emitter.emit(TryAcquire(got, where.field, where.index, shared, span))
    return Scalar(Var(got), BOOL_T)


def _release(
    ctx: Context,
    arguments: tuple[c.Expr, ...],
    span: Span,
    *,
    freeing: Freeing = Freeing.STORE,
    shared: bool = False,
) -> Value:
    where = _lock(ctx, arguments[0], span, shared=shared)
    ctx.emitter.emit(Release(where.field, where.index, shared, span, freeing))
    return Nothing()


def _caller(ctx: Context, span: Span) -> Span:
    """Return the innermost call outside of the file that declares the function being called."""
    home = ctx.env.declarations.functions[ctx.frame.name].span.file
    return next((a.span for a in reversed(ctx.stack) if a.span.file != home), span)


def _hypercall(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    root, start, pages = (
        convert.cast_integer(
            convert.require_integer(lower_expression(ctx, arguments[i]), span)[0], U64
        )
        for i in (0, 2, 3)
    )
    whole = lower_truth(ctx, arguments[1])
    result = ctx.emitter.temp(INT)
    place = _caller(ctx, span)
    ctx.emitter.emit(Hypercall(result, root, whole, start, pages, place, ctx.site(span)))
    return Scalar(Var(result), INT_T)


def _free(ctx: Context, _: tuple[c.Expr, ...], span: Span) -> Value:
    t = ctx.frame.result_type
    if not isinstance(t, Integer):
        return Nothing()
    result = ctx.emitter.temp(t.ir)
    ctx.emitter.emit(Havoc(result, span))
    return Scalar(Var(result), t)


def _vcpu_at(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    number = convert.cast_integer(
        convert.require_integer(lower_expression(ctx, arguments[0]), span)[0], INT
    )
    below = convert.apply_operator("<", number, NumVcpus())
    inside = convert.conjoin_conditions(convert.apply_operator(">=", number, Const(0, INT)), below)
    if isinstance(number, Const) and number.value == 0:
        inside = Const(1, BOOL)
    expr = convert.choose_value(inside, Cast(number, VCPU), Const(NO_VCPU, VCPU))
    return Scalar(ctx.emitter.keep(expr, span), Pointer(Struct("kvm_vcpu")))


def _num_vcpus(_ctx: Context, _: tuple[c.Expr, ...], _span: Span) -> Value:
    return Scalar(NumVcpus(), INT_T)


def _fence(ctx: Context, _: tuple[c.Expr, ...], span: Span) -> Value:
    ctx.emitter.emit(Fence(span))
    return Nothing()


def _store_fence(ctx: Context, _: tuple[c.Expr, ...], span: Span) -> Value:
    ctx.emitter.emit(StoreFence(span))
    return Nothing()


def _marked_load(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    where = pointer_target(ctx, lower_expression(ctx, arguments[0]), INT_T, span)
    return read_place(ctx, where, span, Mode.ONCE)


def _marked_store(
    ctx: Context, arguments: tuple[c.Expr, ...], span: Span, *, mode: Mode = Mode.ONCE
) -> Value:
    where = pointer_target(ctx, lower_expression(ctx, arguments[0]), INT_T, span)
    t = INT_T if isinstance(where, StructPlace) else where.type
    value = convert_for_storage(ctx, lower_expression(ctx, arguments[1]), t, span)
    write_place(ctx, where, value, span, mode)
    return Nothing()


def _exchange(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    where = _shared_scalar(ctx, arguments[0], span)
    compare = None
    if len(arguments) == 3:
        compare = convert_for_storage(ctx, lower_expression(ctx, arguments[1]), where.type, span)
    value = convert_for_storage(ctx, lower_expression(ctx, arguments[-1]), where.type, span)
    result = ctx.emitter.temp(ctx.field_type(where.type, span))

    def exchange(place: FieldPlace) -> None:
        emit_exchange(ctx, Exchange(result, place.field, place.index, compare, value, span))

    _act_on(ctx, where, span, exchange)
    return value_of(ctx, Var(result), where.type, span)


def _exchange_with(
    ctx: Context, arguments: tuple[c.Expr, ...], span: Span, *, operator: BinaryOp
) -> Value:
    """Emit an exchange for what an operator makes of what is there and an operand."""
    where = _shared_scalar(ctx, arguments[0], span)
    t = ctx.field_type(where.type, span)
    if not isinstance(t, Int) or t == BOOL:
        raise InputError(Mismatch(span=span, text=f"{_named(where)} is not an integer"))
    more = convert.as_type(lower_expression(ctx, arguments[1]), where.type, span)
    result, old = ctx.emitter.temp(t), ctx.emitter.temp(t)
    total = convert.apply_operator(operator, Var(old), more)

    def exchange(place: FieldPlace) -> None:
        emit_exchange(ctx, Exchange(result, place.field, place.index, None, total, span, old))

    _act_on(ctx, where, span, exchange)
    return Scalar(Var(result), where.type)


def _named(where: FieldPlace | ChosenPlace) -> str:
    return f"`{where.field.member}`" if isinstance(where, FieldPlace) else "the element"


def _initialises(ctx: Context, _: tuple[c.Expr, ...], span: Span) -> Value:
    raise unsupported_construct(
        "a lock that is initialised while others may hold it", _caller(ctx, span)
    )


def _unreachable(ctx: Context, _arguments: tuple[c.Expr, ...], span: Span) -> Value:
    ctx.emitter.check(FALSE, "code that is said to be unreachable is reached", span)
    return Nothing()


ACTS: dict[str, Meaning] = {
    "__acquires": _acquire,
    "__acquires_shared": partial(_acquire, shared=True),
    "__tries": _try,
    "__tries_shared": partial(_try, shared=True),
    "__releases": _release,
    "__releases_fenced": partial(_release, freeing=Freeing.LOCKED),
    "__releases_shared": partial(_release, freeing=Freeing.LOCKED, shared=True),
    "__hypercall": _hypercall,
    "__fence": _fence,
    "__store_fence": _store_fence,
    "__exchange": _exchange,
    "__compare_exchange": _exchange,
    "__exchange_add": partial(_exchange_with, operator="+"),
    "__exchange_or": partial(_exchange_with, operator="|"),
    "__exchange_and": partial(_exchange_with, operator="&"),
}
"""What a claim's handler must not do, since it only watches; what it may store to, `write` says."""

TABLE: dict[str, Meaning] = ACTS | {
    "__free": _free,
    "__vcpu_at": _vcpu_at,
    "__num_vcpus": _num_vcpus,
    "__flag_of": lower_flag,
    "__load": _marked_load,
    "__store": _marked_store,
    "__store_release": partial(_marked_store, mode=Mode.RELEASE),
    "__value": number_macros.freeze_value,
    "__least": number_macros.lower_min,
    "__greatest": number_macros.lower_max,
    "__first": number_macros.lower_first,
    "__initialises": _initialises,
    "__unreachable": _unreachable,
    "__ignored": lambda _ctx, _arguments, _span: Nothing(),
}

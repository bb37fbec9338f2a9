"""Lowering of expressions: code for their effects, and the value they have."""

from __future__ import annotations

from typing import assert_never

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import number_type, type_size
from flushproof.frontend.c.side_effects import has_effect
from flushproof.frontend.c.type_errors import Mismatch, UnknownFunction
from flushproof.frontend.c.types import (
    INT_T,
    ULONG_T,
    Array,
    CType,
    Integer,
    Pointer,
    Struct,
    Void,
    promote_integer,
)
from flushproof.ir.builder import Label
from flushproof.ir.code import Const, Expr, FieldScope, Uninit, Var
from flushproof.ir.types import BOOL, U64, Int, VcpuRef
from flushproof.lower import convert
from flushproof.lower.argument_types import refuse_by_value
from flushproof.lower.arrays import check_first, element_place, indexed_place, require_array
from flushproof.lower.assignment import assign_alias, convert_for_storage, store_value
from flushproof.lower.context import (
    Alias,
    BoundName,
    Context,
    GhostArray,
    Named,
    Shorthand,
    in_vcpu,
    unsupported_construct,
)
from flushproof.lower.operators import Merge, lower_operator
from flushproof.lower.places import check_nonnull, member_place, pointer_target, read_place
from flushproof.lower.values import (
    FALSE,
    TRUE,
    ArrayPlace,
    BitPlace,
    FieldPlace,
    FunctionRef,
    Lasting,
    LocalPlace,
    Nothing,
    Place,
    PointerTo,
    Scalar,
    StructPlace,
    StructValue,
    Value,
    Vcpu,
    Vm,
)
from flushproof.lower.views import as_pointer, container_of
from flushproof.support.diagnostics import InputError, suggest_closest
from flushproof.support.source import Span


def lower_expression(ctx: Context, e: c.Expr) -> Value:  # noqa: C901, PLR0912 - a table of all nodes
    """Emit code for an expression and return its value.

    Raises:
        InputError: a name, type or construct is not accepted.
    """
    match e:
        case c.Number(value, suffix):
            t = number_type(value, suffix)
            return Scalar(Const(t.wrap(value), t), Integer("constant", t))
        case c.String():
            return Nothing()
        case c.Name(id, span):
            return _name(ctx, id, span)
        case c.UnaryExpr():
            return _unary(ctx, e)
        case c.Postfix(op, operand, span):
            return _increment(ctx, op, operand, span, after=False)
        case c.BinaryExpr():
            return _binary(ctx, e)
        case c.AssignExpr():
            return _assign(ctx, e)
        case c.Conditional():
            return _conditional(ctx, e)
        case c.CallExpr():
            return _call(ctx, e)
        case c.Member() | c.Index():
            return read_place(ctx, lower_place(ctx, e), e.span)
        case c.CastExpr():
            return _cast(ctx, e)
        case c.ContainerOf(pointer, written, path, span):
            outer = ctx.env.declarations.base(written)
            if not isinstance(outer, Struct):
                raise InputError(Mismatch(span=written.span, text=f"`{outer}` is no struct"))
            return container_of(ctx, lower_expression(ctx, pointer), outer, path, span)
        case c.SizeOf():
            return _size(ctx, e)
        case c.InitList(_, span):
            raise unsupported_construct("a braced initialiser here", span)
        case c.StatementExpr(body):
            return ctx.block(ctx, body)
        case _:
            assert_never(e)


def _name(ctx: Context, name: str, span: Span) -> Value:
    match ctx.find(name):
        case Named(where):
            return read_place(ctx, where, span)
        case BoundName(value):
            return value
        case Alias() as alias:
            return _alias(ctx, alias, span)
        case Shorthand(expression):
            return lower_expression(ctx, expression)
        case GhostArray():
            raise InputError(Mismatch(span=span, text=f"`{name}` needs an index"))
        case None:
            return _global(ctx, name, span)


def _global(ctx: Context, name: str, span: Span) -> Value:
    d = ctx.env.declarations
    if name in d.constants:
        value = d.constants[name]
        t = d.known.type(name)
        return Scalar(Const(value, t), Integer("enumerator", t))
    if name in d.globals:
        return read_place(ctx, global_place(ctx, name, span), span)
    if name in d.functions:
        return FunctionRef(name)
    raise ctx.unknown(name, span)


def global_place(ctx: Context, name: str, span: Span) -> Place:
    """Return the place of a file-level variable."""
    t = ctx.env.declarations.globals[name].type
    if isinstance(t, Struct) and t.name not in ctx.env.lock_types:
        return StructPlace(Lasting(t), (ctx.env.objects.root(name),), t)
    if isinstance(t, Array):
        require_array(ctx, t, span)
        return ArrayPlace(None, name, t)
    return FieldPlace(ctx.shared(FieldScope.VM, (), name, t, span), None, t)


def _alias(ctx: Context, alias: Alias, span: Span) -> Value:
    if alias.written is not None:
        ctx.emitter.emit(Uninit("pointer", Var(alias.written), span))
    if alias.place is None:
        raise unsupported_construct("a pointer read before it is given a target", span)
    where = alias.place
    if alias.vcpu is not None:
        where = in_vcpu(where, ctx.emitter.keep(Var(alias.vcpu), span))
    return PointerTo(where, ctx.emitter.keep(Var(alias.nonnull), span))


def lower_place(ctx: Context, e: c.Expr) -> Place:
    """Emit code for an lvalue and return its place.

    Raises:
        InputError: the expression is no lvalue of the subset.
    """
    match e:
        case c.Name(id, span):
            return _named_place(ctx, id, span)
        case c.Member():
            return _member(ctx, e)
        case c.UnaryExpr("*", operand, span):
            target = pointer_target(ctx, lower_expression(ctx, operand), Void(), span)
            if isinstance(target, ArrayPlace):
                return element_place(ctx, target, 0, span)
            return target
        case c.Index(c.Name(id), index, span) if isinstance(ctx.find(id), GhostArray):
            return _element(ctx, id, index, span)
        case c.Index(base, index, span):
            return _indexed(ctx, base, index, span)
        case _:
            raise InputError(Mismatch(span=e.span, text="this cannot be assigned or referred to"))


def _named_place(ctx: Context, name: str, span: Span) -> Place:
    match ctx.find(name):
        case Named(where):
            return where
        case None if name in ctx.env.declarations.globals:
            return global_place(ctx, name, span)
        case None:
            raise ctx.unknown(name, span)
        case _:
            text = f"`{name}` cannot be assigned or referred to"
            raise InputError(Mismatch(span=span, text=text))


def _member(ctx: Context, e: c.Member) -> Place:
    return member_place(ctx, _owner(ctx, e), e.name, e.span)


def struct_of(ctx: Context, e: c.Member) -> Struct:
    """Emit code for what a member belongs to, and return its struct."""
    return _owner(ctx, e).struct


def _owner(ctx: Context, e: c.Member) -> StructPlace:
    if e.arrow:
        value = lower_expression(ctx, e.base)
        inner = pointer_target(ctx, value, _type_of(value), e.base.span)
    else:
        inner = _place_or_result(ctx, e.base)
    if not isinstance(inner, StructPlace):
        raise InputError(Mismatch(span=e.base.span, text="this is not a struct"))
    return inner


def _place_or_result(ctx: Context, e: c.Expr) -> Place:
    """Return the struct place an expression denotes, also when it is a call's result."""
    if isinstance(e, c.CallExpr):
        value = lower_expression(ctx, e)
        if isinstance(value, StructValue):
            return value.place
    return lower_place(ctx, e)


def _type_of(value: Value) -> CType:
    return value.type if isinstance(value, Scalar) else Void()


def _element(ctx: Context, name: str, index: c.Expr, span: Span) -> Place:
    binding = ctx.find(name)
    if not isinstance(binding, GhostArray):
        raise unsupported_construct("an array", span)
    value = lower_expression(ctx, index)
    if isinstance(value, Scalar) and isinstance(value.expr.type, VcpuRef):
        return FieldPlace(binding.field, value.expr, binding.type)
    raise InputError(Mismatch(span=span, text="the index is not a vCPU"))


def _indexed(ctx: Context, base: c.Expr, index: c.Expr, span: Span) -> Place:
    match lower_expression(ctx, base):
        case PointerTo(ArrayPlace() as array, nonnull):
            check_nonnull(ctx, nonnull, span)
            number, t = convert.require_integer(lower_expression(ctx, index), index.span)
            return indexed_place(ctx, array, number, t, span)
        case PointerTo(LocalPlace() | FieldPlace() as scalar, nonnull):
            check_nonnull(ctx, nonnull, span)
            number, t = convert.require_integer(lower_expression(ctx, index), index.span)
            check_first(ctx, number, t, span)
            return scalar
        case _:
            raise unsupported_construct("an array", span)


def _unary(ctx: Context, e: c.UnaryExpr) -> Value:
    match e.op:
        case "!":
            return convert.condition_value(convert.negate_condition(lower_truth(ctx, e.operand)))
        case "+":
            expr, t = _promoted(ctx, e)
            return Scalar(expr, Integer("integer", t))
        case "-" | "~" as op:
            expr, t = _promoted(ctx, e)
            return Scalar(convert.apply_prefix(op, expr, t), Integer("integer", t))
        case "&":
            return _address(ctx, e)
        case "*":
            return read_place(ctx, lower_place(ctx, e), e.span)
        case _:
            return _increment(ctx, e.op, e.operand, e.span, after=True)


def _promoted(ctx: Context, e: c.UnaryExpr) -> tuple[Expr, Int]:
    expr, t = convert.require_integer(lower_expression(ctx, e.operand), e.span)
    t = promote_integer(t)
    return convert.cast_integer(expr, t), t


def _address(ctx: Context, e: c.UnaryExpr) -> Value:
    match e.operand:
        case c.Name(id) if ctx.find(id) is None and id in ctx.env.declarations.functions:
            return FunctionRef(id)
    where = lower_place(ctx, e.operand)
    if is_bit_field(where):
        raise InputError(Mismatch(span=e.span, text="a bit field has no address"))
    if isinstance(where, ArrayPlace):
        raise unsupported_construct("the address of a whole array", e.span)
    if isinstance(where, StructPlace) and not isinstance(where.base, Vm):
        return _struct_pointer(where)
    return PointerTo(where)


def is_bit_field(where: Place) -> bool:
    """Tell whether a place is a bit field, alone in its location or not."""
    match where:
        case BitPlace():
            return True
        case LocalPlace(type=Integer() as t) | FieldPlace(type=Integer() as t):
            return t.declared is not None
        case _:
            return False


def _struct_pointer(where: StructPlace) -> Value:
    """Return the address of a struct: a number for (a part of) a vCPU, else a known place."""
    if isinstance(where.base, Vcpu) and where.path == (where.struct.name,):
        return Scalar(where.base.index, Pointer(where.struct))
    return PointerTo(where)


def _increment(ctx: Context, op: str, operand: c.Expr, span: Span, *, after: bool) -> Value:
    where = lower_place(ctx, operand)
    old = read_place(ctx, where, span)
    left, right, t = convert.balance_operands(old, convert.int_constant(1), span)
    total = convert.apply_operator("+" if op == "++" else "-", left, right)
    new = store_value(ctx, where, Scalar(total, t), span)
    return new if after else old


def _assign(ctx: Context, e: c.AssignExpr) -> Value:
    if isinstance(e.target, c.Name) and isinstance(alias := ctx.find(e.target.id), Alias):
        if e.op != "=":
            raise unsupported_construct("pointer arithmetic", e.span)
        return assign_alias(ctx, alias, lower_expression(ctx, e.value), e.span)
    if e.op == "=":
        value = lower_expression(ctx, e.value)
        return store_value(ctx, lower_place(ctx, e.target), value, e.span)
    where = lower_place(ctx, e.target)
    value = lower_expression(ctx, e.value)
    old = read_place(ctx, where, e.span)
    return store_value(ctx, where, lower_operator(ctx, e.op[:-1], old, value, e.span), e.span)


def _binary(ctx: Context, e: c.BinaryExpr) -> Value:
    if e.op == ",":
        lower_expression(ctx, e.left)
        return lower_expression(ctx, e.right)
    if e.op in ("&&", "||"):
        return convert.condition_value(lower_truth(ctx, e))
    left = lower_expression(ctx, e.left)
    return lower_operator(ctx, e.op, left, lower_expression(ctx, e.right), e.span)


def lower_truth(ctx: Context, e: c.Expr) -> Expr:
    """Emit code for an expression used as a truth value, and return the condition."""
    if not (isinstance(e, c.BinaryExpr) and e.op in ("&&", "||")):
        return convert.condition_of(lower_expression(ctx, e), e.span)
    result = ctx.emitter.temp(TRUE.type)
    yes, no, end = ctx.emitter.label(), ctx.emitter.label(), ctx.emitter.label()
    lower_condition(ctx, e, yes, no)
    for label, value in ((yes, TRUE), (no, FALSE)):
        ctx.emitter.place(label)
        ctx.emitter.assign(result, value, e.span)
        ctx.emitter.jump(end, e.span)
    ctx.emitter.place(end)
    return Var(result)


def lower_condition(ctx: Context, e: c.Expr, yes: Label, no: Label) -> None:
    """Emit code that jumps to `yes` or `no`, short-circuiting."""
    match e:
        case c.UnaryExpr("!", operand):
            lower_condition(ctx, operand, no, yes)
        case c.BinaryExpr("&&" | "||" as op, left, right):
            middle = ctx.emitter.label()
            lower_condition(ctx, left, *((middle, no) if op == "&&" else (yes, middle)))
            ctx.emitter.place(middle)
            lower_condition(ctx, right, yes, no)
        case _:
            value = convert.condition_of(lower_expression(ctx, e), e.span)
            ctx.emitter.branch(value, yes, no, e.span)


def _conditional(ctx: Context, e: c.Conditional) -> Value:
    yes, no, end = ctx.emitter.label(), ctx.emitter.label(), ctx.emitter.label()
    first: Value | None = None
    if e.then is None:
        first = lower_expression(ctx, e.condition)
        ctx.emitter.branch(convert.condition_of(first, e.span), yes, no, e.span)
    else:
        lower_condition(ctx, e.condition, yes, no)
    merge = Merge(ctx, end, e.span)
    ctx.emitter.place(yes)
    merge.arm(first if e.then is None or first else lower_expression(ctx, e.then))
    ctx.emitter.place(no)
    merge.arm(lower_expression(ctx, e.otherwise))
    ctx.emitter.place(end)
    return merge.value()


def _cast(ctx: Context, e: c.CastExpr) -> Value:
    t = ctx.env.declarations.resolve(e.type, e.declarator)
    value = lower_expression(ctx, e.operand)
    match t:
        case Void():
            return Nothing()
        case Integer():
            if isinstance(value, PointerTo):
                raise unsupported_construct("a pointer converted to an integer", e.span)
            return Scalar(convert_for_storage(ctx, value, t, e.span), t)
        case Pointer(inner):
            if _is_number(value):
                raise unsupported_construct("a number converted to a pointer", e.span)
            return as_pointer(ctx, value, inner, e.span)
        case _:
            raise unsupported_construct(f"a conversion to `{t}`", e.span)


def _callee(ctx: Context, e: c.Expr) -> str:
    """Return the name of the function that an expression in front of arguments denotes."""
    match e:
        case c.Name(id, span):
            match ctx.find(id):
                case None:
                    return id
                case BoundName(FunctionRef(name)):
                    return name
                case _:
                    raise unsupported_construct("a call through a pointer", span)
        case c.UnaryExpr("*" | "&", c.Name() as inner):
            return _callee(ctx, inner)
        case _:
            raise unsupported_construct("a call through a pointer", e.span)


def _is_number(value: Value) -> bool:
    match value:
        case Scalar(Const(0)):
            return False
        case Scalar(expr, t):
            return isinstance(expr.type, Int) and not isinstance(t, Pointer)
        case _:
            return False


def _size(ctx: Context, e: c.SizeOf) -> Value:
    """Return the size of a type, or of that of an expression, which is not evaluated."""
    d = ctx.env.declarations
    if e.type is not None and e.declarator is not None:
        t = d.resolve(e.type, e.declarator)
    elif e.operand is not None and not has_effect(d.functions, e.operand):
        t = _type_of_expression(ctx.aside(), e.operand)
    else:
        raise unsupported_construct("the size of this expression", e.span)
    return Scalar(Const(type_size(d.known, t, e.span), U64), ULONG_T)


def _type_of_expression(ctx: Context, e: c.Expr) -> CType:
    match e:
        case c.Name(id) if isinstance(alias := ctx.find(id), Alias):
            return alias.type
        case c.Name(id) if ctx.find(id) is None and id in ctx.env.declarations.constants:
            return Integer("enumerator", ctx.env.declarations.known.type(id))
        case c.Name() | c.Member() | c.Index() | c.UnaryExpr("*"):
            where = lower_place(ctx, e)
            if is_bit_field(where):
                raise InputError(Mismatch(span=e.span, text="a bit field has no size"))
            return where.struct if isinstance(where, StructPlace) else where.type
        case c.CastExpr(written, declarator):
            return ctx.env.declarations.resolve(written, declarator)
        case _:
            pass
    match lower_expression(ctx, e):
        case Scalar(expr) if expr.type == BOOL and isinstance(e, c.BinaryExpr | c.UnaryExpr):
            return INT_T
        case Scalar(expr) if isinstance(expr.type, Int) and expr.type != BOOL:
            return Integer("integer", expr.type)
        case StructValue(where):
            return where.struct
        case _:
            raise unsupported_construct("the size of this expression", e.span)


def _call(ctx: Context, e: c.CallExpr) -> Value:
    name = _callee(ctx, e.function)
    function = ctx.env.declarations.functions.get(name)
    if special := ctx.env.specials.get(name):
        return special(ctx, e)
    if function is None:
        hint = suggest_closest(name, (*ctx.env.declarations.functions, *ctx.env.specials))
        raise InputError(UnknownFunction(span=e.function.span, name=name, hint=hint))
    if any(a.name == "__ignored" for a in function.annotations):
        for a in e.arguments:
            if has_effect(ctx.env.declarations.functions, a):
                lower_expression(ctx, a)
        return Nothing()
    arguments = tuple(lower_expression(ctx, a) for a in e.arguments)
    refuse_by_value(ctx, function, e.arguments, arguments)
    return ctx.inline(ctx, function, arguments, e.span)

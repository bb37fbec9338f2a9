"""Inlining of calls: parameters bound, the body or the primitive's meaning emitted, the result."""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import (
    Mismatch,
    Recursive,
    StrayJump,
    UnknownFunction,
    WrongArity,
)
from flushproof.frontend.c.types import CType, Integer, Pointer, Struct, promote_integer
from flushproof.frontend.c.walk import Node, walk
from flushproof.ir.code import Const, Expr, Havoc, LocalOrigin, Var
from flushproof.ir.types import BOOL, U64, VCPU, Int
from flushproof.lower.assignment import assign_alias, convert_for_storage, store_value
from flushproof.lower.context import Activation, Alias, BoundName, Context, Named
from flushproof.lower.primitives import lower_primitive
from flushproof.lower.statements import lower_statement
from flushproof.lower.values import (
    FALSE,
    Frame,
    LocalPlace,
    Nothing,
    Null,
    PointerTo,
    Scalar,
    StructPlace,
    Value,
)
from flushproof.lower.views import as_pointer
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def inline_call(
    ctx: Context, function: c.Function, arguments: tuple[Value, ...], span: Span
) -> Value:
    """Emit the body of a called function, or the meaning of a primitive, and return its result.

    Raises:
        InputError: wrong number of arguments, recursion, or anything in the body.
    """
    parameters = [p for p in function.parameters if not _is_void(p)]
    if len(parameters) != len(arguments):
        raise InputError(
            WrongArity(span=span, name=function.name, wanted=len(parameters), given=len(arguments))
        )
    _refuse_recursion(ctx, function, span)
    if function.unprototyped:
        _refuse_conversions(ctx, function, arguments, span)
    activation = _activation(ctx, function, span)
    ctx.stack.append(activation)
    for parameter, argument in zip(parameters, arguments, strict=True):
        _bind_parameter(ctx, function, parameter, argument, span)
    value = lower_primitive(ctx, function, span)
    if value is None:
        value = _run_body(ctx, function, activation)
    ctx.stack.pop()
    return value


def _refuse_conversions(
    ctx: Context, function: c.Function, arguments: tuple[Value, ...], span: Span
) -> None:
    """Refuse arguments that a function without a prototype does not get as what it takes."""
    for p, argument in zip(function.parameters, arguments, strict=True):
        t = ctx.env.declarations.parameter(p)
        given = argument.expr.type if isinstance(argument, Scalar) else None
        if not isinstance(given, Int):
            continue
        wanted = promote_integer(t.ir).width if isinstance(t, Integer) else U64.width
        if promote_integer(given).width != wanted:
            text = f"`{function.name}` has no prototype: this is not converted to `{t}`"
            raise InputError(Mismatch(span=span, text=text))


def _is_void(p: c.Parameter) -> bool:
    return p.type.name == "void" and not p.declarator.pointers and not p.declarator.name


def _refuse_recursion(ctx: Context, function: c.Function, span: Span) -> None:
    names = [a.name for a in ctx.stack]
    if function.name in names:
        chain = " -> ".join((*names[names.index(function.name) :], function.name))
        raise InputError(Recursive(span=span, name=function.name, chain=chain))


def _activation(ctx: Context, function: c.Function, span: Span) -> Activation:
    t = ctx.env.declarations.result(function)
    result = None
    if isinstance(t, Integer):
        result = ctx.emitter.local(f"{function.name}()", t.ir)
    elif ctx.is_vcpu_pointer(t):
        result = ctx.emitter.local(f"{function.name}()", VCPU)
    return Activation(function.name, span, ctx.emitter.label(), result, t, function.untyped)


def _bind_parameter(
    ctx: Context, function: c.Function, p: c.Parameter, argument: Value, span: Span
) -> None:
    name = p.declarator.name
    if not name:
        return
    t = ctx.env.declarations.parameter(p)
    fixed = function.body is None or not _assigned(function.body, name)
    if isinstance(t, Pointer) and not ctx.is_vcpu_pointer(t):
        value = _nowhere(ctx, name, as_pointer(ctx, argument, t.target, span), t.target)
        bound = BoundName(value) if fixed else _alias(ctx, name, t, value, span)
        ctx.declare(name, bound, p.span)
    elif isinstance(t, Struct) and function.body is not None:
        copy = StructPlace(Frame(ctx.emitter.local(name, BOOL).name, t), (), t)
        store_value(ctx, copy, argument, span)
        ctx.declare(name, Named(copy), p.span)
    elif fixed and function.body is None and not isinstance(t, Integer):
        ctx.declare(name, BoundName(argument), p.span)
    else:
        expr = convert_for_storage(ctx, argument, t, span)
        ctx.declare(name, _scalar_parameter(ctx, name, t, expr, span, fixed=fixed), p.span)


def _nowhere(ctx: Context, name: str, value: Value, t: CType) -> Value:
    """Give NULL a struct to point to, for code that reads it only where it is not NULL."""
    if not isinstance(value, Null) or not isinstance(t, Struct):
        return value
    if t.name not in ctx.env.declarations.structs:
        return value
    return PointerTo(StructPlace(Frame(ctx.emitter.local(name, BOOL).name, t), (), t), FALSE)


def _alias(ctx: Context, name: str, t: Pointer, value: Value, span: Span) -> Alias:
    alias = Alias(t, ctx.emitter.local(name, BOOL))
    assign_alias(ctx, alias, value, span)
    return alias


def _scalar_parameter(
    ctx: Context, name: str, t: CType, expr: Expr, span: Span, *, fixed: bool
) -> Named | BoundName:
    held = isinstance(expr, Var) and expr.local.origin is LocalOrigin.TEMPORARY
    stable = held or isinstance(expr, Const)
    if fixed and stable:
        return BoundName(Scalar(expr, t))
    local = ctx.emitter.local(name, expr.type)
    ctx.emitter.assign(local, expr, span)
    return Named(LocalPlace(local, t))


def _assigned(body: c.Block, name: str) -> bool:
    """Tell whether the variable may be assigned or have its address taken within the body."""
    return any(_assigns(node, name) for node in walk(body))


def _assigns(node: Node, name: str) -> bool:
    match node:
        case c.AssignExpr(target=c.Name(id)) | c.Postfix(operand=c.Name(id)):
            return id == name
        case c.UnaryExpr("&" | "++" | "--", c.Name(id)):
            return id == name
        case c.ForEachVcpu(index, vcpu):
            return any(isinstance(e, c.Name) and e.id == name for e in (index, vcpu))
        case _:
            return False


def _run_body(ctx: Context, function: c.Function, activation: Activation) -> Value:
    if function.body is None:
        raise InputError(UnknownFunction(span=activation.span, name=function.name))
    if activation.result is not None:
        ctx.emitter.emit(Havoc(activation.result, function.span))
    lower_statement(ctx, function.body)
    ctx.emitter.place(activation.leave)
    for label, (_, span) in activation.labels.items():
        if label not in activation.placed:
            raise InputError(StrayJump(span=span, text=f"label `{label}` is not defined"))
    if activation.result is not None:
        return Scalar(Var(activation.result), activation.result_type)
    return activation.pointer_result or Nothing()

"""Lowering of statements and of inlined calls."""

from __future__ import annotations

from typing import assert_never

from flushproof.diagnostics import InputError
from flushproof.frontend import syntax as c
from flushproof.frontend.consteval import evaluate
from flushproof.frontend.errors import Mismatch, Recursive, StrayJump, WrongArity
from flushproof.frontend.types import CType, Integer, Pointer, Struct, Void
from flushproof.ir.code import Cast, Const, Havoc, NumVcpus, Scope, Var
from flushproof.ir.types import BOOL, INT, VCPU
from flushproof.lower import convert
from flushproof.lower.context import Activation, Alias, Bound, Context, Named, unsupported
from flushproof.lower.emitter import Label
from flushproof.lower.expressions import assign_alias, condition, lower, place, store
from flushproof.lower.places import read
from flushproof.lower.primitives import primitive
from flushproof.lower.values import (
    FALSE,
    TRUE,
    Frame,
    LocalPlace,
    Nothing,
    Null,
    PointerTo,
    Scalar,
    StructPlace,
    StructValue,
    Value,
)
from flushproof.source import Span


def inline(ctx: Context, function: c.Function, arguments: tuple[Value, ...], span: Span) -> Value:
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
    activation = _activation(ctx, function, span)
    ctx.stack.append(activation)
    for parameter, argument in zip(parameters, arguments, strict=True):
        _bind_parameter(ctx, function, parameter, argument, span)
    value = primitive(ctx, function, span)
    if value is None:
        value = _run_body(ctx, function, activation)
    ctx.stack.pop()
    return value


def _is_void(p: c.Parameter) -> bool:
    return p.type.name == "void" and not p.declarator.pointers and not p.declarator.name


def _refuse_recursion(ctx: Context, function: c.Function, span: Span) -> None:
    names = [a.name for a in ctx.stack]
    if function.name in names:
        chain = " -> ".join((*names[names.index(function.name) :], function.name))
        raise InputError(Recursive(span=span, name=function.name, chain=chain))


def _result_type(ctx: Context, function: c.Function) -> CType:
    t = ctx.env.declarations.base(function.type)
    for _ in range(function.pointers):
        t = Pointer(t)
    return t


def _activation(ctx: Context, function: c.Function, span: Span) -> Activation:
    t = _result_type(ctx, function)
    result = None
    if isinstance(t, Integer):
        result = ctx.emitter.local(f"{function.name}()", t.ir)
    elif _is_vcpu_pointer(ctx, t):
        result = ctx.emitter.local(f"{function.name}()", VCPU)
    return Activation(function.name, span, ctx.emitter.label(), result, t)


def _is_vcpu_pointer(ctx: Context, t: CType) -> bool:
    match t:
        case Pointer(Struct(name)):
            return ctx.env.objects.scope_of(name) is Scope.VCPU
        case _:
            return False


def _bind_parameter(
    ctx: Context, function: c.Function, p: c.Parameter, argument: Value, span: Span
) -> None:
    name = p.declarator.name
    if not name:
        return
    t = ctx.env.declarations.resolve(p.type, p.declarator)
    fixed = function.body is None or not _assigned(function.body, name)
    if isinstance(t, Pointer) and not _is_vcpu_pointer(ctx, t):
        value = _pointer_argument(ctx, t, argument, span)
        ctx.bind(name, Bound(value) if fixed else _alias(ctx, name, t, value, span))
    elif fixed and function.body is None and not isinstance(t, Integer):
        ctx.bind(name, Bound(argument))
    else:
        expr = convert.as_type(argument, t, span)
        ctx.bind(name, _scalar_parameter(ctx, name, t, expr, span, fixed=fixed))


def _pointer_argument(ctx: Context, t: Pointer, argument: Value, span: Span) -> Value:
    from flushproof.lower.expressions import as_pointer

    return as_pointer(ctx, argument, t.target, span)


def _alias(ctx: Context, name: str, t: Pointer, value: Value, span: Span) -> Alias:
    alias = Alias(t, ctx.emitter.local(name, BOOL))
    assign_alias(ctx, alias, value, span)
    return alias


def _scalar_parameter(
    ctx: Context, name: str, t: CType, expr: convert.Expr, span: Span, *, fixed: bool
) -> Named | Bound:
    stable = isinstance(expr, Const) or (isinstance(expr, Var) and expr.local.name[0] == "%")
    if fixed and stable:
        return Bound(Scalar(expr, t))
    local = ctx.emitter.local(name, expr.type)
    ctx.emitter.assign(local, expr, span)
    return Named(LocalPlace(local, t))


def _assigned(node: object, name: str) -> bool:
    """True when the variable may be assigned or have its address taken within the tree."""
    match node:
        case c.Assign(target=c.Name(id)) | c.Postfix(operand=c.Name(id)) if id == name:
            return True
        case c.Unary("&" | "++" | "--", c.Name(id)) if id == name:
            return True
        case c.ForEachVcpu(index=c.Name(i), vcpu=c.Name(v)) if name in (i, v):
            return True
        case tuple():
            return any(_assigned(child, name) for child in node)
        case _ if hasattr(node, "__dataclass_fields__"):
            return any(_assigned(getattr(node, f), name) for f in node.__dataclass_fields__)
        case _:
            return False


def _run_body(ctx: Context, function: c.Function, activation: Activation) -> Value:
    if function.body is None:
        from flushproof.frontend.errors import UnknownFunction

        raise InputError(UnknownFunction(span=activation.span, name=function.name))
    if activation.result is not None:
        ctx.emitter.emit(Havoc(activation.result, function.span))
    statement(ctx, function.body)
    ctx.emitter.place(activation.leave)
    for label, (_, span) in activation.labels.items():
        if label not in activation.placed:
            raise InputError(StrayJump(span=span, text=f"label `{label}` is not defined"))
    if activation.result is not None:
        return Scalar(Var(activation.result), activation.result_type)
    return activation.pointer_result or Nothing()


def run_block(ctx: Context, body: c.Block) -> Value:
    """Emit a statement expression; its value is that of the last expression statement."""
    if body.statements and isinstance(last := body.statements[-1], c.ExprStatement):
        ctx.frame.scopes.append({})
        for s in body.statements[:-1]:
            statement(ctx, s)
        value = lower(ctx, last.expression)
        ctx.frame.scopes.pop()
        return value
    statement(ctx, body)
    return Nothing()


def statement(ctx: Context, s: c.Stmt) -> None:
    """Emit code for one statement.

    Raises:
        InputError: a name, type or construct is not accepted.
    """
    match s:
        case c.Declaration():
            _declaration(ctx, s)
        case c.ExprStatement(expression):
            lower(ctx, expression)
        case c.Empty():
            pass
        case c.Block(statements):
            ctx.frame.scopes.append({})
            for inner in statements:
                statement(ctx, inner)
            ctx.frame.scopes.pop()
        case c.If():
            _if(ctx, s)
        case c.For():
            _for(ctx, s)
        case c.ForEachVcpu():
            _for_each_vcpu(ctx, s)
        case c.While(test, body, span):
            _loop(ctx, test, None, body, span)
        case c.DoWhile():
            _do_while(ctx, s)
        case c.Switch():
            _switch(ctx, s)
        case c.Case():
            _case(ctx, s)
        case c.Label():
            _label(ctx, s)
        case c.Goto(label, span):
            ctx.emitter.jump(_label_named(ctx, label, span), span)
        case c.Break(span):
            ctx.emitter.jump(_innermost(ctx.frame.breaks, "break", span), span)
        case c.Continue(span):
            ctx.emitter.jump(_innermost(ctx.frame.continues, "continue", span), span)
        case c.Return():
            _return(ctx, s)
        case _:
            assert_never(s)


def _innermost(labels: list[Label], word: str, span: Span) -> Label:
    if not labels:
        raise InputError(StrayJump(span=span, text=f"`{word}` is not within a loop"))
    return labels[-1]


def _declaration(ctx: Context, s: c.Declaration) -> None:
    for entry in s.declarators:
        t = ctx.env.declarations.resolve(s.type, entry.declarator)
        if "static" in s.qualifiers:
            raise unsupported("a static local variable", entry.span)
        _declare(ctx, entry.declarator.name, t, entry)


def _declare(ctx: Context, name: str, t: CType, entry: c.InitDeclarator) -> None:
    match t:
        case Struct():
            _declare_struct(ctx, name, t, entry)
        case Pointer() if not _is_vcpu_pointer(ctx, t):
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


def _unwritten(ctx: Context, name: str, span: Span) -> convert.Local:
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
    from flushproof.lower.places import member

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
        at = given[key].span if key in given else init.span
        value = lower(ctx, given[key].value) if key in given else _zero()
        store(ctx, member(ctx, where, key, at), value, at)


def _zero() -> Value:
    return Scalar(Const(0, INT), Integer("int", INT))


def _havoc_struct(ctx: Context, where: StructPlace, span: Span) -> None:
    from flushproof.lower.places import member

    for name in ctx.env.declarations.structs[where.struct.name].members:
        leaf = member(ctx, where, name, span)
        if isinstance(leaf, LocalPlace):
            ctx.emitter.emit(Havoc(leaf.local, span))


def _if(ctx: Context, s: c.If) -> None:
    yes, no, end = ctx.emitter.label(), ctx.emitter.label(), ctx.emitter.label()
    condition(ctx, s.condition, yes, no)
    ctx.emitter.place(yes)
    statement(ctx, s.then)
    ctx.emitter.jump(end, s.span)
    ctx.emitter.place(no)
    if s.otherwise is not None:
        statement(ctx, s.otherwise)
    ctx.emitter.place(end)


def _for(ctx: Context, s: c.For) -> None:
    ctx.frame.scopes.append({})
    statement(ctx, s.start)
    _loop(ctx, s.condition, s.step, s.body, s.span)
    ctx.frame.scopes.pop()


def _loop(
    ctx: Context, test: c.Expr | None, step: c.Expr | None, body: c.Stmt, span: Span
) -> None:
    head, inside, again, end = (ctx.emitter.label() for _ in range(4))
    ctx.emitter.place(head)
    if test is not None:
        condition(ctx, test, inside, end)
    ctx.emitter.place(inside)
    _body(ctx, body, again, end)
    ctx.emitter.place(again)
    if step is not None:
        lower(ctx, step)
    ctx.emitter.jump(head, span)
    ctx.emitter.place(end)


def _body(ctx: Context, body: c.Stmt, again: Label, end: Label) -> None:
    ctx.frame.continues.append(again)
    ctx.frame.breaks.append(end)
    statement(ctx, body)
    ctx.frame.continues.pop()
    ctx.frame.breaks.pop()


def _do_while(ctx: Context, s: c.DoWhile) -> None:
    head, again, end = (ctx.emitter.label() for _ in range(3))
    ctx.emitter.place(head)
    _body(ctx, s.body, again, end)
    ctx.emitter.place(again)
    condition(ctx, s.condition, head, end)
    ctx.emitter.place(end)


def _for_each_vcpu(ctx: Context, s: c.ForEachVcpu) -> None:
    """`for (i = 0; i < N && (vcpu = vCPU i); i++)`; the vCPUs of a VM do not come and go."""
    lower(ctx, s.kvm)
    head, inside, again, end = (ctx.emitter.label() for _ in range(4))
    index = place(ctx, s.index)
    store(ctx, index, _zero(), s.span)
    ctx.emitter.place(head)
    value = read(ctx, index, s.span)
    left, right, _ = convert.balance(value, Scalar(NumVcpus(), Integer("int", INT)), s.span)
    ctx.emitter.branch(convert.arithmetic("<", left, right), inside, end, s.span)
    ctx.emitter.place(inside)
    number = convert.cast(convert.integer(value, s.span)[0], INT)
    store(ctx, place(ctx, s.vcpu), _vcpu(ctx, number, s.vcpu), s.vcpu.span)
    _body(ctx, s.body, again, end)
    ctx.emitter.place(again)
    one = Scalar(Const(1, INT), Integer("int", INT))
    left, right, t = convert.balance(read(ctx, index, s.span), one, s.span)
    store(ctx, index, Scalar(convert.arithmetic("+", left, right), t), s.span)
    ctx.emitter.jump(head, s.span)
    ctx.emitter.place(end)


def _vcpu(ctx: Context, number: convert.Expr, at: c.Expr) -> Value:
    return Scalar(Cast(number, VCPU), Pointer(Struct("kvm_vcpu")))


def _switch(ctx: Context, s: c.Switch) -> None:
    subject = lower(ctx, s.subject)
    end = ctx.emitter.label()
    cases = {value: ctx.emitter.label() for value in _case_values(ctx, s.body)}
    for value, label in cases.items():
        if value is None:
            continue
        other = ctx.emitter.label()
        constant = Scalar(Const(value, INT), Integer("int", INT))
        left, right, _ = convert.balance(subject, constant, s.span)
        ctx.emitter.branch(convert.arithmetic("==", left, right), label, other, s.span)
        ctx.emitter.place(other)
    ctx.emitter.jump(cases.get(None, end), s.span)
    ctx.frame.cases.append(cases)
    ctx.frame.breaks.append(end)
    statement(ctx, s.body)
    ctx.frame.breaks.pop()
    ctx.frame.cases.pop()
    ctx.emitter.place(end)


def _case_values(ctx: Context, body: object) -> list[int | None]:
    """The case values of one switch in order, not those of switches within it."""
    match body:
        case c.Switch():
            return []
        case c.Case(value, inner):
            return [_case_value(ctx, value), *_case_values(ctx, inner)]
        case tuple():
            return [v for child in body for v in _case_values(ctx, child)]
        case _ if hasattr(body, "__dataclass_fields__"):
            children = (getattr(body, f) for f in body.__dataclass_fields__)
            return [v for child in children for v in _case_values(ctx, child)]
        case _:
            return []


def _case_value(ctx: Context, value: c.Expr | None) -> int | None:
    return None if value is None else evaluate(value, ctx.env.declarations.constants)


def _case(ctx: Context, s: c.Case) -> None:
    if not ctx.frame.cases:
        raise InputError(StrayJump(span=s.span, text="`case` is not within a switch"))
    ctx.emitter.place(ctx.frame.cases[-1][_case_value(ctx, s.value)])
    statement(ctx, s.statement)


def _label_named(ctx: Context, name: str, span: Span) -> Label:
    if name not in ctx.frame.labels:
        ctx.frame.labels[name] = (ctx.emitter.label(), span)
    return ctx.frame.labels[name][0]


def _label(ctx: Context, s: c.Label) -> None:
    if s.name in ctx.frame.placed:
        raise InputError(StrayJump(span=s.span, text=f"label `{s.name}` is defined twice"))
    ctx.emitter.place(_label_named(ctx, s.name, s.span))
    ctx.frame.placed.add(s.name)
    statement(ctx, s.statement)


def _return(ctx: Context, s: c.Return) -> None:
    frame = ctx.frame
    if isinstance(frame.result_type, Void) != (s.value is None):
        text = f"`{frame.name}` returns `{frame.result_type}`"
        raise InputError(Mismatch(span=s.span, text=text))
    if s.value is not None:
        _set_result(ctx, frame, lower(ctx, s.value), s.span)
    ctx.emitter.jump(frame.leave, s.span)


def _set_result(ctx: Context, frame: Activation, value: Value, span: Span) -> None:
    if frame.result is not None:
        expr = convert.as_type(value, frame.result_type, span)
        ctx.emitter.assign(frame.result, expr, span)
        return
    match value, frame.pointer_result:
        case (Null(), None):
            frame.pointer_result = Null()
        case (PointerTo(nonnull=Const()) | StructValue(), None):
            frame.pointer_result = value
        case (PointerTo(), PointerTo()) if value == frame.pointer_result:
            pass
        case _:
            raise unsupported("a function that returns one of several pointers", span)


__all__ = ["TRUE", "inline", "run_block", "statement"]

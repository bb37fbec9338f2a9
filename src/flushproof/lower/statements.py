"""Lowering of statements to jumps, and of the expressions in them."""

from __future__ import annotations

from typing import assert_never

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import evaluate_constant
from flushproof.frontend.c.type_errors import Mismatch, StrayJump
from flushproof.frontend.c.types import INT_T, Pointer, Struct, Void, promote_integer
from flushproof.frontend.c.walk import Node, children
from flushproof.ir.builder import Label
from flushproof.ir.code import Cast, Const, NumVcpus
from flushproof.ir.types import INT, VCPU
from flushproof.lower import convert
from flushproof.lower.assignment import convert_for_storage, store_value
from flushproof.lower.atomic_blocks import begin_atomic, check_statement, end_atomic
from flushproof.lower.context import Activation, Context, unsupported_construct
from flushproof.lower.expressions import lower_condition, lower_expression, lower_place
from flushproof.lower.initialise import lower_declaration
from flushproof.lower.places import read_place
from flushproof.lower.values import Nothing, Null, PointerTo, Scalar, StructValue, Value
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def run_block(ctx: Context, body: c.Block) -> Value:
    """Emit a statement expression; its value is that of the last expression statement."""
    if body.statements and isinstance(last := body.statements[-1], c.ExprStatement):
        ctx.frame.scopes.append({})
        for s in body.statements[:-1]:
            lower_statement(ctx, s)
        value = lower_expression(ctx, last.expression)
        ctx.frame.scopes.pop()
        return value
    lower_statement(ctx, body)
    return Nothing()


def lower_statement(ctx: Context, s: c.Stmt) -> None:  # noqa: C901, PLR0912 - a table of all nodes
    """Emit code for one statement.

    Raises:
        InputError: a name, type or construct is not accepted.
    """
    check_statement(ctx, s)
    match s:
        case c.Declaration():
            lower_declaration(ctx, s)
        case c.ExprStatement(expression):
            lower_expression(ctx, expression)
        case c.Empty():
            pass
        case c.Block():
            _block(ctx, s)
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
        case c.CaseLabel():
            _case(ctx, s)
        case c.LabelledStatement():
            _label(ctx, s)
        case c.Goto(label, span):
            ctx.emitter.jump(_label_named(ctx, label, span), span)
        case c.Break(span):
            ctx.emitter.jump(_innermost(ctx.frame.breaks, "break", span), span)
        case c.Continue(span):
            ctx.emitter.jump(_innermost(ctx.frame.continues, "continue", span), span)
        case c.ReturnStatement():
            _return(ctx, s)
        case _:
            assert_never(s)


def _block(ctx: Context, s: c.Block) -> None:
    if s.atomic:
        begin_atomic(ctx, s.span)
    ctx.frame.scopes.append({})
    for inner in s.statements:
        lower_statement(ctx, inner)
    ctx.frame.scopes.pop()
    if s.atomic:
        end_atomic(ctx, s.span)


def _innermost(labels: list[Label], word: str, span: Span) -> Label:
    if not labels:
        raise InputError(StrayJump(span=span, text=f"`{word}` is not within a loop"))
    return labels[-1]


def _if(ctx: Context, s: c.If) -> None:
    yes, no, end = ctx.emitter.label(), ctx.emitter.label(), ctx.emitter.label()
    lower_condition(ctx, s.condition, yes, no)
    ctx.emitter.place(yes)
    lower_statement(ctx, s.then)
    ctx.emitter.jump(end, s.span)
    ctx.emitter.place(no)
    if s.otherwise is not None:
        lower_statement(ctx, s.otherwise)
    ctx.emitter.place(end)


def _for(ctx: Context, s: c.For) -> None:
    ctx.frame.scopes.append({})
    lower_statement(ctx, s.start)
    _loop(ctx, s.condition, s.step, s.body, s.span)
    ctx.frame.scopes.pop()


def _loop(ctx: Context, test: c.Expr | None, step: c.Expr | None, body: c.Stmt, span: Span) -> None:
    head, inside, again, end = (ctx.emitter.label() for _ in range(4))
    ctx.emitter.place(head)
    if test is not None:
        lower_condition(ctx, test, inside, end)
    ctx.emitter.place(inside)
    _body(ctx, body, again, end)
    ctx.emitter.place(again)
    if step is not None:
        lower_expression(ctx, step)
    ctx.emitter.jump(head, span)
    ctx.emitter.place(end)


def _body(ctx: Context, body: c.Stmt, again: Label, end: Label) -> None:
    ctx.frame.continues.append(again)
    ctx.frame.breaks.append(end)
    lower_statement(ctx, body)
    ctx.frame.continues.pop()
    ctx.frame.breaks.pop()


def _do_while(ctx: Context, s: c.DoWhile) -> None:
    head, again, end = (ctx.emitter.label() for _ in range(3))
    ctx.emitter.place(head)
    _body(ctx, s.body, again, end)
    ctx.emitter.place(again)
    lower_condition(ctx, s.condition, head, end)
    ctx.emitter.place(end)


def _for_each_vcpu(ctx: Context, s: c.ForEachVcpu) -> None:
    """`for (i = 0; i < N && (vcpu = vCPU i); i++)`; the vCPUs of a VM do not come and go."""
    own = ctx.env.declarations.functions.get("kvm_get_vcpu")
    if own is not None and own.body is not None:
        raise unsupported_construct(
            "a loop over vCPUs where the file has its own `kvm_get_vcpu`", s.span
        )
    lower_expression(ctx, s.kvm)
    head, inside, again, end = (ctx.emitter.label() for _ in range(4))
    index = lower_place(ctx, s.index)
    store_value(ctx, index, convert.int_constant(0), s.span)
    ctx.emitter.place(head)
    value = read_place(ctx, index, s.span)
    left, right, _ = convert.balance_operands(value, Scalar(NumVcpus(), INT_T), s.span)
    ctx.emitter.branch(convert.apply_operator("<", left, right), inside, end, s.span)
    ctx.emitter.place(inside)
    number = convert.cast_integer(convert.require_integer(value, s.span)[0], INT)
    vcpu = Scalar(Cast(number, VCPU), Pointer(Struct("kvm_vcpu")))
    store_value(ctx, lower_place(ctx, s.vcpu), vcpu, s.vcpu.span)
    _body(ctx, s.body, again, end)
    ctx.emitter.place(again)
    left, right, t = convert.balance_operands(
        read_place(ctx, index, s.span), convert.int_constant(1), s.span
    )
    store_value(ctx, index, Scalar(convert.apply_operator("+", left, right), t), s.span)
    ctx.emitter.jump(head, s.span)
    ctx.emitter.place(end)


def _switch(ctx: Context, s: c.Switch) -> None:
    expr, t = convert.require_integer(lower_expression(ctx, s.subject), s.span)
    t = promote_integer(t)
    subject = convert.cast_integer(expr, t)
    end = ctx.emitter.label()
    values = _case_values(ctx, s.body)
    if len(set(values)) < len(values):
        raise InputError(Mismatch(span=s.span, text="two labels of the switch are the same"))
    cases = {value: ctx.emitter.label() for value in values}
    for value, label in cases.items():
        if value is None:
            continue
        other = ctx.emitter.label()
        same = convert.apply_operator("==", subject, Const(t.wrap(value), t))
        ctx.emitter.branch(same, label, other, s.span)
        ctx.emitter.place(other)
    ctx.emitter.jump(cases.get(None, end), s.span)
    ctx.frame.cases.append(cases)
    ctx.frame.breaks.append(end)
    lower_statement(ctx, s.body)
    ctx.frame.breaks.pop()
    ctx.frame.cases.pop()
    ctx.emitter.place(end)


def _case_values(ctx: Context, node: Node) -> list[int | None]:
    """Return the case values of one switch in order, not those of switches within it."""
    match node:
        case c.Switch():
            return []
        case c.CaseLabel(value, inner):
            return [_case_value(ctx, value), *_case_values(ctx, inner)]
        case _:
            return [v for child in children(node) for v in _case_values(ctx, child)]


def _case_value(ctx: Context, value: c.Expr | None) -> int | None:
    return None if value is None else evaluate_constant(value, ctx.env.declarations.known)


def _case(ctx: Context, s: c.CaseLabel) -> None:
    if not ctx.frame.cases:
        raise InputError(StrayJump(span=s.span, text="`case` is not within a switch"))
    ctx.emitter.place(ctx.frame.cases[-1][_case_value(ctx, s.value)])
    lower_statement(ctx, s.statement)


def _label_named(ctx: Context, name: str, span: Span) -> Label:
    if name not in ctx.frame.labels:
        ctx.frame.labels[name] = (ctx.emitter.label(), span)
    return ctx.frame.labels[name][0]


def _label(ctx: Context, s: c.LabelledStatement) -> None:
    if s.name in ctx.frame.placed:
        raise InputError(StrayJump(span=s.span, text=f"label `{s.name}` is defined twice"))
    ctx.emitter.place(_label_named(ctx, s.name, s.span))
    ctx.frame.placed.add(s.name)
    lower_statement(ctx, s.statement)


def _return(ctx: Context, s: c.ReturnStatement) -> None:
    frame = ctx.frame
    nothing = isinstance(frame.result_type, Void) or (frame.untyped and s.value is None)
    if nothing != (s.value is None):
        text = f"`{frame.name}` returns `{frame.result_type}`"
        raise InputError(Mismatch(span=s.span, text=text))
    if s.value is not None:
        _set_result(ctx, frame, lower_expression(ctx, s.value), s.span)
    ctx.emitter.jump(frame.leave, s.span)


def _set_result(ctx: Context, frame: Activation, value: Value, span: Span) -> None:
    if frame.result is not None:
        expr = convert_for_storage(ctx, value, frame.result_type, span)
        ctx.emitter.assign(frame.result, expr, span)
        return
    match value, frame.pointer_result:
        case (Null(), None):
            frame.pointer_result = Null()
        case (PointerTo() | StructValue(), None):
            frame.pointer_result = value
        case (PointerTo(), PointerTo()) if value == frame.pointer_result:
            pass
        case _:
            raise unsupported_construct("a function that returns one of several pointers", span)

"""Reads of a place that are made until a condition holds of what they find.

`__waits_for(p, condition)` reads `*p` again and again until the condition, in which `VAL` is what
was read, and returns that.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import Mismatch, WrongArity
from flushproof.frontend.c.types import INT_T
from flushproof.ir.code import Mode
from flushproof.lower.context import BoundName, Context, unsupported_construct
from flushproof.lower.expressions import lower_condition, lower_expression
from flushproof.lower.places import pointer_target, read_place
from flushproof.lower.values import Scalar, Value
from flushproof.support.diagnostics import InputError

FOUND = "VAL"


def lower_cond_load(ctx: Context, e: c.CallExpr) -> Value:
    """Read until a condition holds of what was read, and return it.

    Raises:
        InputError: what is read is no number.
    """
    if len(e.arguments) != 2:
        name = e.function.id if isinstance(e.function, c.Name) else ""
        raise InputError(WrongArity(span=e.span, name=name, wanted=2, given=len(e.arguments)))
    if ctx.atomic is not None:
        raise unsupported_construct("a wait in an `atomic` block", e.span)
    pointer, condition = e.arguments
    where = pointer_target(ctx, lower_expression(ctx, pointer), INT_T, e.span)
    head, end = ctx.emitter.label(), ctx.emitter.label()
    ctx.emitter.place(head)
    value = read_place(ctx, where, e.span, Mode.ONCE)
    if not isinstance(value, Scalar):
        raise InputError(Mismatch(span=e.span, text="what is waited for is no number"))
    found = Scalar(ctx.emitter.keep(value.expr, e.span), value.type)
    ctx.frame.scopes.append({FOUND: BoundName(found)})
    lower_condition(ctx, condition, end, head)
    ctx.frame.scopes.pop()
    ctx.emitter.place(end)
    return found

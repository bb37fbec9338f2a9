"""Whether a claim could fail at all: its assertions are reached with all that they presuppose.

In: a claim. Out: the claim that this never happens, so that a counterexample to it shows that the
first one is not vacuous (Kupferman and Vardi, "Vacuity detection in temporal model checking", for
one subformula: the last alternative).

`assert(a || b || c)` reads: unless a or b, c. Its antecedent is that neither a nor b holds, and in
the new claim it becomes `assert(a || b)`; any other condition c is asserted wherever the place is
reached, and becomes `assert(false)`. A handler that consists of `assert(false)` says that its event
never happens: to reach it is to fail, so there is nothing to ask. Where `assert(false)` stands
behind a condition, its antecedent is that the event happens.
"""

from __future__ import annotations

from typing import assert_never

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.spec.syntax import ClaimSpec, Handler
from flushproof.support.record import replace
from flushproof.support.source import Span

_FALSE = ("false", "0")


def reachability_claim(claim: ClaimSpec) -> ClaimSpec | None:
    """Return the claim that what a claim presupposes never holds; None where it presupposes none.

    A claim without any assertion presupposes what never happens.
    """
    handlers = [h for h in claim.handlers if _asserts(h)]
    if handlers and all(_never(h) for h in handlers):
        return None
    return replace(claim, handlers=tuple(_handler(h) for h in claim.handlers))


def _handler(h: Handler) -> Handler:
    if _never(h):
        return replace(h, body=c.Block((), h.body.span))
    happens = any(_is_false(_condition(a)) for a in _asserts(h))
    body = _block(h.body)
    first = (_assert(_false(h.span), h.span),) if happens else ()
    return replace(h, body=replace(body, statements=(*first, *body.statements)))


def _never(h: Handler) -> bool:
    """Tell whether a handler says that its event does not happen."""
    match h.body.statements:
        case (c.ExprStatement(c.CallExpr() as call),) if _is_assert(call):
            return _is_false(_condition(call))
        case _:
            return False


def _asserts(h: Handler) -> list[c.CallExpr]:
    return [n for n in walk(h.body) if isinstance(n, c.CallExpr) and _is_assert(n)]


def _is_assert(e: c.CallExpr) -> bool:
    return isinstance(e.function, c.Name) and e.function.id == "assert" and bool(e.arguments)


def _condition(call: c.CallExpr) -> c.Expr:
    return call.arguments[0]


def _is_false(e: c.Expr) -> bool:
    match e:
        case c.Name(name):
            return name in _FALSE
        case c.Number(value):
            return value == 0
        case _:
            return False


def _block(b: c.Block) -> c.Block:
    return replace(b, statements=tuple(_statement(s) for s in b.statements))


def _statement(s: c.Stmt) -> c.Stmt:
    match s:
        case c.ExprStatement(c.CallExpr() as call) if _is_assert(call):
            return _weaker(call, s.span)
        case c.Block():
            return _block(s)
        case c.If(_, then, otherwise):
            last = None if otherwise is None else _statement(otherwise)
            return replace(s, then=_statement(then), otherwise=last)
        case c.For() | c.ForEachVcpu() | c.While() | c.DoWhile() | c.Switch():
            return replace(s, body=_statement(s.body))
        case c.CaseLabel() | c.LabelledStatement():
            return replace(s, statement=_statement(s.statement))
        case c.ExprStatement() | c.Declaration() | c.Empty() | c.ReturnStatement():
            return s
        case c.Goto() | c.Break() | c.Continue():
            return s
        case _:
            assert_never(s)


def _weaker(call: c.CallExpr, span: Span) -> c.Stmt:
    match _condition(call):
        case c.BinaryExpr("||", left):
            return _assert(left, span)
        case condition if _is_false(condition):
            return c.Empty(span)
        case _:
            return _assert(_false(span), span)


def _assert(condition: c.Expr, span: Span) -> c.Stmt:
    return c.ExprStatement(c.CallExpr(c.Name("assert", span), (condition,), span), span)


def _false(span: Span) -> c.Expr:
    return c.Number(0, "", span)

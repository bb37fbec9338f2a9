"""A copy of a syntax tree with the parts below one node replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from flushproof.frontend.c import syntax as c
from flushproof.support.record import replace

OnExpr = Callable[[c.Expr], c.Expr]
OnStmt = Callable[[c.Stmt], c.Stmt]


def rewrite_expression(e: c.Expr, f: OnExpr, g: OnStmt) -> c.Expr:  # noqa: C901, PLR0912 - a table of all nodes
    """Return an expression whose direct parts went through `f`, a block within it through `g`."""
    match e:
        case c.Number() | c.String() | c.Name():
            return e
        case c.UnaryExpr(_, operand) | c.Postfix(_, operand) | c.CastExpr(_, _, operand):
            return replace(e, operand=f(operand))
        case c.BinaryExpr(_, left, right):
            return replace(e, left=f(left), right=f(right))
        case c.AssignExpr(_, target, value):
            return replace(e, target=f(target), value=f(value))
        case c.Index(base, index):
            return replace(e, base=f(base), index=f(index))
        case c.Conditional(condition, then, otherwise):
            middle = None if then is None else f(then)
            return replace(e, condition=f(condition), then=middle, otherwise=f(otherwise))
        case c.CallExpr(function, arguments):
            return replace(e, function=f(function), arguments=tuple(f(a) for a in arguments))
        case c.Member(base):
            return replace(e, base=f(base))
        case c.ContainerOf(pointer):
            return replace(e, pointer=f(pointer))
        case c.SizeOf(_, _, operand_or_none):
            return replace(e, operand=None if operand_or_none is None else f(operand_or_none))
        case c.InitList(items):
            return replace(e, items=tuple(replace(i, value=f(i.value)) for i in items))
        case c.StatementExpr(body):
            return replace(e, body=as_block(g(body)))
        case _:
            assert_never(e)


def rewrite_statement(s: c.Stmt, f: OnExpr, g: OnStmt) -> c.Stmt:  # noqa: C901 - as above
    """Return a statement whose expressions went through `f` and whose statements through `g`."""
    match s:
        case c.Declaration(_, _, declarators):
            return replace(s, declarators=tuple(_declared(d, f) for d in declarators))
        case c.ExprStatement(expression):
            return replace(s, expression=f(expression))
        case c.Block(statements):
            return replace(s, statements=tuple(g(x) for x in statements))
        case c.If(condition, then, otherwise):
            last = None if otherwise is None else g(otherwise)
            return replace(s, condition=f(condition), then=g(then), otherwise=last)
        case c.For(start, test, step, body):
            return replace(
                s,
                start=g(start),
                condition=None if test is None else f(test),
                step=None if step is None else f(step),
                body=g(body),
            )
        case c.ForEachVcpu(index, vcpu, kvm, body):
            return replace(s, index=f(index), vcpu=f(vcpu), kvm=f(kvm), body=g(body))
        case c.While(condition, body) | c.DoWhile(body, condition):
            return replace(s, condition=f(condition), body=g(body))
        case c.Switch(subject, body):
            return replace(s, subject=f(subject), body=g(body))
        case c.CaseLabel(_, statement) | c.LabelledStatement(_, statement):
            return replace(s, statement=g(statement))
        case c.ReturnStatement(value):
            return replace(s, value=None if value is None else f(value))
        case c.Empty() | c.Goto() | c.Break() | c.Continue():
            return s
        case _:
            assert_never(s)


def _declared(d: c.InitDeclarator, f: OnExpr) -> c.InitDeclarator:
    return d if d.initialiser is None else replace(d, initialiser=f(d.initialiser))


def as_block(s: c.Stmt) -> c.Block:
    """Return a statement as a block."""
    return s if isinstance(s, c.Block) else c.Block((s,), s.span)

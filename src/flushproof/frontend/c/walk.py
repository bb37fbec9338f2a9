"""What stands directly below an expression or a statement, and walks over whole trees.

Declarators are left out: their array sizes and bit widths are integer constant expressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from flushproof.frontend.c import syntax as c

Node = c.Expr | c.Stmt


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all that is below it, each before its parts, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Node) -> tuple[Node, ...]:
    """Return the expressions and statements directly below a node, in the order of its fields."""
    return _below_expression(node) if isinstance(node, c.Expr) else _below_statement(node)


def _below_statement(s: c.Stmt) -> tuple[Node, ...]:  # noqa: C901, PLR0912 - a table of all nodes
    match s:
        case c.Declaration():
            return _present(*(entry.initialiser for entry in s.declarators))
        case c.ExprStatement(expression):
            return (expression,)
        case c.Block(statements):
            return statements
        case c.If(condition, then, otherwise):
            return _present(condition, then, otherwise)
        case c.For(start, test, step, body):
            return _present(start, test, step, body)
        case c.ForEachVcpu(index, vcpu, kvm, body):
            return (index, vcpu, kvm, body)
        case c.While(condition, body) | c.Switch(condition, body):
            return (condition, body)
        case c.DoWhile(body, condition):
            return (body, condition)
        case c.CaseLabel(value, statement):
            return _present(value, statement)
        case c.LabelledStatement(_, statement):
            return (statement,)
        case c.ReturnStatement(value):
            return _present(value)
        case c.Empty() | c.Goto() | c.Break() | c.Continue():
            return ()
        case _:
            assert_never(s)


def _below_expression(e: c.Expr) -> tuple[Node, ...]:
    match e:
        case c.Number() | c.String() | c.Name():
            return ()
        case c.UnaryExpr(_, operand) | c.Postfix(_, operand) | c.CastExpr(_, _, operand):
            return (operand,)
        case c.BinaryExpr(_, left, right) | c.AssignExpr(_, left, right) | c.Index(left, right):
            return (left, right)
        case c.Conditional(condition, then, otherwise):
            return _present(condition, then, otherwise)
        case c.CallExpr(function, arguments):
            return (function, *arguments)
        case c.Member(base) | c.ContainerOf(base):
            return (base,)
        case c.SizeOf(_, _, operand_or_none):
            return _present(operand_or_none)
        case c.InitList(items):
            return tuple(item.value for item in items)
        case c.StatementExpr(body):
            return (body,)
        case _:
            assert_never(e)


def _present(*nodes: Node | None) -> tuple[Node, ...]:
    return tuple(node for node in nodes if node is not None)

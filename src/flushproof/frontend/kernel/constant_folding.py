"""Conditions that are constants taken out, so that what depends on them is plain code."""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.rewrite import rewrite_statement
from flushproof.frontend.c.walk import walk


def fold_branches(s: c.Stmt) -> c.Stmt:
    """Return a statement in which each `if` on a constant is the branch that is taken."""
    if isinstance(s, c.If):
        value = constant_truth(s.condition)
        dropped = s.otherwise if value else s.then
        if value is not None and not _labelled(dropped):
            taken = s.then if value else s.otherwise
            return c.Empty(s.span) if taken is None else fold_branches(taken)
    return rewrite_statement(s, lambda e: e, fold_branches)


def constant_truth(e: c.Expr) -> bool | None:
    """Return the truth of a condition, None where it depends on anything."""
    match e:
        case c.Number(value):
            return value != 0
        case c.UnaryExpr("!", operand):
            value_ = constant_truth(operand)
            return None if value_ is None else not value_
        case c.BinaryExpr("&&", left, right):
            return _joined(constant_truth(left), constant_truth(right), short=False)
        case c.BinaryExpr("||", left, right):
            return _joined(constant_truth(left), constant_truth(right), short=True)
        case _:
            return None


def _joined(left: bool | None, right: bool | None, *, short: bool) -> bool | None:  # noqa: FBT001
    """Join two operands; where the left one is `short`, the right one is not evaluated."""
    if left is None:
        return None
    return short if left is short else right


def _labelled(s: c.Stmt | None) -> bool:
    return s is not None and any(isinstance(n, c.LabelledStatement | c.CaseLabel) for n in walk(s))

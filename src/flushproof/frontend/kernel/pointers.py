"""EPT pointers as a kernel file makes them: whether that is what the prelude takes it for.

The prelude's `construct_eptp()` adds bits below the page that depend on nothing but the root. Where
a file makes them otherwise, say without the root or with part of it, its own function runs.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.consteval import NUMBERS, evaluate_constant
from flushproof.frontend.c.walk import walk
from flushproof.support.diagnostics import InputError

CONSTRUCT = "construct_eptp"
_ROOT = 1
_PAGES = ~0xFFF & ((1 << 64) - 1)


def adds_attributes(f: c.Function) -> bool:
    """Tell whether a function returns the page of its second parameter with other bits or'ed in."""
    if f.body is None or len(f.parameters) <= _ROOT:
        return False
    root = f.parameters[_ROOT].declarator.name
    nodes = tuple(walk(f.body))
    named = [n for n in nodes if isinstance(n, c.Name) and n.id == root]
    returns = [n for n in nodes if isinstance(n, c.ReturnStatement)]
    if len(named) != 1 or len(returns) != 1 or not _straight(f.body, returns[0]):
        return False
    value = returns[0].value
    parts = () if value is None else _joined(value)
    if any(_page_of(p, root) for p in parts):
        return all(_plain(p) for p in parts)
    variables = [p.id for p in parts if isinstance(p, c.Name)]
    return len(variables) == len(parts) == 1 and _collects(f.body, variables[0], root)


def _straight(body: c.Block, last: c.ReturnStatement) -> bool:
    """Tell whether a function's one return ends it, so that all before it is done."""
    return bool(body.statements) and body.statements[-1] == last


def _collects(body: c.Block, name: str, root: str) -> bool:
    """Tell whether a variable gets the page at the function's outer level, and nothing drops it."""
    there = False
    for s in body.statements:
        for node in walk(s):
            match node:
                case c.AssignExpr(op, c.Name(target)) if target == name:
                    if op != "|=" and (op != "=" or there):
                        return False
                case c.Postfix(_, c.Name(target)) | c.UnaryExpr("++" | "--" | "&", c.Name(target)):
                    if target == name:
                        return False
                case _:
                    pass
        there = there or _gives(s, name, root)
    return there


def _gives(s: c.Stmt, name: str, root: str) -> bool:
    """Tell whether a statement puts the page into the variable, whatever else it or's in."""
    match s:
        case c.ExprStatement(c.AssignExpr("=" | "|=", c.Name(target), value)) if target == name:
            return any(_page_of(p, root) for p in _joined(value))
        case c.Declaration(_, _, declarators):
            return any(
                d.declarator.name == name
                and d.initialiser is not None
                and any(_page_of(p, root) for p in _joined(d.initialiser))
                for d in declarators
            )
        case _:
            return False


def _joined(e: c.Expr) -> tuple[c.Expr, ...]:
    """Return what an expression or's together."""
    match e:
        case c.BinaryExpr("|", left, right):
            return (*_joined(left), *_joined(right))
        case _:
            return (e,)


def _plain(e: c.Expr) -> bool:
    """Tell whether nothing is assigned within an expression."""
    return not any(isinstance(n, c.AssignExpr | c.Postfix) for n in walk(e))


def _page_of(node: object, root: str) -> bool:
    """Tell whether this is the page of the root: all of it, or with the bits below masked away."""
    match node:
        case c.Name(name):
            return name == root
        case c.BinaryExpr("&", c.Name(name), mask) if name == root:
            try:
                return evaluate_constant(mask, NUMBERS) % (1 << 64) == _PAGES
            except InputError:
                return False
        case _:
            return False

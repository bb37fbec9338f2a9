"""Calls through a local pointer that only ever holds one function, made calls of that function.

In: a function as parsed. Out: the same, with such calls. A pointer that is given a value in any
other way, or whose address is taken, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.rewrite import as_block, rewrite_expression, rewrite_statement
from flushproof.frontend.c.walk import walk
from flushproof.support.record import replace


def devirtualise_calls(f: c.Function) -> c.Function:
    """Return the function with such calls replaced."""
    known = {} if f.body is None else _known(f, f.body)
    if f.body is None or not known:
        return f

    def expression(e: c.Expr) -> c.Expr:
        match e:
            case c.CallExpr(function) if name := known.get(_called(function)):
                return rewrite_expression(
                    replace(e, function=c.Name(name, function.span)), expression, statement
                )
            case _:
                return rewrite_expression(e, expression, statement)

    def statement(s: c.Stmt) -> c.Stmt:
        return rewrite_statement(s, expression, statement)

    return replace(f, body=as_block(statement(f.body)))


def _called(e: c.Expr) -> str:
    """Return the name through which a call is made: `fn(...)` and `(*fn)(...)` are the same."""
    match e:
        case c.Name(name) | c.UnaryExpr("*", c.Name(name)):
            return name
        case _:
            return ""


def _known(f: c.Function, body: c.Block) -> Mapping[str, str]:
    """Return the local pointers to functions with the one function that each holds."""
    given: dict[str, set[str]] = {}
    pointers: set[str] = set()
    declared = [p.declarator.name for p in f.parameters]
    for node in walk(body):
        match node:
            case c.Declaration(_, _, declarators):
                declared += [d.declarator.name for d in declarators]
                for d in declarators:
                    if d.declarator.function_pointer:
                        pointers.add(d.declarator.name)
                        values = given.setdefault(d.declarator.name, set())
                        values |= set() if d.initialiser is None else {_function(d.initialiser)}
            case c.AssignExpr(_, c.Name(name), value):
                given.setdefault(name, set()).add(_function(value))
            case c.UnaryExpr("&" | "++" | "--", c.Name(name)) | c.Postfix(_, c.Name(name)):
                given.setdefault(name, set()).add("")
            case _:
                pass
    once = {name for name in pointers if declared.count(name) == 1}
    return {
        name: only
        for name, values in given.items()
        if len(values) == 1 and name in once
        for only in values
        if only and only not in declared
    }


def _function(e: c.Expr) -> str:
    match e:
        case c.Name(name) | c.UnaryExpr("&", c.Name(name)):
            return name
        case _:
            return ""

"""Places in the code's own text at which the driver must be able to stop it.

In: the events of a counterexample. Out: which plain accesses need a hook, and the text or the tree
with hooks around them. Locks, hypercalls and marked accesses need none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from flushproof.features.reproduce.events import ProgramEvent
from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.rewrite import rewrite_expression, rewrite_statement
from flushproof.frontend.c.walk import walk
from flushproof.support.record import Record, replace
from flushproof.support.source import Source, Span

Spans = frozenset[Span]
UNSET = "HOOK_UNSET"
"""The value of a variable that is declared without one."""


def needed_hooks(events: Sequence[ProgramEvent], *, every: bool) -> Spans:
    """Return the plain accesses that need a hook: all, or those first after another thread."""
    out: set[Span] = set()
    last: dict[str, int] = {}
    for e in events:
        switched = last.get("thread") != e.thread
        last["thread"] = e.thread
        if e.plain and e.span is not None and (every or switched):
            out.add(e.span)
    return frozenset(out)


def driver_events(events: Sequence[ProgramEvent], hooks: Spans) -> tuple[ProgramEvent, ...]:
    """Return the events that the driver sees."""
    return tuple(e for e in events if e.span in hooks or not (e.plain or e.kind == "ANYTHING"))


def list_uninitialised(functions: Iterable[c.Function]) -> Spans:
    """Return the integer variables that are declared without a value."""
    nodes = (n for f in functions if f.body is not None for n in walk(f.body))
    return frozenset(
        d.span
        for n in nodes
        if isinstance(n, c.Declaration) and n.type.kind != "struct"
        for d in n.declarators
        if d.initialiser is None and not d.declarator.pointers and not d.declarator.arrays
    )


def free_calls(functions: Iterable[c.Function], names: Collection[str]) -> Spans:
    """Return the calls of functions that may return anything."""
    nodes = (n for f in functions if f.body is not None for n in walk(f.body))
    return frozenset(
        n.span
        for n in nodes
        if isinstance(n, c.CallExpr) and isinstance(n.function, c.Name) and n.function.id in names
    )


# In a tree -------------------------------------------------------------------------------------


def hook_function(f: c.Function, hooks: Spans) -> c.Function:
    """Return a function with hooks around the accesses at these places."""
    if f.body is None or not any(s in hooks for n in walk(f.body) for s in _spans(n)):
        return f
    body = rewrite_statement(f.body, lambda e: _expr(e, hooks), lambda s: _stmt(s, hooks))
    assert isinstance(body, c.Block)
    return replace(f, body=body)


def _spans(n: c.Expr | c.Stmt) -> tuple[Span, ...]:
    return (n.span, *(d.span for d in n.declarators)) if isinstance(n, c.Declaration) else (n.span,)


def _stmt(s: c.Stmt, hooks: Spans) -> c.Stmt:
    if isinstance(s, c.Declaration):
        s = replace(s, declarators=tuple(_declared(d, hooks) for d in s.declarators))
    return rewrite_statement(s, lambda e: _expr(e, hooks), lambda x: _stmt(x, hooks))


def _declared(d: c.InitDeclarator, hooks: Spans) -> c.InitDeclarator:
    if d.span not in hooks or d.initialiser is not None:
        return d
    return replace(d, initialiser=c.Name(UNSET, d.span))


def _target(e: c.Expr, hooks: Spans) -> c.Expr:
    """Return an lvalue with hooks in what it reads, and none around itself."""
    return rewrite_expression(e, lambda x: _expr(x, hooks), lambda s: _stmt(s, hooks))


def _expr(e: c.Expr, hooks: Spans) -> c.Expr:
    match e:
        case c.UnaryExpr("&", operand):
            return replace(e, operand=_target(operand, hooks))
        case c.AssignExpr("=", target, value) if e.span in hooks:
            return _call("HOOK_WRITE", e.span, _target(target, hooks), _expr(value, hooks))
        case c.AssignExpr("=", target, value):
            return replace(e, target=_target(target, hooks), value=_expr(value, hooks))
        case c.AssignExpr(op, target, value):
            value = _expr(value, hooks)
            if e.span in hooks:
                sign = c.Name(op[:-1], e.span)
                return _call("HOOK_UPDATE", e.span, _target(target, hooks), sign, value)
            return replace(e, target=_target(target, hooks), value=value)
        case c.Postfix(op, operand) if e.span in hooks:
            return _call("HOOK_AFTER", e.span, _target(operand, hooks), c.Name(op[0], e.span))
        case c.UnaryExpr("++" | "--" as op, operand) if e.span in hooks:
            one = c.Number(1, "", e.span)
            sign = c.Name(op[0], e.span)
            return _call("HOOK_UPDATE", e.span, _target(operand, hooks), sign, one)
        case c.Postfix() | c.UnaryExpr("++" | "--"):
            return _target(e, hooks)
        case c.Member() | c.Index() | c.Name() | c.UnaryExpr("*") if e.span in hooks:
            return _call("HOOK_READ", e.span, _target(e, hooks))
        case _:
            return rewrite_expression(e, lambda x: _expr(x, hooks), lambda s: _stmt(s, hooks))


def _call(name: str, span: Span, *arguments: c.Expr) -> c.Expr:
    return c.CallExpr(c.Name(name, span), arguments, span)


def settle_free_calls(f: c.Function, dead: Spans) -> c.Function:
    """Return a function in which calls that may return anything, whatever they do return, are 0."""

    def expr(e: c.Expr) -> c.Expr:
        if isinstance(e, c.CallExpr) and e.span in dead:
            return c.Number(0, "", e.span)
        return rewrite_expression(e, expr, stmt)

    def stmt(s: c.Stmt) -> c.Stmt:
        return rewrite_statement(s, expr, stmt)

    if f.body is None or not dead:
        return f
    body = stmt(f.body)
    assert isinstance(body, c.Block)
    return replace(f, body=body)


# In a text -------------------------------------------------------------------------------------


class _Edit(Record, frozen=True):
    """A replacement of text[start:end]; of edits at one place the outer one comes first."""

    start: int
    end: int
    text: str


def hook_source(source: Source, functions: Sequence[c.Function], hooks: Spans) -> str:
    """Return a C file with hooks around the accesses at these places, all else as it stands.

    Where an access comes out of a macro, the body around it is written anew.
    """
    edits: list[_Edit] = []
    for f in functions:
        if f.body is None or f.span.file != source.name:
            continue
        nodes = [n for n in walk(f.body) if n.span in hooks and isinstance(n, c.Expr)]
        declared = [
            d.span
            for n in walk(f.body)
            if isinstance(n, c.Declaration)
            for d in n.declarators
            if d.span in hooks
        ]
        if all(_as_written(n, source) for n in nodes):
            edits += [x for n in nodes for x in _around(n, source)]
            ends = [source.stretch(s)[1] for s in declared]
            edits += [_Edit(end, end, f" = {UNSET}") for end in ends]
        else:
            body = hook_function(f, hooks).body
            assert body is not None
            edits.append(_Edit(*source.stretch(f.body.span), printer.print_statement(body)))
    return _applied(source.text, edits)


def _text(node: c.Expr | c.Stmt, source: Source) -> str:
    start, end = source.stretch(node.span)
    return source.text[start:end]


def _as_written(node: c.Expr | c.Stmt, source: Source) -> bool:
    """Tell whether an access stands in the text as it stands in the tree."""
    if not isinstance(node, c.Expr):
        return False
    return "".join(_text(node, source).split()) == "".join(printer.print_expression(node).split())


def _around(node: c.Expr | c.Stmt, source: Source) -> Iterator[_Edit]:
    start, end = source.stretch(node.span)
    match node:
        case c.AssignExpr(op, target, value):
            middle = source.stretch(target.span)[1], source.stretch(value.span)[0]
            name = "HOOK_WRITE(" if op == "=" else "HOOK_UPDATE("
            yield _Edit(start, start, name)
            yield _Edit(*middle, ", " if op == "=" else f", {op[:-1]}, ")
            yield _Edit(end, end, ")")
        case c.Postfix(op):
            yield _Edit(start, start, "HOOK_AFTER(")
            yield _Edit(end - len(op), end, f", {op[0]})")
        case c.UnaryExpr("++" | "--" as op):
            yield _Edit(start, start + len(op), "HOOK_UPDATE(")
            yield _Edit(end, end, f", {op[0]}, 1)")
        case _:
            yield _Edit(start, start, "HOOK_READ(")
            yield _Edit(end, end, ")")


def _applied(text: str, edits: list[_Edit]) -> str:
    out: list[str] = []
    at = 0
    for e in sorted(edits, key=lambda e: (e.start, e.end)):
        out += [text[at : e.start], e.text]
        at = e.end
    return "".join((*out, text[at:]))

"""Locks that free themselves: `guard(class)(lock);`, as calls that take and free the lock.

In: a function as parsed. Out: the same without guards. A guard's lock is freed where its
block ends, and before each `return`, `break`, `continue` and `goto` that leaves the block; a value
that is returned is computed first, as C does. `scoped_guard` arrives as a block with a guard.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.diagnostics import InputError
from flushproof.frontend import syntax as c
from flushproof.frontend.constants import Outside
from flushproof.frontend.walk import Node, walk
from flushproof.record import Record, replace
from flushproof.source import Span

GUARD = "guard"
_PLAIN = {
    "spinlock": ("spin_lock", "spin_unlock"),
    "raw_spinlock": ("raw_spin_lock", "raw_spin_unlock"),
    "mutex": ("mutex_lock", "mutex_unlock"),
    "read_lock": ("read_lock", "read_unlock"),
    "write_lock": ("write_lock", "write_unlock"),
    "rwsem_read": ("down_read", "up_read"),
    "rwsem_write": ("down_write", "up_write"),
}
_VARIANTS = ("_irqsave", "_irq", "_bh", "_nested", "_nest")
"""Ways to take a lock that come to the same here."""


class _Held(Record, frozen=True):
    """A lock that is freed at the end of its block."""

    free: str
    lock: tuple[c.Expr, ...]
    span: Span


class _Where(Record, frozen=True):
    """The guards in force, and how many of them are left by `break` and by `continue`."""

    held: tuple[_Held, ...] = ()
    outside_break: int = 0
    outside_continue: int = 0


def without_guards(f: c.Function) -> c.Function:
    """Return a function whose locks are taken and freed by calls.

    Raises:
        InputError: a guard is used in a way that is not followed.
    """
    if f.body is None or not any(_lock(node) for node in walk(f.body)):
        return f
    return replace(f, body=_Function(f).block(f.body, _Where()))


def classes(name: str) -> tuple[str, str] | None:
    """Return the functions that take and free the lock of a guard's class."""
    for ending in _VARIANTS:
        name = name.removesuffix(ending)
    return _PLAIN.get(name)


def _lock(node: Node) -> tuple[tuple[str, str], tuple[c.Expr, ...]] | None:
    match node:
        case c.Call(c.Call(c.Name(word), (c.Name(name),)), arguments) if word == GUARD:
            found = classes(name)
            return None if found is None else (found, arguments)
        case _:
            return None


class _Function:
    """One function being rewritten."""

    def __init__(self, f: c.Function) -> None:
        self.function = f
        self.count = 0
        self.labels: dict[str, int] = {}
        if f.body is not None:
            self._note_labels(f.body, 0)

    def _note_labels(self, s: c.Block, held: int) -> None:
        """Note how many guards are in force at each label."""
        for x in s.statements:
            for inner, label in _blocks(x):
                if isinstance(inner, c.Block):
                    self._note_labels(inner, held)
                if label:
                    self.labels[label] = held
            held += isinstance(x, c.ExprStatement) and _lock(x.expression) is not None

    def block(self, s: c.Block, where: _Where) -> c.Block:
        kept: list[c.Stmt] = []
        start = len(where.held)
        for number, x in enumerate(s.statements):
            lock = _lock(x.expression) if isinstance(x, c.ExprStatement) else None
            if lock is None:
                kept.append(self._statement(x, where))
                continue
            (take, free), arguments = lock
            _stays(arguments, s.statements[number + 1 :])
            kept.append(_call(take, arguments, x.span))
            where = replace(where, held=(*where.held, _Held(free, arguments, x.span)))
        return replace(s, statements=(*kept, *_freed(where.held[start:])))

    def _statement(  # noqa: C901 - a table of all statements
        self, s: c.Stmt, where: _Where
    ) -> c.Stmt:
        here = len(where.held)
        loop = replace(where, outside_break=here, outside_continue=here)
        match s:
            case c.Block():
                return self.block(s, where)
            case c.If(_, then, otherwise):
                last = None if otherwise is None else self._statement(otherwise, where)
                return replace(s, then=self._statement(then, where), otherwise=last)
            case c.For() | c.ForEachVcpu() | c.While() | c.DoWhile():
                return replace(s, body=self._statement(s.body, loop))
            case c.Switch(_, body):
                return replace(s, body=self._statement(body, replace(where, outside_break=here)))
            case c.Case(_, inner) | c.Label(_, inner):
                return replace(s, statement=self._statement(inner, where))
            case c.Return():
                return self._return(s, where)
            case c.Break():
                return _left(s, where.held[where.outside_break :])
            case c.Continue():
                return _left(s, where.held[where.outside_continue :])
            case c.Goto(label):
                return _left(s, where.held[self.labels.get(label, 0) :])
            case c.ExprStatement() | c.Declaration() | c.Empty():
                _refuse_guards(s)
                return s

    def _return(self, s: c.Return, where: _Where) -> c.Stmt:
        if not where.held or s.value is None or isinstance(s.value, c.Number):
            return _left(s, where.held)
        self.count += 1
        name = f"guarded@{self.count}"
        place = c.Declarator(
            name, self.function.pointers, (), function_pointer=False, bits=None, span=s.span
        )
        first = c.InitDeclarator(place, s.value, s.span)
        kept = c.Declaration(self.function.type, (), (first,), s.span)
        after = replace(s, value=c.Name(name, s.span))
        return c.Block((kept, *_freed(where.held), after), s.span)


def _blocks(s: c.Stmt) -> Iterator[tuple[c.Stmt, str]]:
    """Yield the blocks directly within a statement, and its labels."""
    match s:
        case c.Block():
            yield s, ""
        case c.If(_, then, otherwise):
            yield from _blocks(then)
            yield from _blocks(otherwise) if otherwise is not None else ()
        case c.For() | c.ForEachVcpu() | c.While() | c.DoWhile() | c.Switch():
            yield from _blocks(s.body)
        case c.Case(_, inner):
            yield from _blocks(inner)
        case c.Label(name, inner):
            yield s, name
            yield from _blocks(inner)
        case _:
            pass


def _call(name: str, arguments: tuple[c.Expr, ...], span: Span) -> c.Stmt:
    return c.ExprStatement(c.Call(c.Name(name, span), arguments, span), span)


def _freed(held: tuple[_Held, ...]) -> tuple[c.Stmt, ...]:
    return tuple(_call(h.free, h.lock, h.span) for h in reversed(held))


def _left(s: c.Stmt, held: tuple[_Held, ...]) -> c.Stmt:
    return c.Block((*_freed(held), s), s.span) if held else s


def _refuse_guards(s: c.Stmt) -> None:
    """Refuse a guard that is part of something else."""
    for node in walk(s):
        if _lock(node) is not None:
            raise InputError(Outside(span=node.span, construct="a guard within an expression"))


def _stays(arguments: tuple[c.Expr, ...], scope: tuple[c.Stmt, ...]) -> None:
    """Refuse a guard whose lock is named by something that its block changes."""
    names = {n.id for a in arguments for n in walk(a) if isinstance(n, c.Name)}
    for node in (n for s in scope for n in walk(s)):
        if any(isinstance(x, c.Name) and x.id in names for x in _changed(node)):
            raise InputError(Outside(span=node.span, construct="a guard whose lock changes"))


def _changed(node: Node) -> tuple[c.Expr, ...]:
    match node:
        case c.Assign(_, target):
            return (target,)
        case c.Postfix(_, operand) | c.Unary("++" | "--" | "&", operand):
            return (operand,)
        case c.ForEachVcpu(index, vcpu):
            return (index, vcpu)
        case _:
            return ()

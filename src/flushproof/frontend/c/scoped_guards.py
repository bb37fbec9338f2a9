"""Locks that free themselves: `guard(class)(lock);`, as calls that take and free the lock.

In: a function as parsed. Out: the same without guards. A guard's lock is freed where its block
ends, and before each `return`, `break`, `continue` and `goto` that leaves the block, also from
within a statement expression; a value that is returned is computed first, as C does. Which lock
it is, is found out once, where it is taken. `scoped_guard` arrives as a block with a guard.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.constants import OutsideSubset
from flushproof.frontend.c.rewrite import rewrite_expression, rewrite_statement
from flushproof.frontend.c.walk import Node, children, walk
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

GUARD = "guard"
MOST = 100
"""So many guards may stand in one function; for each all that follows is looked through."""
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


_TYPES = {
    "spin_lock": ("name", "spinlock_t"),
    "raw_spin_lock": ("name", "raw_spinlock_t"),
    "mutex_lock": ("struct", "mutex"),
    "read_lock": ("name", "rwlock_t"),
    "write_lock": ("name", "rwlock_t"),
    "down_read": ("struct", "rw_semaphore"),
    "down_write": ("struct", "rw_semaphore"),
}
_ELSEWHERE = frozenset({"rcu", "preempt", "preempt_notrace", "migrate", "irq", "irqsave", "srcu"})
"""Classes of guards that keep out nobody who is in the model."""


class _Held(Record, frozen=True):
    """A lock that is freed at the end of its block; `number` tells guards apart."""

    number: int
    free: str
    lock: tuple[c.Expr, ...]
    span: Span


class _Where(Record, frozen=True):
    """The guards in force, and how many of them are left by `break`, `continue` or at a `case`."""

    held: tuple[_Held, ...] = ()
    outside_break: int = 0
    outside_continue: int = 0
    outside_case: int = 0


def without_guards(f: c.Function) -> c.Function:
    """Return a function whose locks are taken and freed by calls.

    Raises:
        InputError: a guard is used in a way that is not followed.
    """
    if f.body is None or not any(_guard(node) for node in walk(f.body)):
        return f
    return replace(f, body=_Function(f, f.body).block(f.body, _Where()))


def lock_type(name: str) -> tuple[str, str, str] | None:
    """Return the type of the lock of a guard's class, and the functions that take and free it."""
    found = guard_functions(name)
    if found is None:
        return None
    kind, tag = _TYPES[found[0]]
    return (f"struct {tag}" if kind == "struct" else tag), *found


def guard_functions(name: str) -> tuple[str, str] | None:
    """Return the functions that take and free the lock of a guard's class."""
    for ending in _VARIANTS:
        name = name.removesuffix(ending)
    return _PLAIN.get(name)


def _guard(node: Node) -> tuple[str, tuple[c.Expr, ...]] | None:
    """Return the class of the guard that a node is, and what it is given."""
    match node:
        case c.CallExpr(c.CallExpr(c.Name(word), (c.Name(name),)), arguments) if word == GUARD:
            return name, arguments
        case _:
            return None


def _guarding(s: c.Stmt) -> tuple[str, tuple[c.Expr, ...]] | None:
    """Return the same of a statement that is a guard."""
    return _guard(s.expression) if isinstance(s, c.ExprStatement) else None


def _locks(node: Node) -> bool:
    """Tell whether a node is the statement of a guard that keeps somebody out."""
    given = _guarding(node) if isinstance(node, c.ExprStatement) else None
    return given is not None and given[0] not in _ELSEWHERE


class _Function:
    """One function being rewritten."""

    def __init__(self, f: c.Function, body: c.Block) -> None:
        self.function = f
        self.count = 0
        self.numbers: dict[int, int] = {}
        self.labels: dict[str, tuple[int, ...]] = {}
        self.own = _own_names(f, body)
        self._note(body, ())
        if len(self.numbers) > MOST:
            construct = f"more than {MOST} guards in one function"
            raise InputError(OutsideSubset(span=f.span, construct=construct))

    def _note(self, node: Node, held: tuple[int, ...]) -> None:
        """Give the guards numbers, and note which of them are in force at each label."""
        if isinstance(node, c.LabelledStatement):
            self.labels[node.name] = held
        for child in children(node):
            self._note(child, held)
            if isinstance(node, c.Block) and _locks(child):
                self.numbers[id(child)] = len(self.numbers)
                held = (*held, self.numbers[id(child)])

    def block(self, s: c.Block, where: _Where) -> c.Block:
        kept: list[c.Stmt] = []
        start = len(where.held)
        for number, x in enumerate(s.statements):
            given = _guarding(x)
            if given is None:
                kept.append(self._statement(x, where))
                continue
            if given[0] in _ELSEWHERE:
                continue
            before, held = self._taken(x, given, s.statements[number + 1 :])
            kept += before
            where = replace(where, held=(*where.held, held))
        return replace(s, statements=(*kept, *_freed(where.held[start:])))

    def _taken(
        self, x: c.Stmt, given: tuple[str, tuple[c.Expr, ...]], scope: tuple[c.Stmt, ...]
    ) -> tuple[list[c.Stmt], _Held]:
        """Return the statements that take a guard's lock, and what frees it."""
        name, arguments = given
        found = guard_functions(name)
        if found is None:
            construct = f"a guard of class `{name}`, which is not known"
            raise InputError(OutsideSubset(span=x.span, construct=construct))
        take, free = found
        before: list[c.Stmt] = []
        if not all(_stays(a, scope, self.own) for a in arguments) and len(arguments) == 1:
            kept = self._kept(c.WrittenType(*_TYPES[take], x.span), 1, arguments[0], x.span)
            before.append(kept)
            arguments = (c.Name(kept.declarators[0].declarator.name, x.span),)
        before.append(_call(take, arguments, x.span))
        return before, _Held(self.numbers[id(x)], free, arguments, x.span)

    def _statement(self, s: c.Stmt, where: _Where) -> c.Stmt:  # noqa: C901 - all statements
        here = len(where.held)
        loop = replace(where, outside_break=here, outside_continue=here)
        match s:
            case c.Block():
                return self.block(s, where)
            case c.For() | c.ForEachVcpu() | c.While() | c.DoWhile():
                return replace(
                    self._expressions(replace(s, body=c.Empty(s.span)), where),
                    body=self._statement(s.body, loop),
                )
            case c.Switch(_, body):
                inner = replace(where, outside_break=here, outside_case=here)
                new_head = self._expressions(replace(s, body=c.Empty(s.span)), where)
                return replace(new_head, body=self._statement(body, inner))
            case c.CaseLabel(_, inner_statement):
                if here != where.outside_case:
                    raise InputError(OutsideSubset(span=s.span, construct="a case behind a guard"))
                return replace(s, statement=self._statement(inner_statement, where))
            case c.ReturnStatement():
                return self._return(s, where)
            case c.Break():
                return _left(s, where.held[where.outside_break :])
            case c.Continue():
                return _left(s, where.held[where.outside_continue :])
            case c.Goto():
                return self._goto(s, where)
            case c.If() | c.LabelledStatement() | c.ExprStatement() | c.Declaration() | c.Empty():
                return self._expressions(s, where)

    def _expressions(self, s: c.Stmt, where: _Where) -> c.Stmt:
        """Rewrite what stands below a statement: statement expressions may leave its block."""
        if isinstance(s, c.ExprStatement) and _guarding(s) is not None:
            raise InputError(
                OutsideSubset(span=s.span, construct="a guard that is not within a block")
            )
        return rewrite_statement(
            s, lambda e: self._expression(e, where), lambda x: self._statement(x, where)
        )

    def _expression(self, e: c.Expr, where: _Where) -> c.Expr:
        if _guard(e) is not None:
            raise InputError(OutsideSubset(span=e.span, construct="a guard within an expression"))
        if isinstance(e, c.StatementExpr) and any(_guarding(x) for x in e.body.statements):
            construct = "a guard within a statement expression"
            raise InputError(OutsideSubset(span=e.span, construct=construct))
        return rewrite_expression(
            e, lambda x: self._expression(x, where), lambda x: self._statement(x, where)
        )

    def _goto(self, s: c.Goto, where: _Where) -> c.Stmt:
        wanted = self.labels.get(s.label, ())
        if tuple(h.number for h in where.held[: len(wanted)]) != wanted:
            construct = "a jump to a place behind a guard"
            raise InputError(OutsideSubset(span=s.span, construct=construct))
        return _left(s, where.held[len(wanted) :])

    def _return(self, s: c.ReturnStatement, where: _Where) -> c.Stmt:
        if s.value is None or isinstance(s.value, c.Number) or not where.held:
            return _left(self._expressions(s, where), where.held)
        value = self._expression(s.value, where)
        kept = self._kept(self.function.type, self.function.pointers, value, s.span)
        after = replace(s, value=c.Name(kept.declarators[0].declarator.name, s.span))
        return c.Block((kept, *_freed(where.held), after), s.span)

    def _kept(self, t: c.WrittenType, pointers: int, value: c.Expr, span: Span) -> c.Declaration:
        """Declare a variable that holds a value from here on."""
        self.count += 1
        name = f"guarded@{self.count}"
        place = c.Declarator(name, pointers, (), function_pointer=False, bits=None, span=span)
        return c.Declaration(t, (), (c.InitDeclarator(place, value, span),), span)


def _call(name: str, arguments: tuple[c.Expr, ...], span: Span) -> c.Stmt:
    return c.ExprStatement(c.CallExpr(c.Name(name, span), arguments, span), span)


def _freed(held: tuple[_Held, ...]) -> tuple[c.Stmt, ...]:
    return tuple(_call(h.free, h.lock, h.span) for h in reversed(held))


def _left(s: c.Stmt, held: tuple[_Held, ...]) -> c.Stmt:
    return c.Block((*_freed(held), s), s.span) if held else s


def _own_names(f: c.Function, body: c.Block) -> frozenset[str]:
    """Return the names of a function's variables that nobody else can change."""
    nodes = tuple(walk(body))
    declared = (d for n in nodes if isinstance(n, c.Declaration) for d in n.declarators)
    names = {p.declarator.name for p in f.parameters} | {d.declarator.name for d in declared}
    pointed = (n.operand for n in nodes if isinstance(n, c.UnaryExpr) and n.op == "&")
    return frozenset(names - {x.id for x in pointed if isinstance(x, c.Name)})


def _stays(lock: c.Expr, scope: tuple[c.Stmt, ...], own: frozenset[str]) -> bool:
    """Tell whether an expression surely names one lock, in its block, whenever it is evaluated."""
    names = {n.id for n in walk(lock) if isinstance(n, c.Name)} - _called(lock)
    if not _fixed(lock) or not names <= own:
        return False
    nodes = (n for s in scope for n in walk(s))
    return not any(isinstance(x, c.Name) and x.id in names for n in nodes for x in _changed(n))


def _called(e: c.Expr) -> set[str]:
    calls = (n.function for n in walk(e) if isinstance(n, c.CallExpr))
    return {f.id for f in calls if isinstance(f, c.Name)}


def _fixed(e: c.Expr) -> bool:
    """Tell whether nothing shared is read to find out where a lock is."""
    match e:
        case c.Name():
            return True
        case c.UnaryExpr("&", c.Member() as member):
            while isinstance(member.base, c.Member) and not member.arrow:
                member = member.base
            return _fixed(member.base)
        case c.Member(c.Name(), "kvm"):
            return True
        case c.CallExpr(c.Name(name), (argument,)) if name.startswith("to_"):
            return _fixed(argument)
        case _:
            return False


def _changed(node: Node) -> tuple[c.Expr, ...]:
    match node:
        case c.AssignExpr(_, target):
            return (target,)
        case c.Postfix(_, operand) | c.UnaryExpr("++" | "--", operand):
            return (operand,)
        case c.ForEachVcpu(index, vcpu):
            return (index, vcpu)
        case _:
            return ()

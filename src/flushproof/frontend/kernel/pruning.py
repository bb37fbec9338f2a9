"""A function reduced to the statements that matter to the flush (a slice in the sense of Weiser).

Kept are accesses to the state, locks, hypercalls, calls of functions that do any of it, whatever
gives a value to a local variable that these use, and every jump that is not within something
dropped. Dropping the rest changes nothing that the model can see.

Lemma L28 of docs/soundness.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.walk import Node, walk
from flushproof.frontend.kernel.harmless import Harm, harm_of
from flushproof.frontend.kernel.havoc_abstraction import Abstractor
from flushproof.frontend.kernel.loops import refuse_loop, unknown_loop
from flushproof.support.record import replace


@dataclass
class Pruner:
    """Reduces one function; `needed` are local variables whose values are used."""

    abstractor: Abstractor
    needed: set[str] = field(default_factory=set)

    def function(self) -> c.Function:
        """Return the function reduced."""
        f = self.abstractor.body.function
        if f.body is None:
            return f
        while True:
            before = frozenset(self.needed)
            self.abstractor.notes.assumed.clear()
            self.abstractor.notes.called.clear()
            self.abstractor.notes.unknown.clear()
            body = self._block(f.body) or c.Block((), f.body.span)
            if self.needed == before:
                return replace(f, body=body)

    # What matters -------------------------------------------------------------------------------

    def _matters(self, e: c.Expr | None) -> bool:
        if e is None:
            return False
        return self._jumps(e) or any(self._matters_here(node) for node in walk(e))

    def _matters_here(self, node: Node) -> bool:
        """Tell whether a node may read the state, or cannot be shown not to change it."""
        a = self.abstractor
        match node:
            case c.Member(_, name):
                return name in a.relevance.members
            case c.Name(name):
                return name not in a.scope and name in a.relevance.tracked.changing
            case c.CallExpr(_, arguments):
                acts = a.effects.call_matters(node, a.body, a.scope)
                return acts or any(self._gives(x, node) for x in arguments)
            case c.AssignExpr(_, target):
                return self._target(target)
            case c.Postfix(_, operand) | c.UnaryExpr("++" | "--", operand):
                return self._target(operand)
            case c.UnaryExpr("&", operand):
                return a.effects.is_variable(operand, a.scope)
            case c.ForEachVcpu(index, vcpu):
                return self._target(index) or self._target(vcpu)
            case _:
                return False

    def _jumps(self, e: c.Expr) -> bool:
        """Tell whether a jump stands within an expression, in `({ ... })`."""
        jumps = c.ReturnStatement | c.Goto | c.Break | c.Continue | c.LabelledStatement
        return any(isinstance(node, jumps) for node in walk(e))

    def _gives(self, argument: c.Expr, call: c.CallExpr) -> bool:
        """Tell whether a callee can change a local variable that matters."""
        while isinstance(argument, c.CastExpr):
            argument = argument.operand
        if isinstance(argument, c.UnaryExpr) and argument.op == "&":
            return self._root(argument.operand)
        callee = call.function.id if isinstance(call.function, c.Name) else ""
        quiet = callee != "" and self.abstractor.known.modelled(callee) is not None
        return not quiet and self.abstractor.may_be_local(argument, callee)

    def _target(self, e: c.Expr) -> bool:
        """Tell whether a store to a place can change what matters."""
        a = self.abstractor
        match e:
            case c.Name(name) if name in a.scope:
                return name in self.needed
            case c.Name():
                return a.effects.stores(e, a.body, a.scope)
            case c.Member(_, name, arrow):
                if name in a.relevance.tracked.own or (not arrow and self._root(e)):
                    return True
                return a.effects.stores(e, a.body, a.scope)
            case c.Index(base):
                return (
                    self._root(base)
                    or not a.effects.is_array(base, a.body, a.scope)
                    or (a.effects.stores(e, a.body, a.scope))
                )
            case _:
                return True

    def _root(self, e: c.Expr) -> bool:
        while (isinstance(e, c.Member) and not e.arrow) or isinstance(e, c.Index):
            e = e.base
        return isinstance(e, c.Name) and e.id in self.needed

    # Keeping ------------------------------------------------------------------------------------

    def _keep(self, e: c.Expr) -> c.Expr:
        kept = self.abstractor.expression(e)
        scope = self.abstractor.scope
        self.needed |= {n.id for n in walk(kept) if isinstance(n, c.Name) and n.id in scope}
        return kept

    def _keep_if_any(self, e: c.Expr | None) -> c.Expr | None:
        return None if e is None else self._keep(e)

    def _statement(self, s: c.Stmt) -> c.Stmt | None:
        match s:
            case c.Block():
                return self._block(s)
            case c.Declaration():
                return self._declaration(s)
            case c.ExprStatement(expression):
                if self._matters(expression):
                    return replace(s, expression=self._keep(expression))
                self._leave_out(expression)
                return None
            case c.If():
                return self._if(s)
            case c.For() | c.ForEachVcpu() | c.While() | c.DoWhile() | c.Switch():
                return self._loop(s)
            case c.CaseLabel(_, inner) | c.LabelledStatement(_, inner):
                return replace(s, statement=self._statement(inner) or c.Empty(s.span))
            case c.ReturnStatement(value):
                return replace(s, value=self._keep_if_any(value))
            case c.Empty():
                return None
            case _:
                return s

    def _leave_out(self, e: c.Expr) -> None:
        """Note the calls of functions that nobody defines and that are taken to do nothing."""
        a = self.abstractor
        for node in walk(e):
            if isinstance(node, c.CallExpr) and isinstance(node.function, c.Name):
                name = node.function.id
                found = a.known.library.find(Sort.FUNCTION, name, a.body.where)
                known = a.known.modelled(name) is not None or harm_of(name) is not Harm.UNKNOWN
                if found is None and not known:
                    a.notes.assume(f"{name}(), which was not found, changes nothing here")

    def _block(self, s: c.Block) -> c.Block | None:
        kept = [x for x in map(self._statement, s.statements) if x is not None]
        return replace(s, statements=tuple(kept)) if kept else None

    def _declaration(self, s: c.Declaration) -> c.Declaration | None:
        kept = []
        for d in s.declarators:
            if d.declarator.name in self.needed or self._matters(d.initialiser):
                self.needed.add(d.declarator.name)
                kept.append(replace(d, initialiser=self._keep_if_any(d.initialiser)))
        return replace(s, declarators=tuple(kept)) if kept else None

    def _if(self, s: c.If) -> c.Stmt | None:
        then = self._statement(s.then)
        otherwise = None if s.otherwise is None else self._statement(s.otherwise)
        if then is None and otherwise is None:
            matters = self._matters(s.condition)
            return c.ExprStatement(self._keep(s.condition), s.span) if matters else None
        then = then or c.Empty(s.span)
        return replace(s, condition=self._keep(s.condition), then=then, otherwise=otherwise)

    def _loop(self, s: c.Stmt) -> c.Stmt | None:
        if not self._worth(s):
            return None
        match s:
            case c.For(start, condition, step, body):
                return replace(
                    s,
                    start=self._start(start),
                    condition=self._keep_if_any(condition),
                    step=self._keep_if_any(step),
                    body=self._inner(body),
                )
            case c.ForEachVcpu(index, vcpu, kvm, body):
                kept = (self._keep(index), self._keep(vcpu), self._keep(kvm))
                return c.ForEachVcpu(*kept, self._inner(body), s.span)
            case c.While(condition, body) | c.DoWhile(body, condition):
                if (unknown := unknown_loop(condition)) is not None:
                    raise refuse_loop(unknown[0], condition.span)
                return replace(s, condition=self._keep(condition), body=self._inner(body))
            case c.Switch(subject, body):
                return replace(s, subject=self._keep(subject), body=self._inner(body))
            case _:
                raise AssertionError(s)

    def _start(self, s: c.Stmt) -> c.Stmt:
        match s:
            case c.Declaration():
                self.needed |= {d.declarator.name for d in s.declarators}
                return self._declaration(s) or c.Empty(s.span)
            case c.ExprStatement(expression):
                return replace(s, expression=self._keep(expression))
            case _:
                return s

    def _inner(self, s: c.Stmt) -> c.Stmt:
        return self._statement(s) or c.Block((), s.span)

    def _worth(self, s: c.Stmt) -> bool:
        """Tell whether a loop or switch does anything that is seen from outside."""
        for node in walk(s):
            match node:
                case c.ReturnStatement() | c.Goto() | c.LabelledStatement():
                    return True
                case c.Declaration(_, _, declarators) if any(
                    self._matters_here(x)
                    for d in declarators
                    if d.initialiser
                    for x in walk(d.initialiser)
                ):
                    return True
                case c.ForEachVcpu(index, vcpu) if self._target(index) or self._target(vcpu):
                    return True
                case c.While(test) if (unknown := unknown_loop(test)) and unknown[1] & self.needed:
                    return True
                case _ if self._matters_here(node):
                    return True
        return False

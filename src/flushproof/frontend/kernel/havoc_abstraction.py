"""Expressions of a kernel file with what lies outside the model replaced.

A call of a function that does not touch the state becomes any value; a test whether the flush is
installed becomes true. Each replacement is noted in words, to be listed as an assumption.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.rewrite import rewrite_expression, rewrite_statement
from flushproof.frontend.c.type_errors import UnknownFunction, UnsupportedConstruct
from flushproof.frontend.c.types import Pointer, Struct
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.assembly import ANY
from flushproof.frontend.kernel.effects import CallEffect, Effects
from flushproof.frontend.kernel.harmless import Harm, harm_of
from flushproof.frontend.kernel.indirect import callee_text, choose_callee, possible_callees
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.notes import STATE, Notes, unconstrained_value
from flushproof.frontend.kernel.relevance import Relevance
from flushproof.frontend.kernel.state import own_structs
from flushproof.frontend.kernel.text_scan import word_occurrences
from flushproof.frontend.kernel.type_inference import Scope, is_table, type_of
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.support.source import Span

CHECKS = frozenset({"==", "!="})
_GIVEN = re.compile(r"\s*=\s*(\w+)\s*[;,]")


@dataclass
class Abstractor:
    """Replaces within one function; `family` are the functions of the flush."""

    known: ResolvedNames
    effects: Effects
    body: Body
    scope: Scope
    family: frozenset[str]
    notes: Notes

    @property
    def relevance(self) -> Relevance:
        """What is state."""
        return self.effects.relevance

    def expression(self, e: c.Expr) -> c.Expr:
        """Return the expression in terms of the model."""
        match e:
            case c.BinaryExpr(op, left, right) if op in CHECKS and is_table(left, self.scope):
                return self._compared(e, left, right)
            case c.BinaryExpr(op, left, right) if op in CHECKS and is_table(right, self.scope):
                return self._compared(e, right, left)
            case c.Member() if is_table(e, self.scope):
                return self._set(e)
            case c.CallExpr():
                return self._call(e)
            case _:
                return rewrite_expression(e, self.expression, self.statement)

    def statement(self, s: c.Stmt) -> c.Stmt:
        """Return a statement with its expressions replaced."""
        return rewrite_statement(s, self.expression, self.statement)

    # Calls --------------------------------------------------------------------------------------

    def keeps(self, name: str) -> bool:
        """Tell whether a call of the function is part of the model."""
        if name in self.scope:
            return False
        if self.known.modelled(name) is not None or name == ANY:
            return True
        near = self.body.where
        return self.effects.of(name, near) is CallEffect.SHOWN or self.relevance.pure(name, near)

    def _call(self, e: c.CallExpr) -> c.Expr:
        names = possible_callees(self.known, e, self.scope)
        if not isinstance(e.function, c.Name):
            return self._indirect(e, names)
        name = e.function.id
        self.refuse_pointer(e.function)
        if name in self.effects.storing:
            text = f"`{name}`, a macro of another file that may store to the state"
            raise InputError(UnsupportedConstruct(span=e.function.span, construct=text))
        if names != (name,):
            return self._indirect(e, names)
        if not self.keeps(name):
            return self._unknown(e, name)
        self.notes.called.setdefault(name)
        given = tuple(self._argument(a) for a in e.arguments)
        return replace(e, arguments=self._fitted(name, given, e.span))

    def _indirect(self, e: c.CallExpr, names: tuple[str, ...]) -> c.Expr:
        """Make a call through a table one of the functions that it may reach."""
        if isinstance(e.function, c.UnaryExpr) and isinstance(e.function.operand, c.Name):
            self.refuse_pointer(e.function.operand)
        near = self.body.where
        if names and any(self.effects.of(n, near) is CallEffect.SHOWN for n in names):
            self.notes.assume(f"{callee_text(e.function)} is {' or '.join(names)}")
            return self.expression(choose_callee(e, names, unconstrained_value(e.span)))
        return self._unknown(e, callee_text(e.function))

    def _unknown(self, e: c.CallExpr, name: str) -> c.Expr:
        """Return any value for a call that is left out, and give any to what it may write.

        What an argument does is done.
        """
        self.refuse_handed(e)
        self._refuse_state(e, name)
        parts = [self.expression(a) for a in e.arguments if self._acts(a)]
        parts += [
            c.AssignExpr("=", x, unconstrained_value(e.span), e.span) for x in self._locals(e, name)
        ]
        title = name if isinstance(e.function, c.Name) else f"what {name} calls"
        title = f"{name}()" if isinstance(e.function, c.Name) else title
        self.notes.assume(f"{title} may return anything")
        value = unconstrained_value(e.span)
        if self.effects.call_matters(e, self.body, self.scope):
            self.notes.assume(f"{title} may write anything that the flush and the load keep")
            self.notes.called.setdefault(STATE)
            self.notes.unknown.setdefault(title)
            value = c.CallExpr(c.Name(STATE, e.span), (), e.span)
        for part in reversed(parts):
            value = c.BinaryExpr(",", part, value, e.span)
        return value

    def _acts(self, argument: c.Expr) -> bool:
        """Tell whether an argument does more than to have a value."""
        return any(self._acts_here(node) for node in walk(argument))

    def _acts_here(self, node: c.Expr | c.Stmt) -> bool:
        match node:
            case c.AssignExpr() | c.Postfix() | c.UnaryExpr("++" | "--") | c.StatementExpr():
                return True
            case c.CallExpr():
                return self.effects.call_matters(node, self.body, self.scope)
            case _:
                return False

    def _locals(self, e: c.CallExpr, name: str) -> list[c.Expr]:
        """Return the local variables whose addresses a call is given.

        Raises:
            InputError: it is given a pointer to some, and which ones cannot be told.
        """
        found: list[c.Expr] = []
        for argument in e.arguments:
            inner = argument
            while isinstance(inner, c.CastExpr):
                inner = inner.operand
            if isinstance(inner, c.UnaryExpr) and inner.op == "&":
                if local_root(inner.operand, self.scope):
                    found.append(inner.operand)
            elif isinstance(inner, c.Name) and self.may_be_local(inner, name):
                raise InputError(UnknownFunction(span=e.span, name=name))
        types = (type_of(self.known, self.body, self.scope, x) for x in found)
        if any(isinstance(t, Struct) for t in types):
            raise InputError(UnknownFunction(span=e.span, name=name))
        return found

    def may_be_local(self, argument: c.Expr, callee: str) -> bool:
        """Tell whether an argument may point to a local variable that the callee may write."""
        if not isinstance(argument, c.Name) or argument.id not in self.scope:
            return False
        if harm_of(callee) is Harm.READS:
            return False
        t = self.scope[argument.id]
        if not isinstance(t, Pointer):
            return False
        return not isinstance(t.target, Struct) or t.target.name in self.own

    @cached_property
    def own(self) -> frozenset[str]:
        """The structs that the function has objects of."""
        return own_structs(self.known, self.body)

    def refuse_pointer(self, called: c.Name) -> None:
        """Refuse to guess what a variable that is called points to: it may be a hypercall.

        Raises:
            InputError: the name is that of a parameter or a local variable.
        """
        if called.id in self.scope:
            text = f"a call through `{called.id}`, which may be one of several functions"
            raise InputError(UnsupportedConstruct(span=called.span, construct=text))

    def refuse_handed(self, e: c.CallExpr) -> None:
        """Refuse to leave out a call that is handed a function that matters.

        Raises:
            InputError: an argument is such a function.
        """
        for node in (n for a in e.arguments for n in walk(a)):
            if isinstance(node, c.Name) and self._matters(node.id):
                text = f"a call that is handed `{node.id}`, and may call it"
                raise InputError(UnsupportedConstruct(span=node.span, construct=text))

    def _matters(self, name: str) -> bool:
        """Tell whether a name is that of a function that acts on the state, or flushes."""
        if name in self.scope:
            return False
        return self.effects.acts_by_name(
            c.Name(name, self.body.function.span), self.body, self.scope
        )

    def _fitted(self, name: str, given: tuple[c.Expr, ...], span: Span) -> tuple[c.Expr, ...]:
        """Fit arguments to the prelude's body of a function, whose last ones came and went."""
        model = self.known.modelled(name)
        if model is None or model.body is None:
            return given
        wanted = len(model.parameters)
        if any(map(self._acts, given[wanted:])):
            text = f"an argument of `{name}` that does something, and is left out"
            raise InputError(UnsupportedConstruct(span=span, construct=text))
        return (*given, *[c.Number(0, "", span)] * (wanted - len(given)))[:wanted]

    def _refuse_state(self, e: c.CallExpr, name: str) -> None:
        """Refuse to guess what a function does that is handed the address of the state."""
        for argument in e.arguments:
            for node in walk(argument):
                if (
                    isinstance(node, c.UnaryExpr)
                    and node.op == "&"
                    and self._is_state(node.operand)
                ):
                    raise InputError(UnknownFunction(span=e.span, name=name))

    def _is_state(self, e: c.Expr) -> bool:
        return isinstance(e, c.Member) and e.name in self.relevance.members

    def _argument(self, e: c.Expr) -> c.Expr:
        """Name a function that is handed on: the machine knows what the callee does with it."""
        if isinstance(e, c.Name) and self._is_function(e.id):
            self.notes.called.setdefault(e.id)
            return e
        return self.expression(e)

    def _is_function(self, name: str) -> bool:
        if name in self.scope:
            return False
        library = self.known.library
        return self.known.modelled(name) is not None or any(
            library.find(sort, name, self.body.where) for sort in (Sort.FUNCTION, Sort.PROTOTYPE)
        )

    # The table of operations --------------------------------------------------------------------

    def _compared(self, e: c.BinaryExpr, entry: c.Member, other: c.Expr) -> c.Expr:
        shown = _shown(entry)
        if isinstance(other, c.UnaryExpr) and other.op == "&":
            other = other.operand
        if _null(other):
            known = self._set(entry)
            return known if e.op == "!=" else c.UnaryExpr("!", known, e.span)
        if not (isinstance(other, c.Name) and self._is_function(other.id)):
            self.notes.assume(f"{shown} may be anything")
            return unconstrained_value(e.span)
        held = installed_functions(self.known, entry.name)
        same = not held or other.id in held
        self.notes.assume(f"{shown} is {other.id if same else ' or '.join(sorted(held))}")
        return c.Number(int(same == (e.op == "==")), "", e.span)

    def _set(self, entry: c.Member) -> c.Expr:
        held = installed_functions(self.known, entry.name)
        if any(self._flushes(f) for f in held) or (not held and "flush" in entry.name):
            self.notes.assume(f"{_shown(entry)} is set")
            return c.Number(1, "", entry.span)
        self.notes.assume(f"{_shown(entry)} may be anything")
        return unconstrained_value(entry.span)

    def _flushes(self, name: str) -> bool:
        """Tell whether a function is one of the flush, or calls one."""
        if name in self.family:
            return True
        place = self.known.library.find(Sort.FUNCTION, name, self.body.where)
        return place is not None and bool(place[0].words(place[1]) & self.family)


def local_root(e: c.Expr, scope: Scope) -> bool:
    """Tell whether a place is (in) a local variable."""
    while isinstance(e, c.Member) and not e.arrow:
        e = e.base
    return isinstance(e, c.Name) and e.id in scope


def _null(e: c.Expr) -> bool:
    return isinstance(e.operand if isinstance(e, c.CastExpr) else e, c.Number)


def _shown(entry: c.Member) -> str:
    assert isinstance(entry.base, c.Name)
    return f"{entry.base.id}{'->' if entry.arrow else '.'}{entry.name}"


def installed_functions(known: ResolvedNames, entry: str) -> frozenset[str]:
    """Return the functions that some file at hand puts into the entry of a table."""
    library = known.library
    texts = [library.main.outline.source.text]
    texts += [library.text(p) for p in (*library.companions, *library.headers)]
    places = ((t, at + len(entry)) for t in texts for at in word_occurrences(t, entry))
    found = {value[1] for t, end in places if (value := _GIVEN.match(t, end))}
    return frozenset(found - {"NULL"})

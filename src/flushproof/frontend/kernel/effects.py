"""What code outside the flush and the load may write, as far as it can be shown.

A call may be left out only if the callee is shown to leave the state alone: its body, and all that
it calls, neither names the state nor writes through a pointer that could lead there. A body that is
not at hand, or not read, is taken to do so if `kernel.harmless` knows its name; else it may write
all that its arguments lead to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct, Void
from flushproof.frontend.c.walk import Node, walk
from flushproof.frontend.kernel.assembly import ANY
from flushproof.frontend.kernel.harmless import Harm, harm_of
from flushproof.frontend.kernel.hidden_bodies import storing_macros
from flushproof.frontend.kernel.indirect import callee_text, possible_callees
from flushproof.frontend.kernel.library import FilePiece
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.relevance import Relevance
from flushproof.frontend.kernel.type_inference import Scope, scope_of, type_of
from flushproof.frontend.kernel.type_inference import root_of as root
from flushproof.support.diagnostics import InputError

OBJECTS = frozenset(
    {"kvm", "kvm_arch", "kvm_vmx", "kvm_svm", "kvm_vcpu", "kvm_vcpu_arch", "vcpu_vmx", "vcpu_svm"}
)
"""The structs that are the VM or a vCPU, or lead through them to all of the state."""


class CallEffect(Enum):
    """What a call can do to the state: nothing, something that its body shows, or who knows."""

    NONE = "none"
    SHOWN = "shown"
    UNKNOWN = "unknown"


@dataclass
class Effects:
    """Answers for calls; `known` is only looked at, and nothing that it finds is declared.

    `taken` are the functions that are believed to be harmless by their names.
    """

    known: ResolvedNames
    relevance: Relevance
    taken: dict[str, None] = field(default_factory=dict)
    _found: dict[tuple[str, str], CallEffect] = field(default_factory=dict)

    @cached_property
    def storing(self) -> frozenset[str]:
        """The macros at hand that may store to the state."""
        return storing_macros(self.known.library, self.relevance.members)

    def of(self, name: str, near: FilePiece | None) -> CallEffect:
        """Return what a call of a function can do, apart from what it is given."""
        if name == ANY:
            return CallEffect.NONE
        if self.known.modelled(name) is not None:
            return CallEffect.SHOWN if self.relevance.acts(name) else CallEffect.NONE
        place = self.known.library.find(Sort.FUNCTION, name, near)
        key = ("" if place is None else place[0].name, name)
        if key not in self._found:
            self._found[key] = CallEffect.NONE
            self._found[key] = self._decide(name, near)
        return self._found[key]

    def _decide(self, name: str, near: FilePiece | None) -> CallEffect:
        if self.relevance.touches(name, near):
            return CallEffect.SHOWN
        try:
            body = self.known.body(name, near)
        except InputError:
            return self._believed(name)
        if body is None or body.function.body is None:
            return self._believed(name)
        if self._harmless(body):
            return CallEffect.NONE
        return CallEffect.NONE if self._believed(name) is CallEffect.NONE else CallEffect.SHOWN

    def _believed(self, name: str) -> CallEffect:
        if harm_of(name) is Harm.UNKNOWN:
            return CallEffect.UNKNOWN
        self.taken.setdefault(name)
        return CallEffect.NONE

    # Bodies -------------------------------------------------------------------------------------

    def _harmless(self, body: Body) -> bool:
        """Tell whether a function that does not name the state can be shown not to write it."""
        f = body.function
        scope = scope_of(self.known, f)
        return f.body is not None and not any(self._writes(n, body, scope) for n in walk(f.body))

    def _writes(self, node: Node, body: Body, scope: Scope) -> bool:
        match node:
            case c.CallExpr():
                return self.call_matters(node, body, scope)
            case c.AssignExpr(_, target) | c.Postfix(_, target) | c.UnaryExpr("++" | "--", target):
                return self.stores(target, body, scope)
            case c.UnaryExpr("&", operand):
                return self.is_variable(operand, scope)
            case _:
                return False

    def stores(self, target: c.Expr, body: Body, scope: Scope) -> bool:
        """Tell whether a store can change the state, of which it names nothing but variables."""
        match target:
            case c.Name(name) if name not in scope:
                return self.is_variable(target, scope) or not self._is_global(name, body)
            case c.Member() | c.Index() if self.is_variable(target, scope):
                return True
            case c.Name() | c.Member() | c.Index() | c.UnaryExpr("*"):
                return self._reached(self._type(target, body, scope), target, body, scope)
            case _:
                return True

    def _reached(self, t: CType | None, target: c.Expr, body: Body, scope: Scope) -> bool:
        """Tell whether a store of that type may be one to the state under another name."""
        match target:
            case c.Name() | c.Member():
                # A member or variable by its own name: only a struct holds others.
                return isinstance(t, Struct) and self.holds_state(t)
            case c.Index(base) if self.is_array(base, body, scope):
                return isinstance(t, Struct) and self.holds_state(t)
            case _:
                return self.aliased(t)

    def aliased(self, t: CType | None) -> bool:
        """Tell whether a pointer to that type may point at some of the state."""
        match t:
            case Struct():
                return self.holds_state(t)
            case Integer(_, ir):
                return ir.width in self.relevance.tracked.widths or ir.width == 8
            case Pointer():
                return 64 in self.relevance.tracked.widths
            case _:
                return True

    def holds_state(self, t: Struct) -> bool:
        """Tell whether a struct is, or may hold, some of the state."""
        return (
            t.name in OBJECTS
            or t.name in self.relevance.tracked.structs
            or self._within(t.name, set())
        )

    def _within(self, struct: str, seen: set[str]) -> bool:
        place = self.known.library.find(Sort.STRUCT, struct)
        if place is None or struct in seen:
            return False
        seen.add(struct)
        words = place[0].raw(place[1])
        inner = {
            b.text
            for a, b, after in zip(words, words[1:], words[2:], strict=False)
            if a.text == "struct" and not after.is_punct("*") and b.text != struct
        }
        wanted = OBJECTS | self.relevance.tracked.structs
        return bool(inner & wanted) or any(self._within(x, seen) for x in sorted(inner))

    def is_array(self, e: c.Expr, body: Body, scope: Scope) -> bool:
        """Tell whether an expression is an array, and no pointer into one."""
        return isinstance(self._type(e, body, scope), Array)

    def is_variable(self, e: c.Expr, scope: Scope) -> bool:
        """Tell whether a place is (in) a variable of the file that is state."""
        base = root(e)
        return (
            base is not None
            and base.id not in scope
            and base.id in self.relevance.tracked.variables
        )

    def _is_global(self, name: str, body: Body) -> bool:
        return self.known.library.find(Sort.GLOBAL, name, body.where) is not None

    # Calls --------------------------------------------------------------------------------------

    def call_matters(self, e: c.CallExpr, body: Body, scope: Scope) -> bool:
        """Tell whether a call cannot be shown to leave the state alone."""
        if isinstance(e.function, c.Name) and (
            e.function.id in scope or e.function.id in self.storing
        ):
            return True
        if any(self._handed(a, body, scope) for a in e.arguments):
            return True
        names = possible_callees(self.known, e, scope)
        found = {n: self.of(n, body.where) for n in names}
        if CallEffect.SHOWN in found.values():
            return True
        unknown = [n for n, x in found.items() if x is CallEffect.UNKNOWN] or (
            [] if names else [""]
        )
        if not names and harm_of(callee_text(e.function)) is not Harm.UNKNOWN:
            self.taken.setdefault(callee_text(e.function))
            return self._stores_to(e, body, scope, callee_text(e.function))
        if unknown:
            return any(self.leads_to_state(a, body, scope) for a in e.arguments)
        return any(self._stores_to(e, body, scope, n) for n in names)

    def _stores_to(self, e: c.CallExpr, body: Body, scope: Scope, name: str) -> bool:
        """Tell whether a function that stores where its arguments point may store to the state."""
        if harm_of(name) is not Harm.STORES or self.known.modelled(name) is not None:
            return False
        return any(self._pointed_at(a, body, scope) for a in e.arguments)

    def _pointed_at(self, argument: c.Expr, body: Body, scope: Scope) -> bool:
        if isinstance(argument, c.UnaryExpr) and argument.op == "&":
            t = self._type(argument.operand, body, scope)
            return isinstance(t, Struct) and t.name in OBJECTS
        t = self._type(argument, body, scope)
        if isinstance(t, Pointer):
            return self.aliased(t.target)
        return t is None and self.leads_to_state(argument, body, scope)

    def _handed(self, argument: c.Expr, body: Body, scope: Scope) -> bool:
        """Tell whether a callee is handed a function that matters, which it may call."""
        return any(self.acts_by_name(n, body, scope) for n in walk(argument))

    def acts_by_name(self, node: Node, body: Body, scope: Scope) -> bool:
        """Tell whether a name is that of a function whose call would matter."""
        if not isinstance(node, c.Name) or node.id in scope:
            return False
        if self.known.modelled(node.id) is not None:
            return self.relevance.acts(node.id)
        if self.known.library.find(Sort.FUNCTION, node.id, body.where) is None:
            return False
        return self.of(node.id, body.where) is CallEffect.SHOWN

    def leads_to_state(self, e: c.Expr, body: Body, scope: Scope) -> bool:
        """Tell whether an argument may lead an unknown callee to the state."""
        match e:
            case c.Number() | c.String() | c.SizeOf():
                return False
            case c.BinaryExpr(op) if op not in {"+", "-", ","}:
                return False
            case c.UnaryExpr("!" | "~" | "-" | "+"):
                return False
            case c.CastExpr(_, declarator, operand) if not declarator.pointers:
                return self.leads_to_state(operand, body, scope)
            case c.BinaryExpr(_, left, right):
                return any(self.leads_to_state(x, body, scope) for x in (left, right))
            case c.Conditional(condition, then, otherwise):
                return any(
                    self.leads_to_state(x, body, scope) for x in (then or condition, otherwise)
                )
            case c.Name(name) if name not in scope and not self._is_global(name, body):
                return False
            case _:
                return self._leads(self._type(e, body, scope), e)

    def _leads(self, t: CType | None, e: c.Expr) -> bool:
        if isinstance(t, Integer):
            # What is not declared may be a macro, and change a place that it is given.
            return isinstance(e, c.Member) and e.name in self.relevance.members
        return not isinstance(t, Void)

    def _type(self, e: c.Expr, body: Body, scope: Scope) -> CType | None:
        try:
            return type_of(self.known, body, scope, e)
        except InputError:
            return None

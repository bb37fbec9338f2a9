"""What of the shared data is state of the model, and what may hold anything.

A scalar that no operation writes and no creation sets is written by code outside the model, so each
read of it gives any value. A variable of the file that is only read keeps its initial value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.rewrite import rewrite_expression, rewrite_statement
from flushproof.frontend.c.type_errors import UnsupportedConstruct
from flushproof.frontend.c.types import Array, CType, Pointer, Struct
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.notes import Notes, unconstrained_value
from flushproof.frontend.kernel.type_inference import member_uses, scope_of, struct_of
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, replace

PATHS = {
    "kvm": "kvm->",
    "kvm_arch": "kvm->arch.",
    "kvm_vmx": "to_kvm_vmx(kvm)->",
    "kvm_svm": "to_kvm_svm(kvm)->",
    "kvm_vcpu": "vcpu->",
    "kvm_vcpu_arch": "vcpu->arch.",
    "vcpu_vmx": "to_vmx(vcpu)->",
    "vcpu_svm": "to_svm(vcpu)->",
}
STEPS = frozenset({"++", "--"})
STORERS = frozenset({"__write_marked", "atomic_set", "atomic64_set"})
READERS = frozenset({"__read_marked", "atomic_read", "atomic64_read"})


class SharedScalar(Record, frozen=True):
    """A scalar of the VM or of a vCPU that the operations use."""

    struct: str
    member: str
    type: CType

    @property
    def vcpu(self) -> bool:
        """Tell whether each vCPU has one of its own."""
        return "vcpu" in self.struct

    @property
    def path(self) -> str | None:
        """How C reaches it from `kvm` or `vcpu`, None where that is not known."""
        where = PATHS.get(self.struct)
        return None if where is None else f"{where}{self.member}"


def shared_scalars(
    known: ResolvedNames, bodies: Iterable[Body]
) -> dict[tuple[str, str], SharedScalar]:
    """Return the scalars that are not members of local variables, in order of use."""
    found: dict[tuple[str, str], SharedScalar] = {}
    for body in bodies:
        own = own_structs(known, body)
        for a in member_uses(known, body):
            if leads_on(a.type) or a.struct in own:
                continue
            found.setdefault((a.struct, a.member), SharedScalar(a.struct, a.member, a.type))
    return found


def lock_types(known: ResolvedNames) -> frozenset[CType]:
    """Return the structs that are locks."""
    prelude = known.base.prelude
    return frozenset(
        t.target
        for f in prelude.functions.values()
        if any(a.name.startswith("__acquires") for a in f.annotations)
        for p in f.parameters
        if isinstance(t := prelude.resolve(p.type, p.declarator), Pointer)
    )


def used_locks(known: ResolvedNames, bodies: Iterable[Body]) -> frozenset[str]:
    """Return the names of the locks that functions use."""
    kinds = lock_types(known)
    return frozenset(a.member for b in bodies for a in member_uses(known, b) if a.type in kinds)


def own_structs(known: ResolvedNames, body: Body) -> frozenset[str]:
    """Return the structs that the function has objects of, and the ranges it is given."""
    anchors = known.base.prelude.structs
    found = {t.name for t in scope_of(known, body.function).values() if isinstance(t, Struct)}
    for t in scope_of(known, body.function).values():
        if isinstance(t, Pointer) and isinstance(t.target, Struct) and "range" in t.target.name:
            found.add(t.target.name)
    return frozenset(found - (anchors.keys() - {"kvm_tlb_range"}))


def leads_on(t: CType) -> bool:
    """Tell whether a member only leads to another struct or to code."""
    return isinstance(t, Struct | Array | Pointer)


def _holds(t: CType) -> bool:
    """Tell whether a member has a value of its own; a pointer to the one VM has none."""
    match t:
        case Pointer(Struct(name)):
            return name not in PATHS
        case _:
            return isinstance(t, Pointer) or not leads_on(t)


def written_members(known: ResolvedNames, bodies: Iterable[Body]) -> frozenset[tuple[str, str]]:
    """Return the members that some function assigns, changes, or hands on by address."""
    found: set[tuple[str, str]] = set()
    for body in bodies:
        scope = scope_of(known, body.function)
        nodes = tuple(walk(body.function.body)) if body.function.body else ()
        only_read = {id(r) for node in nodes if (r := read_through(node)) is not None}
        for node in nodes:
            target = None if id(node) in only_read else changed_expression(node)
            if isinstance(target, c.Member):
                struct = struct_of(known, body, scope, target)
                found |= {(struct, target.name)} if struct else set()
    return frozenset(found)


def read_through(node: object) -> c.UnaryExpr | None:
    """Return the address that a call only reads through, as `READ_ONCE()` does."""
    match node:
        case c.CallExpr(c.Name(name), (c.UnaryExpr("&", c.Member() | c.Name()) as address,)):
            return address if name in READERS else None
        case _:
            return None


def changed_expression(node: object) -> c.Expr | None:
    """Return what an expression assigns, changes, or hands on by address."""
    match node:
        case (
            c.AssignExpr(_, target) | c.Postfix(_, target) | c.UnaryExpr("&" | "++" | "--", target)
        ):
            return target
        case _:
            return None


def refuse_addresses(
    known: ResolvedNames, body: Body, members: frozenset[tuple[str, str]], variables: frozenset[str]
) -> None:
    """Refuse an address through which what others write could be read unseen.

    Raises:
        InputError: there is one.
    """
    f = body.function
    scope = scope_of(known, f)
    nodes = tuple(walk(f.body)) if f.body else ()
    only_read = {id(r) for node in nodes if (r := read_through(node)) is not None}
    only_read |= {
        id(n.arguments[0])
        for n in nodes
        if isinstance(n, c.CallExpr) and isinstance(n.function, c.Name) and n.function.id in STORERS
    }
    for node in nodes:
        if not isinstance(node, c.UnaryExpr) or node.op != "&" or id(node) in only_read:
            continue
        match node.operand:
            case c.Member(_, name) as e:
                disturbed = (struct_of(known, body, scope, e), name) in members
            case c.Name(name):
                disturbed = name in variables and name not in scope
            case _:
                continue
        if disturbed:
            text = f"the address of `{name}`, which other code writes at any time"
            raise InputError(UnsupportedConstruct(span=node.span, construct=text))


@dataclass
class Reads:
    """Replaces reads of what is not state within one function."""

    known: ResolvedNames
    body: Body
    state: frozenset[tuple[str, str]]
    notes: Notes
    variables: frozenset[str] = frozenset()

    def function(self) -> c.Function:
        """Return the function with such reads replaced."""
        f = self.body.function
        if f.body is None:
            return f
        body = self._statement(f.body)
        assert isinstance(body, c.Block)
        return replace(f, body=body)

    def _statement(self, s: c.Stmt) -> c.Stmt:
        return rewrite_statement(s, self._read, self._statement)

    def _read(self, e: c.Expr) -> c.Expr:
        match e:
            case c.Member() if self._outside(e):
                return self._any(e)
            case c.Index(c.Member() as array) if self._unwritten(array):
                return self._any(array)
            case c.Name(name) if self._disturbed(e):
                self.notes.assume(f"{name} may hold anything")
                return unconstrained_value(e.span)
            case c.CallExpr() if (address := read_through(e)) and self._disturbed(address.operand):
                return self._read(address.operand)
            case c.CallExpr() if (address := read_through(e)) is not None:
                member = address.operand
                outside = isinstance(member, c.Member) and self._unwritten(member)
                if isinstance(member, c.Member) and outside and not self._points(member):
                    return self._any(member)
                return rewrite_expression(e, self._read, self._statement)
            case c.AssignExpr(_, target, value):
                return replace(e, target=self._place(target), value=self._read(value))
            case c.UnaryExpr(op, operand) if op == "&" or op in STEPS:
                return replace(e, operand=self._place(operand))
            case c.Postfix(_, operand):
                return replace(e, operand=self._place(operand))
            case _:
                return rewrite_expression(e, self._read, self._statement)

    def _place(self, e: c.Expr) -> c.Expr:
        return rewrite_expression(e, self._read, self._statement)

    def _disturbed(self, e: c.Expr) -> bool:
        """Tell whether a name is that of a variable that others write."""
        if not isinstance(e, c.Name) or e.id not in self.variables:
            return False
        return e.id not in scope_of(self.known, self.body.function)

    def _any(self, e: c.Member) -> c.Expr:
        self.notes.assume(f"{e.name} may hold anything")
        return unconstrained_value(e.span)

    def _outside(self, e: c.Member) -> bool:
        struct = struct_of(self.known, self.body, scope_of(self.known, self.body.function), e)
        known = None if struct is None else self.known.member(struct, e.name, e.span)
        return known is not None and self._unwritten(e) and _holds(known)

    def _points(self, e: c.Member) -> bool:
        struct = struct_of(self.known, self.body, scope_of(self.known, self.body.function), e)
        return struct is not None and isinstance(self.known.member(struct, e.name, e.span), Pointer)

    def _unwritten(self, e: c.Member) -> bool:
        """Tell whether a member is neither state nor part of something of the function's own."""
        struct = struct_of(self.known, self.body, scope_of(self.known, self.body.function), e)
        if struct is None or (struct, e.name) in self.state:
            return False
        if struct in own_structs(self.known, self.body):
            return False
        base = self.known.base.prelude.structs.get(struct)
        return base is None or e.name not in base.members

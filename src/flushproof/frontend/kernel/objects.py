"""Which members of the VM and its vCPUs a place may be, or an object that is written as a whole."""

from __future__ import annotations

from itertools import pairwise

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.tokens import Token
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.type_inference import scope_of, struct_of, type_of
from flushproof.frontend.kernel.ways import Key
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record

FILLS = frozenset(
    {"memset", "memcpy", "memmove", "__memcpy", "memzero_explicit"}
    | {"__builtin_memset", "__builtin_memcpy"}
)
"""The functions that write an object as a whole."""
VM = frozenset({"kvm", "kvm_arch", "kvm_vmx", "kvm_svm"})
VCPU = frozenset({"kvm_vcpu", "kvm_vcpu_arch", "vcpu_vmx", "vcpu_svm"})

_PARTS = frozenset({"arch", "kvm", "vcpu"})
"""What the structs are called that stand within others."""
_BEFORE = frozenset({";", "{", "}", ")", ",", "else"})


class Places(Record, frozen=True):
    """Answers about `keys`, the members that matter."""

    known: ResolvedNames
    keys: frozenset[Key]

    def stored(self, body: Body, e: object) -> frozenset[Key]:
        """Return the members that a node changes, or takes the address of."""
        match e:
            case (
                c.AssignExpr(_, target)
                | c.Postfix(_, target)
                | c.UnaryExpr("++" | "--" | "&", target)
            ):
                return self.named(body, target, whole=not isinstance(e, c.UnaryExpr) or e.op != "&")
            case _:
                return frozenset()

    def named(self, body: Body, target: c.Expr, *, whole: bool) -> frozenset[Key]:
        """Return the members that an assignment to a place may change."""
        if isinstance(target, c.Member) and (exact := self.member(body, target)):
            return exact
        t = self._type(body, target)
        if isinstance(target, c.Name) and not isinstance(t, Struct):
            return frozenset()
        if isinstance(target, c.UnaryExpr) and target.op == "*" and not isinstance(t, Struct):
            # Once the address of a member is taken the code is not followed.
            return frozenset()
        held = isinstance(t, Struct) and not isinstance(target, c.Name)
        return self.held(t.name) if held and whole and isinstance(t, Struct) else frozenset()

    def member(self, body: Body, e: c.Member) -> frozenset[Key]:
        """Return the members that an expression may name: all so called where none can be told."""
        named = frozenset(k for k in self.keys if k[1] == e.name)
        if not named:
            return named
        try:
            struct = struct_of(self.known, body, scope_of(self.known, body.function), e)
        except InputError:
            struct = None
        return named if struct is None else named & {(struct, e.name)}

    def held(self, struct: str) -> frozenset[Key]:
        """Return the members that an object of a struct may have."""
        if struct in VCPU | VM:
            return frozenset(k for k in self.keys if ("vcpu" in k[0]) == (struct in VCPU))
        own = frozenset(k for k in self.keys if k[0] == struct)
        return own.union(*map(self.held, self._parts(struct)))

    def _parts(self, struct: str) -> tuple[str, ...]:
        """Return the structs that stand within another one, which may be declared before it."""
        place = self.known.library.find(Sort.STRUCT, struct)
        words = () if place is None else place[0].raw(place[1])
        inner = (
            name.text
            for tag, name, after in zip(words, words[1:], words[2:], strict=False)
            if tag.text == "struct" and not after.is_punct("*")
        )
        return tuple(x for x in inner if x != struct)

    def filled(self, body: Body, first: c.Expr) -> frozenset[Key]:
        """Return the members that may lie in what is filled, by its type."""
        match self._type(body, first):
            case Pointer(Struct(name)) | Array(Struct(name)):
                return self.held(name)
            case Array(Integer()):
                return self.named(body, first, whole=True)
            case Pointer(Integer() | Array()) if isinstance(first, c.UnaryExpr) and first.op == "&":
                return self.named(body, first.operand, whole=True)
            case _:
                return self.keys

    def pointed(self, body: Body, e: c.Expr) -> frozenset[Key]:
        """Return the members of the object that an argument points to."""
        match self._type(body, e):
            case Pointer(Struct(name)):
                return self.held(name)
            case _:
                return frozenset()

    def disguised(self, body: Body, e: c.CastExpr) -> bool:
        """Tell whether a cast makes a pointer to an object one to numbers, or to nothing known."""
        if not self.pointed(body, e.operand):
            return False
        return not _to_object(self._type(body, e))

    def disguises(self, body: Body, e: c.CallExpr, callee: Body) -> bool:
        """Tell whether a callee takes a pointer to an object as one to numbers or the like."""
        scope = scope_of(self.known, callee.function)
        types = (scope.get(p.declarator.name) for p in callee.function.parameters)
        given = zip(e.arguments, types, strict=False)
        return any(self.pointed(body, a) and not _to_object(t) for a, t in given)

    def whole(self, body: Body) -> frozenset[Key]:
        """Return the members of the objects that a function assigns or fills as a whole."""
        found: set[Key] = set()
        for node in walk(body.function.body) if body.function.body else ():
            match node:
                case c.AssignExpr("=", c.Member() | c.UnaryExpr() | c.Index() as target):
                    found |= self.named(body, target, whole=True)
                case c.CallExpr(c.Name(name), (first, *_)) if name in FILLS:
                    found |= self.pointed(body, first)
                case c.CastExpr(_, _, operand) if self._to_numbers(body, node):
                    found |= self.pointed(body, operand)
                case _:
                    pass
        return frozenset(found)

    def _to_numbers(self, body: Body, e: c.Expr) -> bool:
        t = self._type(body, e)
        return isinstance(t, Pointer) and isinstance(t.target, Integer)

    def _type(self, body: Body, e: c.Expr) -> CType | None:
        try:
            return type_of(self.known, body, scope_of(self.known, body.function), e)
        except InputError:
            return None


def _to_object(t: CType | None) -> bool:
    return isinstance(t, Pointer) and isinstance(t.target, Struct)


def stores_through(tokens: tuple[Token, ...]) -> bool:
    """Tell whether some statement looks like a store through a pointer."""
    before = ("{", *(t.text for t in tokens))
    return any(t.is_punct("*") and b in _BEFORE for b, t in zip(before, tokens, strict=False))


def could_set_whole(tokens: tuple[Token, ...]) -> bool:
    """Tell whether some statement looks like a store to an object, or a call that fills one."""
    places = (a for a, b in pairwise(tokens) if b.is_punct("="))
    if any(a.text in _PARTS or a.is_punct("]") for a in places):
        return True
    return any(t.text in FILLS for t in tokens) or stores_through(tokens)

"""Where struct members live: in the VM, in a vCPU, or in a local variable.

`struct kvm` is part of the VM and `struct kvm_vcpu` of a vCPU, and so is every struct that contains
one of them or is contained in such a one. A struct type that stands once in such a tree is found
from a pointer by its type alone, which is what makes container_of and its inverse plain changes of
view. Several outermost structs around one anchor (VMX's and SVM's) are alternatives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.c.structs import StructInfo
from flushproof.frontend.c.types import Array, CType, Struct
from flushproof.ir.code import FieldScope
from flushproof.support.record import Record

ANCHORS = {FieldScope.VM: "kvm", FieldScope.VCPU: "kvm_vcpu"}


class ObjectModel(Record, frozen=True):
    """How often each struct type stands in the VM and in a vCPU."""

    counts: Mapping[FieldScope, Mapping[str, int]]

    def scope_of(self, struct: str) -> FieldScope | None:
        """Return the object that a `struct` pointer points into, None for any other struct."""
        for scope in FieldScope:
            if self.counts[scope].get(struct):
                return scope
        return None

    def unique(self, scope: FieldScope, struct: str) -> bool:
        """Tell whether the struct type names one place in the object."""
        return self.counts[scope].get(struct) == 1

    def root(self, variable: str) -> str:
        """Return the path of a file-level variable, apart from that of a struct with its tag."""
        return variable if self.scope_of(variable) is None else f"variable {variable}"

    def enter(
        self, scope: FieldScope, path: tuple[str, ...], member: str, struct: str
    ) -> tuple[str, ...]:
        """Return the canonical path of a struct member."""
        return (struct,) if self.unique(scope, struct) else (*path, member)


def object_model(declarations: Declarations) -> ObjectModel:
    """Find the struct types of the VM and of a vCPU."""
    structs = declarations.structs
    return ObjectModel({s: _count(structs, anchor) for s, anchor in ANCHORS.items()})


def _count(structs: Mapping[str, StructInfo], anchor: str) -> Mapping[str, int]:
    holders = [name for name in structs if anchor in set(_within(structs, name))]
    outer = [n for n in holders if not any(n in set(_parts(structs, h)) for h in holders)]
    counts: Counter[str] = Counter()
    for root in outer or [anchor]:
        counts |= Counter(_within(structs, root))
    return counts


def _within(structs: Mapping[str, StructInfo], name: str) -> Iterator[str]:
    """Yield the struct itself and every struct it holds by value, with repetition."""
    yield name
    yield from _parts(structs, name)


def _parts(structs: Mapping[str, StructInfo], name: str, depth: int = 0) -> Iterator[str]:
    info = structs.get(name)
    if info is None or depth > 20:
        return
    for member in info.members.values():
        inner = _element(member)
        if isinstance(inner, Struct):
            yield inner.name
            yield from _parts(structs, inner.name, depth + 1)


def _element(t: CType) -> CType:
    return _element(t.element) if isinstance(t, Array) else t

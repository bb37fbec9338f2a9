"""Where the fields of the IR are in C: the VM is `the_vm`, vCPU i is `the_vcpus[i]`.

In: a machine. Out: a C lvalue for each shared field, and for each struct in the VM or a vCPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from flushproof.engines.interpreter.interpreter import Location
from flushproof.frontend.c.type_errors import UnsupportedConstruct
from flushproof.frontend.c.types import Array, CType, Integer, Pointer, Struct
from flushproof.ir.code import FieldScope
from flushproof.lower.object_model import ANCHORS
from flushproof.lower.places import THE_VM
from flushproof.machine.build import Machine
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record, field

OBJECTS = {FieldScope.VM: "the_vm", FieldScope.VCPU: "the_vcpus[{}]"}


class SeveralOuter(Diagnostic, frozen=True, kw_only=True):
    """Structs of two kinds around one anchor, which cannot share memory."""

    CODE: ClassVar[str] = "FP0906"
    TITLE: ClassVar[str] = "{names} lie around `struct {anchor}`, and C can have only one of them"
    anchor: str
    names: str


class BitPart(Record, frozen=True):
    """A bit field, `width` bits of a location from bit `first` on; `lvalue` is its name in C."""

    lvalue: str
    first: int
    width: int


class ObjectLayout(Record):
    """The objects of a machine; a vCPU's lvalues have `{}` for its number.

    `outer` names the struct that the VM and each vCPU is; `fields`, `structs` and `pointers` map
    canonical field names, struct names, and pointers to the VM to lvalues. `addresses` are the
    fields that hold an address other than a vCPU's, and `bits` has the parts of those that are bit
    fields.
    """

    outer: dict[FieldScope, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    structs: dict[str, str] = field(default_factory=dict)
    pointers: list[tuple[str, str]] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    bits: dict[str, tuple[BitPart, ...]] = field(default_factory=dict)

    def place(self, location: Location) -> str:
        """Return the C lvalue of a location.

        Raises:
            InputError: it is that of a bit field, which has no address.
        """
        name, index = location
        if name not in self.fields:
            construct = f"reproducing accesses to `{name.rpartition('.')[2]}`, which has no address"
            raise InputError(UnsupportedConstruct(span=None, construct=construct))
        return self.fields[name].format(index)

    def anchor(self, scope: FieldScope) -> str:
        """Return the lvalue of the struct that stands for the whole object."""
        return self.structs[ANCHORS[scope]]


def layout_objects(machine: Machine) -> ObjectLayout:
    """Lay out the objects of a machine.

    Raises:
        InputError: two different structs contain the VM's or a vCPU's own.
    """
    out = ObjectLayout()
    for scope in FieldScope:
        out.outer[scope] = _outer(machine, scope)
        _walk(machine, out, scope, (out.outer[scope],), OBJECTS[scope])
    for g in machine.env.declarations.globals.values():
        if not g.name.isidentifier():
            continue
        if isinstance(g.type, Struct) and g.type.name not in machine.env.lock_types:
            _walk(machine, out, None, (machine.env.objects.root(g.name),), g.name, g.type.name)
        else:
            _note_scalars(out, g.name, g.name, g.type)
            _note_address(machine, out, g.name, g.type)
    return out


def _outer(machine: Machine, scope: FieldScope) -> str:
    anchor = ANCHORS[scope]
    structs = machine.env.declarations.structs
    parts = {name: set(_parts(machine, name)) for name in structs}
    holders = [n for n in structs if n == anchor or anchor in parts[n]]
    outer = [n for n in holders if not any(n in parts[h] for h in holders)]
    used = [n for n in outer if _used(machine, scope, {n, *parts[n]})] or outer[:1]
    if len(used) > 1:
        names = " and ".join(f"`struct {n}`" for n in used)
        raise InputError(SeveralOuter(span=None, anchor=anchor, names=names))
    return used[0]


def _used(machine: Machine, scope: FieldScope, structs: set[str]) -> bool:
    """Tell whether a field of the program lies in one of these structs and not in the anchor."""
    inner = {ANCHORS[scope], *_parts(machine, ANCHORS[scope])}
    names = structs - inner
    return any(
        f.scope is scope and any(f.name.startswith(f"{n}.") for n in names) for f in machine.places
    )


def _parts(machine: Machine, name: str, depth: int = 0) -> Iterator[str]:
    info = machine.env.declarations.structs.get(name)
    for member in info.members.values() if info and depth < 20 else ():
        inner = _element(member)
        if isinstance(inner, Struct):
            yield inner.name
            yield from _parts(machine, inner.name, depth + 1)


def _element(t: CType) -> CType:
    return _element(t.element) if isinstance(t, Array) else t


def _walk(
    machine: Machine,
    out: ObjectLayout,
    scope: FieldScope | None,
    path: tuple[str, ...],
    lvalue: str,
    struct: str = "",
) -> None:
    """Note every member below a struct under the name that lowering gives it."""
    env = machine.env
    struct = struct or path[-1]
    if scope is not None:
        out.structs.setdefault(struct, lvalue)
    info = env.declarations.structs.get(struct)
    for name, t in info.members.items() if info else ():
        where = f"{lvalue}.{name}"
        if isinstance(t, Struct) and t.name not in env.lock_types:
            deeper = (
                (*path, name) if scope is None else env.objects.enter(scope, path, name, t.name)
            )
            _walk(machine, out, scope, deeper, where, t.name)
            continue
        if isinstance(t, Integer) and t.declared is not None:
            unit = info.units.get(name) if info else None
            whole = ".".join((*path, unit.name if unit else name))
            part = BitPart(where, unit.first[name] if unit else 0, t.ir.width)
            known = out.bits.get(whole, ())
            out.bits[whole] = known if part in known else (*known, part)
        else:
            _note_scalars(out, ".".join((*path, name)), where, t)
        _note_address(machine, out, ".".join((*path, name)), t)
        match t:
            case Pointer(Struct(target)) if ".".join((*path, name)) == THE_VM:
                out.pointers.append((where, target))
            case _:
                pass


def _note_scalars(out: ObjectLayout, name: str, lvalue: str, t: CType) -> None:
    """Note a scalar, or each element of an array, under the name that lowering gives it."""
    if isinstance(t, Array):
        for at in range(t.size or 0):
            out.fields.setdefault(f"{name}[{at}]", f"{lvalue}[{at}]")
    else:
        out.fields.setdefault(name, lvalue)


def _note_address(machine: Machine, out: ObjectLayout, name: str, t: CType) -> None:
    match t:
        case Pointer(Struct(target)) if machine.env.objects.scope_of(target) is FieldScope.VCPU:
            pass
        case Pointer():
            out.addresses.add(name)
        case _:
            pass

"""The members of a struct as they lie in memory: bit fields, and which of them share a location.

In: the struct definitions of the syntax tree and what resolves their types. Out: a `StructInfo`,
with no member twice and no bit field wider than its type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import Mismatch, Redefined
from flushproof.frontend.c.types import Array, CType, Integer, Struct
from flushproof.ir.types import Int
from flushproof.support.diagnostics import InputError, Note
from flushproof.support.record import Record, replace
from flushproof.support.source import Span


class MemberSlot(Record, frozen=True):
    """One member in its order: `bits` is the width of a bit field, None for any other member.

    The name is "" for padding and for a nameless inner struct.
    """

    name: str
    type: CType
    bits: int | None
    span: Span


class BitUnit(Record, frozen=True):
    """Bit fields that lie side by side: one memory location (C11 3.14).

    `first` gives the lowest bit of each field that has a name. The bits are counted from the first
    field on: nothing in the subset can tell where in the location they are.
    """

    name: str
    width: int
    first: Mapping[str, int]


class StructInfo(Record, frozen=True):
    """A struct's members by name, nameless inner structs flattened, and in order as `slots`.

    `units` maps each bit field that shares its memory location to that location; `partial` says
    that the struct has more than these members.
    """

    name: str
    members: Mapping[str, CType]
    slots: tuple[MemberSlot, ...]
    units: Mapping[str, BitUnit]
    span: Span
    partial: bool = False


def struct_info(
    name: str,
    slots: Iterable[MemberSlot],
    known: Mapping[str, StructInfo],
    span: Span,
    *,
    partial: bool = False,
) -> StructInfo:
    """Join the slots of a struct; `known` are the structs before it, the nameless within it too.

    Raises:
        InputError: two members have one name.
    """
    slots = tuple(slots)
    places: dict[str, Span] = {}
    members: dict[str, CType] = {}
    units: dict[str, BitUnit] = {}
    for slot in slots:
        nested = None if slot.name else _nameless(slot, known)
        found = nested.members if nested else {slot.name: slot.type} if slot.name else {}
        for member, t in found.items():
            if member in places:
                notes = (Note("first declared here", places[member]),)
                raise InputError(Redefined(span=slot.span, kind="member", name=member, notes=notes))
            places[member], members[member] = slot.span, t
        units |= nested.units if nested else {}
    for unit in _units(slots):
        units |= dict.fromkeys(unit.first, unit)
    return StructInfo(name, members, slots, units, span, partial)


def _nameless(slot: MemberSlot, known: Mapping[str, StructInfo]) -> StructInfo | None:
    return known.get(slot.type.name) if isinstance(slot.type, Struct) else None


def _units(slots: tuple[MemberSlot, ...]) -> Iterator[BitUnit]:
    """Yield the locations that several named bit fields share; a field of no width ends one."""
    for is_run, run in groupby(slots, key=lambda s: bool(s.bits)):
        if is_run:
            first: dict[str, int] = {}
            width = 0
            for slot in run:
                if slot.name:
                    first[slot.name] = width
                width += slot.bits or 0
            if len(first) > 1:
                yield BitUnit(",".join(first), width, first)


def bit_field(t: CType, bits: int, declarator: c.Declarator) -> Integer:
    """Return the type of a bit field of `bits` bits that is declared with type `t`.

    Raises:
        InputError: it cannot be a bit field, or not of this width.
    """
    name = f"`{declarator.name}`" if declarator.name else "the padding"
    if not isinstance(t, Integer):
        raise InputError(Mismatch(span=declarator.span, text=f"{name} of type `{t}` is no integer"))
    if bits < 0 or bits > t.ir.width or (bits == 0 and declarator.name):
        text = f"{name} cannot have {bits} bits: `{t}` has {t.ir.width}"
        raise InputError(Mismatch(span=declarator.span, text=text))
    return replace(t, name=f"{t.name} : {bits}", ir=Int(max(bits, 1), t.ir.signed), declared=t.ir)


def check_finite(structs: Mapping[str, StructInfo]) -> None:
    """Refuse structs that hold themselves.

    Raises:
        InputError: there is one.
    """
    done: set[str] = set()
    for name in structs:
        _visit(structs, name, (), done)


def _visit(
    structs: Mapping[str, StructInfo], name: str, within: tuple[str, ...], done: set[str]
) -> None:
    if name in done or name not in structs:
        return
    for slot in structs[name].slots:
        inner = element_type(slot.type)
        if not isinstance(inner, Struct):
            continue
        if inner.name in (*within, name):
            text = f"`{inner}` is held by itself"
            raise InputError(Mismatch(span=slot.span, text=text))
        _visit(structs, inner.name, (*within, name), done)
    done.add(name)


def element_type(t: CType) -> CType:
    """Return what an array is made of, and any other type as it is."""
    return element_type(t.element) if isinstance(t, Array) else t

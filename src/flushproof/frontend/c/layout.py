"""How large types are and where members lie, as gcc has it on x86-64 (System V ABI 3.1.2).

What the prelude declares stands for a larger struct of the kernel, so that nothing is known of its
size; nor is it of a struct that was read in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from flushproof.frontend.c.structs import MemberSlot, StructInfo
from flushproof.frontend.c.types import Array, CType, FunctionType, Integer, Pointer, Struct, Void
from flushproof.ir.types import BOOL, Int
from flushproof.support.record import Record

BYTE = 8
POINTER = 8


class Extent(Record, frozen=True):
    """Size and alignment in bytes."""

    size: int
    align: int


class StructLayout(Record, frozen=True):
    """A struct's extent, and the bit at which each of its slots begins."""

    extent: Extent
    starts: tuple[int, ...]


def type_extent(t: CType, structs: Mapping[str, StructInfo]) -> Extent | None:
    """Return size and alignment of a type, None where they are not known."""
    match t:
        case Integer(_, ir, declared):
            size = _bytes(declared or ir)
            return Extent(size, size)
        case Pointer():
            return Extent(POINTER, POINTER)
        case Array(element, size):
            one = type_extent(element, structs)
            return None if one is None or size is None else Extent(one.size * size, one.align)
        case Struct(name):
            found = layout_struct(structs[name], structs) if name in structs else None
            return None if found is None else found.extent
        case Void() | FunctionType():
            return Extent(1, 1)
        case _:
            assert_never(t)


def layout_struct(info: StructInfo, structs: Mapping[str, StructInfo]) -> StructLayout | None:
    """Lay out a struct, None where a part of it is not known."""
    if info.partial:
        return None
    at, align = 0, 1
    starts: list[int] = []
    for slot in info.slots:
        one = type_extent(slot.type, structs)
        if one is None:
            return None
        at = _start(at, slot, one)
        starts.append(at)
        at += one.size * BYTE if slot.bits is None else slot.bits
        if slot.name or slot.bits is None:
            align = max(align, one.align)
    return StructLayout(Extent(_up(at, align * BYTE) // BYTE, align), tuple(starts))


def _start(at: int, slot: MemberSlot, one: Extent) -> int:
    """Return the bit where a slot begins that comes after `at` bits."""
    unit = one.size * BYTE
    if slot.bits is None:
        return _up(at, one.align * BYTE)
    crosses = at // unit != (at + slot.bits - 1) // unit
    return _up(at, unit) if slot.bits == 0 or crosses else at


def _bytes(t: Int) -> int:
    return 1 if t == BOOL else t.width // BYTE


def _up(value: int, to: int) -> int:
    return -(-value // to) * to

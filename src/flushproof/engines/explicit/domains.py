"""The small sets of values that stand for all: roots, ranges, free choices, witnesses.

Code copies and compares roots, so three pages show every pattern of up to three different loads;
loads name them in the order of their first use. One range of pages stands for all. Values from
nowhere are plain numbers of their width: the least and largest of a type, small ones, and pages
with several low bits, of which no two are alike to code that looks into them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import assert_never

from flushproof.ir.analysis.def_use import operand_expressions, subexpressions_of, used_locals
from flushproof.ir.code import Const, Field, Hypercall, Local
from flushproof.ir.passes.cleanup import live_locals
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import BOOL, INT, NO_VCPU, ROOT, Int, LockWord, Type, VcpuRef
from flushproof.support.record import Record

ROOTS = (0x1000, 0x2000, 0x3000)
BAD_ROOTS = (0, (1 << 64) - 1)
RANGES = ({"whole": 1, "start": 0, "pages": 0}, {"whole": 0, "start": 16, "pages": 4})
FAR = {"whole": 0, "start": 1 << 63, "pages": (1 << 63) + 1}
GFNS = (0, 17)

Touch = tuple[int, int, int, int, int]
"""Thread number plus one, place, whether it writes, whether it is marked, and the locks held."""


class ValueSets(Record, frozen=True):
    """What stands for all results of a hypercall, 64-bit values and narrower ones.

    `low_bits` are those with which the first page is a witness, too.
    """

    results: tuple[int, ...]
    wide: tuple[int, ...]
    narrow: tuple[int, ...]
    low_bits: tuple[int, ...]


MANY = ValueSets(
    (0, -5, 1),
    (0, 1, 2, 3, 0x1001, 0x1002, 1 << 63, (1 << 64) - 1),
    (0, 1, 2, -1, 1 << 31),
    (2,),
)
FEW = ValueSets((0, -5), (0, 1), (0, 1), ())
"""Enough for a look that may miss something."""


class WitnessGroup(Record, frozen=True):
    """Witness fields that are chosen together, and the values they may have."""

    fields: tuple[Field, ...]
    values: tuple[tuple[int, ...], ...]


def any_value(t: Type, vcpus: int, values: ValueSets) -> tuple[int, ...]:
    """Return the values that stand for all of a type where code makes one up."""
    match t:
        case Int(width):
            wanted = values.wide if width == 64 else values.narrow
            return tuple(dict.fromkeys(map(t.wrap, wanted)))
        case VcpuRef():
            return (NO_VCPU, *range(vcpus))
        case LockWord():
            return (0,)
        case _:
            assert_never(t)


def enumerate_arguments(
    operation: Operation, thread: int, vcpus: int, values: ValueSets
) -> Iterator[tuple[dict[Local, int], int]]:
    """Yield the arguments of every call, and how many roots are in use at least once it has begun.

    A load is of the vCPU of its thread; a flush may be asked for on behalf of any.
    """
    p = operation.parameters
    own = range(thread, thread + 1) if operation.role is Role.LOAD else range(vcpus)
    named = [] if p.vcpu is None else [p.vcpu]
    each = [*(own for _ in named), *(range(vcpus) for _ in p.others)]
    whose = [dict(zip((*named, *p.others), v, strict=True)) for v in product(*each)]
    for given, ranged, free in product(whose, _ranges(operation), _free(operation, vcpus, values)):
        if p.root is None:
            yield given | ranged | free, 0
        else:
            for used, root in enumerate(ROOTS, 1):
                yield given | ranged | free | {p.root: root}, used


def _free(operation: Operation, vcpus: int, values: ValueSets) -> Iterator[dict[Local, int]]:
    """Yield values of the parameters that may have any, of those that are looked at."""
    free = operation.parameters.free
    live = live_locals(operation.code)[0]
    each = [any_value(x.type, vcpus, values) if x in live else (0,) for x in free]
    return (dict(zip(free, chosen, strict=True)) for chosen in product(*each))


def _ranges(operation: Operation) -> tuple[dict[Local, int], ...]:
    p = operation.parameters
    parts = {"whole": p.whole, "start": p.start, "pages": p.pages}
    there = {name: x for name, x in parts.items() if x is not None}
    if not there:
        return ({},)
    wanted = RANGES if "whole" in there else RANGES[1:]
    if any(_computed(operation, x) for x in (p.start, p.pages) if x is not None):
        wanted = (*wanted, FAR)
    return tuple({x: values[name] for name, x in there.items()} for values in wanted)


def _computed(operation: Operation, local: Local) -> bool:
    """Tell whether anything but a hypercall is given a parameter, so that its value may matter."""
    return any(local in used_locals(i) for i in operation.code if not isinstance(i, Hypercall))


def witness_groups(
    program: Program,
    vcpus: int,
    threads: int,
    roots: int,
    accesses: tuple[Touch, ...],
    values: ValueSets,
) -> tuple[WitnessGroup, ...]:
    """Return what each witness may be; an access is one of those that occur at all.

    `roots` is how many different ones are loaded at most; one more is a root that nobody loads, and
    one has other low bits.
    """
    pages = (*ROOTS[: roots + 1], *BAD_ROOTS, *(ROOTS[0] | x for x in values.low_bits))
    named = _constants(program)
    return tuple(
        WitnessGroup(fields, accesses)
        if fields in program.accesses
        else WitnessGroup(
            fields, tuple((v,) for v in _witness(fields[0], vcpus, threads, pages, named))
        )
        for fields in group_witnesses(program)
    )


def group_witnesses(program: Program) -> tuple[tuple[Field, ...], ...]:
    """Return the witnesses in order, those that are together one access as one."""
    whole = {parts[0]: parts for parts in program.accesses}
    rest = {f for parts in program.accesses for f in parts[1:]}
    return tuple(whole.get(f, (f,)) for f in program.witnesses if f not in rest)


def _constants(program: Program) -> tuple[int, ...]:
    """Return the integers that the code and the claims name."""
    code = (i for o in program.operations for i in o.code)
    parts = (part for i in code for e in operand_expressions(i) for part in subexpressions_of(e))
    return tuple(sorted({part.value for part in parts if isinstance(part, Const)}))


def _witness(
    f: Field, vcpus: int, threads: int, pages: tuple[int, ...], named: tuple[int, ...]
) -> tuple[int, ...]:
    by_type: Mapping[Type, tuple[int, ...]] = {
        ROOT: pages,
        INT: tuple(range(1, threads + 1)),
        BOOL: (0, 1),
    }
    if isinstance(f.type, VcpuRef):
        return tuple(range(vcpus))
    if not f.ghost:
        return _boot_values(f.type, pages, named)
    return by_type.get(f.type, GFNS)


def _boot_values(t: Type, pages: tuple[int, ...], named: tuple[int, ...]) -> tuple[int, ...]:
    """Return the values that stand for all that a field may hold at boot."""
    if not isinstance(t, Int):
        return (0,)
    wanted = (0, 1, 2, t.high, t.low, *named, *(pages if t.width == ROOT.width - 1 else ()))
    return tuple(dict.fromkeys(t.wrap(v) for v in wanted))

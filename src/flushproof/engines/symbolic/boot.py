"""The boot state as symbolic values: what never changes, what does, and the claims' witnesses.

Lemma L2 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import z3

from flushproof.engines.bounded.threads import written_fields
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.cells import Arrays, FiniteCells
from flushproof.engines.symbolic.evaluate import Evaluator, MachineValues
from flushproof.engines.symbolic.locations import SHARED, Cell, Location, OwnCell
from flushproof.engines.symbolic.step import Readers, World
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.ir.code import Expr, Field, FieldScope
from flushproof.ir.passes.focus import focused_fields
from flushproof.ir.program import BOOT_VCPU, Program
from flushproof.ir.types import BOOL, NO_VCPU, ROOT, Int
from flushproof.support.record import Record, replace

FirstValue = Callable[[t.Number], Value]


class BootState(Record, frozen=True):
    """The world of a run, every location's first value, and what witnesses satisfy."""

    world: World
    memory: dict[Location, Value]
    witnesses: dict[str, Value]
    constraints: tuple[z3.BoolRef, ...]


def make_boot_state(
    program: Program,
    algebra: Algebra,
    vcpus: int,
    count: t.Number,
    flushers: int,
    among: Mapping[str, range] | None = None,
) -> BootState:
    """Make the boot state for `count` vCPUs, of which there are cells for `vcpus`, and `flushers`.

    `among` confines some witnesses that are vCPUs, or threads, to some that follow each other.
    """
    witnesses: dict[str, Value] = {
        f.name: algebra.fresh(f.name, f.type, algebra.kinds.field(f)) for f in program.witnesses
    }
    constraints = []
    for name, numbers in (among or {}).items():
        value = witnesses[name]
        f = next(f for f in program.witnesses if f.name == name)
        allowed = [algebra.constant(n, f.type, algebra.kinds.field(f)) for n in numbers]
        if len(allowed) == 1:
            witnesses[name] = allowed[0]
        elif isinstance(value, z3.ArithRef):
            constraints += [value >= numbers.start, value < numbers.stop]
        else:
            constraints.append(t.z3_bool(t.or_(*(algebra.equal(value, x) for x in allowed))))
    constraints += [
        c for f in program.witnesses for c in _limits(algebra, f, witnesses[f.name], count)
    ]
    focus = {f: witnesses[w] for f, w in focused_fields(program).items()}
    readers = Readers(tuple((OwnCell(k), k) for k in range(vcpus + flushers)))
    world = World(
        program, algebra, vcpus, readers, count, FiniteCells(vcpus, count, focus, algebra), {}
    )
    memory = {
        where: witnesses[f.name]
        if f.name in witnesses
        else boot_value(program, algebra, count, f, _vcpu_of(where[1]))
        for f in program.fields
        for where in world.places(f)
    }
    written = written_fields(program)
    fixed = {where: value for where, value in memory.items() if where[0] not in written}
    return BootState(replace(world, fixed=fixed), memory, witnesses, tuple(constraints))


def boot_value(
    program: Program, algebra: Algebra, count: t.Number, f: Field, vcpu: t.Number | None
) -> Value:
    """Return what a field holds at boot, of one vCPU where each has its own, else of None."""
    kind = algebra.kinds.field(f)
    given: Mapping[Field, Expr] = dict(program.boot)
    if f not in given:
        return algebra.constant(0, f.type, kind)
    evaluator = Evaluator(algebra, "boot")
    given_vcpu = NO_VCPU if vcpu is None else vcpu
    return evaluator.value(given[f], {BOOT_VCPU: given_vcpu}, MachineValues(count, 0, ()), kind)


def _vcpu_of(cell: Cell) -> int | None:
    return cell.number if isinstance(cell, OwnCell) else None


def unwritten_boot_values(
    program: Program, algebra: Algebra, count: t.Number
) -> dict[str, FirstValue]:
    """Return the boot values of per-vCPU fields that nothing writes, by their names."""
    written = written_fields(program)
    return {
        f.name: partial(boot_value, program, algebra, count, f)
        for f in program.fields
        if f.scope is FieldScope.VCPU and f.name not in written
    }


def any_number(program: Program, algebra: Algebra, count: z3.ArithRef) -> World:
    """Return a world of `count` vCPUs, however many these are, in any state."""
    written = written_fields(program)
    fixed: dict[Location, Value] = {}
    for f in program.fields:
        if f in program.witnesses and f.name not in written:
            fixed[f.name, SHARED] = algebra.fresh(f.name, f.type, algebra.kinds.field(f))
        elif f.scope is FieldScope.VM and f.name not in written:
            fixed[f.name, SHARED] = boot_value(program, algebra, count, f, None)
    cells = Arrays(count, unwritten_boot_values(program, algebra, count), algebra)
    return World(program, algebra, 0, Readers(()), count, cells, fixed)


def _limits(algebra: Algebra, f: Field, value: Value, count: t.Number) -> list[z3.BoolRef]:
    if isinstance(value, z3.ArithRef) and not isinstance(f.type, Int):
        return [value >= 0, value < count]
    if f.type in (BOOL, ROOT):
        return []
    return algebra.limits(value, f.type, count)

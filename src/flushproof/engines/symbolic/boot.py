"""The boot state as symbolic values: what never changes, what does, and the claims' witnesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import z3

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.cells import Finite, Location
from flushproof.engines.symbolic.evaluate import Evaluator, Machine
from flushproof.engines.symbolic.steps import World
from flushproof.engines.symbolic.threads import written_fields
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.ir.code import Field
from flushproof.ir.focus import focused
from flushproof.ir.program import BOOT_VCPU, Program
from flushproof.ir.types import BOOL, ROOT, Int


@dataclass(frozen=True, slots=True)
class Boot:
    """The world of a run, every location's first value, and what witnesses satisfy."""

    world: World
    memory: dict[Location, Value]
    witnesses: dict[str, Value]
    constraints: tuple[z3.BoolRef, ...]


def boot(
    program: Program,
    algebra: Algebra,
    vcpus: int,
    count: t.Number,
    flushers: int,
    among: Mapping[str, range] | None = None,
) -> Boot:
    """Make the boot state for `count` vCPUs, of which there are cells for `vcpus`, and `flushers`.

    `among` confines some witnesses that are vCPUs to vCPUs that follow each other.
    """
    witnesses: dict[str, Value] = {
        f.name: algebra.fresh(f.name, f.type, algebra.kinds.field(f)) for f in program.witnesses
    }
    constraints = []
    for name, numbers in (among or {}).items():
        value = witnesses[name]
        if len(numbers) == 1:
            witnesses[name] = numbers.start
        elif isinstance(value, z3.ArithRef):
            constraints += [value >= numbers.start, value < numbers.stop]
    constraints += [
        c for f in program.witnesses for c in _limits(algebra, f, witnesses[f.name], count)
    ]
    focus = {f: witnesses[w] for f, w in focused(program).items()}
    world = World(
        program, algebra, vcpus, vcpus + flushers, count, Finite(vcpus, count, focus, algebra), {}
    )
    memory = {
        where: witnesses[f.name] if f.name in witnesses else _first(world, f, where)
        for f in program.fields
        for where in world.places(f)
    }
    written = written_fields(program)
    fixed = {where: value for where, value in memory.items() if where[0] not in written}
    return Boot(replace(world, fixed=fixed), memory, witnesses, tuple(constraints))


def _first(world: World, f: Field, where: Location) -> Value:
    kind = world.algebra.kinds.field(f)
    given = dict(world.program.boot)
    if f not in given:
        return world.algebra.constant(0, f.type, kind)
    evaluator = Evaluator(world.algebra, "boot")
    env: dict[object, Value] = {BOOT_VCPU: where[1]}
    return evaluator.value(given[f], env, Machine(world.count, 0, ()), kind)  # type: ignore[arg-type]


def _limits(algebra: Algebra, f: Field, value: Value, count: t.Number) -> list[z3.BoolRef]:
    if isinstance(value, z3.ArithRef) and not isinstance(f.type, Int):
        return [value >= 0, value < count]
    if f.type in (BOOL, ROOT):
        return []
    return algebra.limits(value, f.type, count)

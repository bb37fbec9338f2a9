"""The unknown state that predicates range over, and its representation as terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import z3

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.boot import FirstValue, first, unwritten
from flushproof.engines.symbolic.cells import Location, Tracked
from flushproof.engines.symbolic.steps import World
from flushproof.engines.symbolic.threads import written_fields
from flushproof.engines.symbolic.values import Algebra, Root, Value
from flushproof.ir.code import Scope
from flushproof.ir.kinds import Kinds
from flushproof.ir.program import Program
from flushproof.ir.types import BOOL, INT, ROOT, VCPU


def flat(algebra: Algebra, value: Value) -> tuple[z3.ExprRef, ...]:
    """Return the terms that make up a value."""
    match value:
        case Root(page, bits):
            return (algebra.page_term(page), *(t.z3_bool(b) for b in bits))
        case bool():
            return (z3.BoolVal(value),)
        case int():
            return (z3.IntVal(value),)
        case _:
            return (value,)


@dataclass(frozen=True, slots=True)
class Space:
    """What predicates range over.

    `rigid` never changes: the number of vCPUs, the tracked vCPUs, the witnesses. `state` gives the
    unknown for every location that changes, `boot` its first value, and `known` what holds of all
    of them at any time.
    """

    program: Program
    algebra: Algebra
    count: z3.ArithRef
    tracked: tuple[z3.ArithRef, ...]
    rigid: tuple[z3.ExprRef, ...]
    fixed: Mapping[Location, Value]
    state: Mapping[Location, Value]
    boot: Mapping[Location, Value]
    known: tuple[z3.BoolRef, ...]
    constant: Mapping[str, FirstValue]

    def world(self, *more: z3.ArithRef) -> World:
        """Return a world with cells for the tracked vCPUs and for more of them."""
        memory = Tracked((*self.tracked, *more), self.constant, self.algebra)
        return World(self.program, self.algebra, 0, 0, self.count, memory, self.fixed)


def space(  # noqa: C901 - one kind of variable after the other
    program: Program, kinds: Kinds, *, generic: bool, alone: bool
) -> Space:
    """Make the space of a program.

    Tracked are the vCPU witnesses, and with `generic` one more vCPU, any other than these. With
    `alone` there are no vCPUs beside the tracked ones.
    """
    algebra = Algebra(kinds, [])
    count = z3.Int("N")
    witnesses = {f: algebra.fresh(f.name, f.type, kinds.field(f)) for f in program.witnesses}
    tracked = [w for f, w in witnesses.items() if f.type == VCPU and isinstance(w, z3.ArithRef)]
    rigid: list[z3.ExprRef] = [count]
    known: list[z3.BoolRef] = [count >= 1, count <= INT.high]
    for f, value in witnesses.items():
        rigid += flat(algebra, value)
        if f.type not in (BOOL, ROOT, VCPU):
            known += algebra.limits(value, f.type, count)
    if generic:
        tracked.append(z3.Int("@vcpu"))
        rigid.append(tracked[-1])
    known += [c for v in tracked for c in (v >= 0, v < count)]
    if len(tracked) > 1:
        known.append(z3.Distinct(*tracked))
    if alone:
        known.append(count == len(tracked))
    written = written_fields(program)
    constant = unwritten(program, algebra, count)
    fixed: dict[Location, Value] = {}
    state: dict[Location, Value] = {}
    boot: dict[Location, Value] = {}
    memory = Tracked(tuple(tracked), constant, algebra)
    for f in program.fields:
        if f in witnesses:
            fixed[f.name, -1] = witnesses[f]
        elif f.name not in written:
            if f.scope is Scope.VM:
                fixed[f.name, -1] = first(program, algebra, count, f, -1)
        else:
            for where in memory.places(f):
                name = f"{f.name}[{where[1]}]"
                state[where] = algebra.fresh(name, f.type, kinds.field(f))
                vcpu = tracked[where[1]] if where[1] >= 0 else -1
                boot[where] = first(program, algebra, count, f, vcpu)
                known += algebra.limits(state[where], f.type, count)
    return Space(
        program,
        algebra,
        count,
        tuple(tracked),
        tuple(rigid),
        fixed,
        state,
        boot,
        tuple(known),
        constant,
    )

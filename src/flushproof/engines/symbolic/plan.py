"""What is found out once about a program, for every number of vCPUs up to a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import z3

from flushproof.engines.symbolic.atomicity import Atomicity, Order, atomicity, load_order
from flushproof.engines.symbolic.boot import boot
from flushproof.engines.symbolic.moves import Moves, Population
from flushproof.engines.symbolic.threads import Boundaries, written_fields
from flushproof.engines.symbolic.values import Algebra, NotExact
from flushproof.ir.kinds import Kinds, infer
from flushproof.ir.program import Program


@dataclass(frozen=True, slots=True)
class Plan:
    """The kinds of values, where steps begin, how loads can be ordered, and why."""

    kinds: Kinds
    boundaries: Mapping[str, frozenset[int]]
    order: Order
    atomicity: Atomicity | None


def make_plan(
    program: Program, population: Population, boundaries: Boundaries | None = None
) -> Plan:
    """Make a plan; roots are page numbers where that is exact, else bit-vectors."""
    kinds = infer(program)
    try:
        return _plan(program, kinds, population, boundaries)
    except NotExact:
        return _plan(program, infer(program, exact_roots=False), population, boundaries)


def _plan(
    program: Program, kinds: Kinds, population: Population, given: Boundaries | None
) -> Plan:
    count = z3.Int("vcpus")
    start = boot(program, Algebra(kinds), population.vcpus, count)
    found: Atomicity | None = None
    if given is None:
        found = atomicity(start.world, population, written_fields(program))
        boundaries = found.boundaries
    else:
        boundaries = {o.name: given(o) for o in program.operations}
    order = load_order(Moves(start.world, population, boundaries), boundaries)
    return Plan(kinds, boundaries, order, found)

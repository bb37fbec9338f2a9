"""What is found out once about a program, for every number of vCPUs up to a bound."""

from __future__ import annotations

from collections.abc import Mapping

import z3

from flushproof.engines.bounded.deadlock import waiting_places
from flushproof.engines.bounded.threads import Boundaries, written_fields
from flushproof.engines.reduction.atomicity import Atomicity, LoadOrder, classify_sites, load_order
from flushproof.engines.reduction.commutativity import Moves, Site, ThreadCounts
from flushproof.engines.reduction.ranking import unranked_heads
from flushproof.engines.symbolic.boot import any_number, make_boot_state
from flushproof.engines.symbolic.values import Algebra, NotExact
from flushproof.frontend.c.type_errors import EndlessHandler
from flushproof.ir.analysis.counting import claim_heads
from flushproof.ir.analysis.representation import Kinds, infer_kinds
from flushproof.ir.program import Operation, Program, Role
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record


class StepPlan(Record, frozen=True):
    """The kinds of values, where steps begin and why, and how loads can be ordered.

    `stale` are, by step, the assertions that need not be looked at: they fail only where a claim's
    `step` handler failed before.
    """

    kinds: Kinds
    boundaries: Mapping[str, frozenset[int]]
    order: LoadOrder
    stale: Mapping[Site, frozenset[int]]
    atomicity: Atomicity | None


def make_plan(
    program: Program, population: ThreadCounts, boundaries: Boundaries | None = None
) -> StepPlan:
    """Make a plan; roots are page numbers where that is exact, else bit-vectors."""
    kinds = infer_kinds(program)
    try:
        return _plan(program, kinds, population, boundaries)
    except NotExact:
        return _plan(program, infer_kinds(program, exact_roots=False), population, boundaries)


def _plan(
    program: Program, kinds: Kinds, population: ThreadCounts, given: Boundaries | None
) -> StepPlan:
    count = z3.Int("vcpus")
    if population.vcpus is None:
        # Proofs for all take sums for sums of integers, so steps are to keep those that are not.
        algebra = Algebra(kinds, [], count, wraps=True)
        world = any_number(program, algebra, count)
        algebra.forget_noted()
    else:
        algebra = Algebra(kinds)
        world = make_boot_state(
            program, algebra, population.vcpus, count, population.flushers
        ).world
    found: Atomicity | None = None
    deadlocks = bool(program.of(Role.DEADLOCK))
    for operation in program.operations:
        _require_ends(operation)
    waits = {o.name: waiting_places(o) if deadlocks else frozenset() for o in program.operations}
    if given is None:
        found = classify_sites(world, population, written_fields(program), waits)
        boundaries = found.boundaries
    else:
        boundaries = {o.name: given(o) | waits[o.name] for o in program.operations}
    moves = Moves(world, population, boundaries)
    acting = (o for o in program.operations if o.role in (Role.LOAD, Role.FLUSH))
    sites = (Site(o.name, at) for o in acting for at in sorted(boundaries[o.name]))
    stale = {site: moves.stale(site) for site in sites}
    return StepPlan(kinds, boundaries, load_order(moves, boundaries), stale, found)


def _require_ends(operation: Operation) -> None:
    """Refuse a claim whose handler may not end, as a handler is part of the step it follows.

    Raises:
        InputError: a loop in a handler has no ranking function.
    """
    code = operation.code
    for at in sorted(claim_heads(code) & unranked_heads(code)):
        raise InputError(EndlessHandler(span=code[at].span))

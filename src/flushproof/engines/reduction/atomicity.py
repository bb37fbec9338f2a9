"""Which stretches of code are atomic steps (Lipton, CACM 1975).

A site is a position where shared state is touched, with the claim code that follows it. A step is a
run of right-movers, at most one site that moves neither way, and left-movers; where a path cannot
go on like that a new step begins. A step that waits for a lock in its middle happens as a whole or
not at all; where the wait may be for ever, a new step begins at the lock, so that what comes before
it is seen. For the same reason a step has no way round a loop that may not end (`ranking`): there a
new step begins at the head of the loop, unless one begins elsewhere in each round.

Lemma L8, Lemma L9, Lemma L14 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from operator import or_
from typing import assert_never

from flushproof.engines.reduction.commutativity import Moves, Site, ThreadCounts, WitnessCase
from flushproof.engines.reduction.ranking import unranked_heads
from flushproof.engines.symbolic.step import World
from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.counting import claim_heads
from flushproof.ir.analysis.dataflow import flow_along, solve_forward
from flushproof.ir.analysis.def_use import may_wait
from flushproof.ir.analysis.held_locks import maybe_held, waits_end
from flushproof.ir.analysis.weak_topological_order import loop_heads
from flushproof.ir.code import (
    Access,
    Acquire,
    Assert,
    Assign,
    Available,
    BeginAtomic,
    Branch,
    Check,
    Drain,
    EndAtomic,
    Enter,
    Every,
    Exchange,
    Fence,
    Havoc,
    Holds,
    Hypercall,
    Instr,
    Jump,
    Mode,
    Read,
    Release,
    Return,
    Stop,
    StoreFence,
    TryAcquire,
    Uninit,
    Write,
)
from flushproof.ir.program import Operation, Role
from flushproof.support.record import Record


class Mover(Record, frozen=True):
    """How a site moves past the sites of other threads.

    It cannot be put off until after those in `earlier`, nor made before those in `later`.
    """

    site: Site
    earlier: tuple[Site, ...]
    later: tuple[Site, ...]

    @property
    def right(self) -> bool:
        """True where it can be put off until after anything that another thread does next."""
        return not self.earlier

    @property
    def left(self) -> bool:
        """True where it can be made before anything that another thread has just done."""
        return not self.later


class Atomicity(Record, frozen=True):
    """Where steps begin in each operation, and how each site moves.

    `endless` are heads of loops that may not end, where steps begin for that reason; `patient`
    says that a thread that waits for a lock surely gets it in time.
    """

    boundaries: Mapping[str, frozenset[int]]
    movers: Mapping[Site, Mover]
    endless: Mapping[str, frozenset[int]]
    patient: bool


def classify_sites(
    world: World,
    population: ThreadCounts,
    written: frozenset[str],
    given: Mapping[str, frozenset[int]],
) -> Atomicity:
    """Classify every site of a program and place the boundaries, those `given` among them."""
    program = world.program
    acting = [o for o in program.operations if o.role in (Role.LOAD, Role.FLUSH)]
    positions = {o.name: list_sites(o, written) for o in acting}
    cuts = {name: frozenset(p) for name, p in positions.items()}
    moves = Moves(world, population, cuts)
    inner = {o.name: claim_heads(o.code) for o in acting}
    everywhere = [Site(n, at) for n, p in positions.items() for at in sorted({*p, *inner[n]})]
    parts = {site: _mover(moves, site, everywhere) for site in everywhere}
    movers = {
        Site(o.name, at): _with_handlers(o, at, cuts[o.name], inner[o.name], parts)
        for o in acting
        for at in positions[o.name]
    }
    # A lock in the middle of a step is fine only if whoever waits gets it in time. Without that
    # `lock(a); x = 1; lock(b)` as one step would hide `x == 1` from others while b never comes
    # (L9).
    patient = waits_end(acting) and not any(map(_loops_with_a_lock, acting))
    found = {
        o.name: _without_endless_steps(o, movers, given[o.name], patient=patient)
        for o in program.operations
    }
    boundaries = {name: b for name, (b, _) in found.items()}
    return Atomicity(boundaries, movers, {name: e for name, (_, e) in found.items()}, patient)


def _loops_with_a_lock(operation: Operation) -> bool:
    """Tell whether a loop that may not end may be run through with a lock held."""
    held = maybe_held(operation.code)
    return any(held[at] for at in unranked_heads(operation.code))


def _without_endless_steps(
    operation: Operation, movers: Mapping[Site, Mover], given: frozenset[int], *, patient: bool
) -> tuple[frozenset[int], frozenset[int]]:
    """Return the boundaries, and those among them that keep loops from being endless steps.

    One more boundary can make others needless, so all are found anew.
    """
    endless: frozenset[int] = frozenset()
    while True:
        boundaries = _boundaries(operation, movers, given | endless, patient=patient)
        more = endless_within(operation.code, boundaries)
        if not more:
            return boundaries, endless
        endless |= more


def endless_within(code: tuple[Instr, ...], boundaries: frozenset[int]) -> frozenset[int]:
    """Return the heads of loops that may not end, and that one step can go round."""
    return frozenset(
        at
        for at in unranked_heads(code) - boundaries
        if at in reachable_positions(code, at, boundaries)
    )


def list_sites(operation: Operation, written: frozenset[str]) -> tuple[int, ...]:
    """Return the positions where an operation may touch what others touch, and loop heads.

    A claim's handler is no position of its own: it is one with what it follows, loops included.
    """
    loops = loop_heads(operation.code)
    loops -= claim_heads(operation.code) if loops else loops
    code = enumerate(operation.code)
    return tuple(at for at, i in code if _touches(i, written) or at in loops)


def _touches(instr: Instr, written: frozenset[str]) -> bool:
    match instr:
        case Read(field=f, mode=mode, until=until):
            # What nothing writes reads the same at any time. Ghosts are a claim's: its handler is
            # one with the access that it follows, and moves with it.
            seen = mode not in (Mode.GHOST, Mode.ATOMIC) and f.name in written
            return until is not None or seen
        case Write(mode=mode):
            return not mode.unseen
        case Acquire() | TryAcquire() | Available() | Release() | Exchange() | Fence():
            return True
        case Hypercall() | Enter() | Return() | Access() | Drain() | BeginAtomic():
            return True
        case Assign() | Havoc() | Holds() | Every() | Uninit() | Check() | Assert():
            return False
        case StoreFence() | Jump() | Branch() | Stop() | EndAtomic():
            return False
        case _:
            assert_never(instr)


def _mover(moves: Moves, site: Site, everywhere: list[Site]) -> Mover:
    others = [o for o in everywhere if moves.meet(site.operation, o.operation)]
    earlier = tuple(o for o in others if not moves.passing(site, o).right)
    later = tuple(o for o in others if not moves.passing(site, o).left)
    return Mover(site, earlier, later)


def _with_handlers(
    operation: Operation,
    start: int,
    cuts: frozenset[int],
    inner: frozenset[int],
    parts: Mapping[Site, Mover],
) -> Mover:
    """Return how a site moves with the loops in the handlers that follow it, `inner` among them.

    It moves past something where each part of it does: none is put between them.
    """
    own = parts[Site(operation.name, start)]
    if not inner:
        return own
    found = [start, *sorted(reachable_positions(operation.code, start, cuts) & inner)]
    movers = [parts[Site(operation.name, at)] for at in found]
    earlier = dict.fromkeys(s for m in movers for s in m.earlier)
    later = dict.fromkeys(s for m in movers for s in m.later)
    return Mover(Site(operation.name, start), tuple(earlier), tuple(later))


def _boundaries(
    operation: Operation, movers: Mapping[Site, Mover], given: frozenset[int], *, patient: bool
) -> frozenset[int]:
    """Return where steps begin, by whether a step may be past the point where it takes effect.

    Once past it a step may only go on with left-movers (R* N L*, Lipton). A site that is none gets
    a boundary if *some* path comes to it past that point, and a step that begins there is not past
    it. A fact that spread before the boundary was found stays: it only makes for more boundaries,
    and steps that are cut more often than needed lose nothing but time.
    """
    code = operation.code
    found = {0}

    def transfer(at: int, past: bool) -> bool:  # noqa: FBT001 - a fact of a dataflow analysis
        mover = movers.get(Site(operation.name, at))
        if mover is None:
            return past
        # Whether another value ever comes is not asked, so each wait for one begins a step.
        waits = may_wait(code[at]) and not (patient and isinstance(code[at], Acquire))
        waits = waits or at in given
        if waits or (past and not mover.left):
            found.add(at)
        return _past(mover, before=past and at not in found)

    solve_forward(False, flow_along(code, transfer), or_)  # noqa: FBT003
    return frozenset(found)


def _past(mover: Mover, *, before: bool) -> bool:
    if mover.right and mover.left:
        return before
    return not mover.right


class LoadOrder(StrEnum):
    """How loads of different vCPUs can be ordered without loss."""

    ANY = "any"
    NAMED_FIRST = "named first"
    NONE = "none"


def load_order(moves: Moves, boundaries: Mapping[str, frozenset[int]]) -> LoadOrder:
    """Find out whether loads commute, or do so once those of a claim's witness come first.

    Steps are compared whole, so a load with a loop within a step is not looked at any further: of
    such a step `moves` sees the parts before and after the head of the loop only.
    """
    if any(_loops_within_a_step(o, boundaries[o.name]) for o in moves.program.of(Role.LOAD)):
        return LoadOrder.NONE
    steps = [
        Site(o.name, at) for o in moves.program.of(Role.LOAD) for at in sorted(boundaries[o.name])
    ]
    pairs = [(a, b) for a in steps for b in steps]
    if moves.population.vcpus == 1 or all(moves.passing(a, b).right for a, b in pairs):
        return LoadOrder.ANY
    # Sorted by (named, number) these pairs are all that are ever exchanged: of a named one before
    # one that is not, the order is right (L14).
    cases = (WitnessCase(False, False), WitnessCase(False, True), WitnessCase(True, True))  # noqa: FBT003
    if moves.witnesses and all(moves.passing(a, b, c).right for c in cases for a, b in pairs):
        return LoadOrder.NAMED_FIRST
    return LoadOrder.NONE


def _loops_within_a_step(operation: Operation, boundaries: frozenset[int]) -> bool:
    return not loop_heads(operation.code) <= boundaries

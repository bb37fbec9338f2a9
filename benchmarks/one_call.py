"""One flush call from an arbitrary state that satisfies the cache invariant.

In: `specs/counter_first.spec` and a number of vCPUs. Out: whether `coverage` holds of one call, and
the seconds of building the question and of deciding it. Boot and loads play no part: the state
before the call is unknown, except that

* no lock is held;
* a vCPU runs on the root in its `hv_tlb_pgd`, or on none, and then that field holds anything;
* if the VM's `hv_tlb_pgd` is a valid page, every vCPU that runs on a root runs on that one.

Without the last condition the claim does not hold, which shows that the question can fail.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import z3

from flushproof.engines.bounded.scheduler_encoding import ScheduleSlot, Wiring
from flushproof.engines.bounded.threads import Counts, Unroller
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.boot import make_boot_state
from flushproof.engines.symbolic.cells import FiniteCells
from flushproof.engines.symbolic.locations import SHARED, Location, OwnCell, location_name
from flushproof.engines.symbolic.step import World
from flushproof.engines.symbolic.values import INVALID, Algebra, Value
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.program import Program
from flushproof.ir.types import NONE, ROOT
from flushproof.machine.build import build_machine
from flushproof.support.record import replace

SPEC = Path(__file__).parent.parent / "specs" / "counter_first.spec"
CLAIM = "coverage"
OWN = "vcpu_vmx.hv_tlb_pgd"
CACHED = "kvm_vmx.hv_tlb_pgd"
RUNS_ON = "runs_on"


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on one call, and what it took."""

    vcpus: int
    verdict: str
    build_seconds: float
    solve_seconds: float


def program() -> Program:
    """Return the benchmark's program with the monitor of `coverage`."""
    return build_machine(from_spec(str(SPEC))).with_claims((CLAIM,))


def decide(p: Program, vcpus: int, *, cache_sound: bool = True) -> Answer:
    """Decide `coverage` of one call; `cache_sound` off leaves out the condition on the cache."""
    started = time.perf_counter()
    solver = _question(p, vcpus, cache_sound=cache_sound)
    built = time.perf_counter()
    answer = solver.check()
    solved = time.perf_counter()
    return Answer(vcpus, _verdict(answer), built - started, solved - built)


def _question(p: Program, vcpus: int, *, cache_sound: bool) -> z3.Solver:
    """Return a solver whose constraints can be met exactly if one call can miss a root."""
    start = make_boot_state(p, Algebra(infer_kinds(p)), vcpus, vcpus, 1)
    world = replace(start.world, fixed={}, cells=FiniteCells(vcpus, vcpus, {}, start.world.algebra))
    state = _State(world)
    counts = Counts(vcpus, loads=0, flushes=1, flushers=1)
    whole = {o.name: frozenset({0}) for o in p.operations}
    threads = Unroller(world, counts, whole, lambda _: True).threads()
    flusher = next(k for k, x in enumerate(threads) if x.steps)
    slot = ScheduleSlot(flusher, 0, len(threads[flusher].steps), gate=True)
    wired = Wiring(world.algebra, threads, (slot,), {**start.memory, **state.roots}).run()
    broken = [
        t.and_(wired.executed[flusher][k], claimed.broken)
        for k, step in enumerate(threads[flusher].steps)
        for claimed in step.claimed
    ]
    solver = z3.Solver()
    solver.add(*start.constraints, *threads[flusher].constraints, *wired.constraints)
    solver.add(*(t.z3_bool(c) for c in state.own_roots()))
    if cache_sound:
        solver.add(*(t.z3_bool(c) for c in state.cache_sound()))
    solver.add(*world.algebra.axioms(), t.z3_bool(t.or_(*broken)))
    return solver


def _verdict(answer: z3.CheckSatResult) -> str:
    if answer == z3.unsat:
        return "proved"
    return "refuted" if answer == z3.sat else "unknown"


class _State:
    """Unknown roots before the call: those of the vCPUs, those they run on, and the cached one."""

    def __init__(self, world: World) -> None:
        self.algebra = world.algebra
        self.vcpus = world.vcpus
        fields = {f.name: f for f in world.program.fields}
        self.kind = world.algebra.kinds.field(fields[CACHED])
        self.roots: dict[Location, Value] = {
            where: self.algebra.fresh(location_name(where), fields[name].type, self.kind)
            for name in (CACHED, OWN, RUNS_ON)
            for where in world.places(fields[name])
        }

    def own_roots(self) -> list[t.Bool]:
        """Let each vCPU run on none, or on the root in its own field, neither 0 nor INVALID."""
        out = [t.not_(self._is(self.roots[CACHED, SHARED], NONE))]
        for v in range(self.vcpus):
            own, root = self.roots[OWN, OwnCell(v)], self.roots[RUNS_ON, OwnCell(v)]
            proper = t.not_(t.or_(self._is(root, 0), self._is(root, INVALID)))
            same = self.algebra.equal(own, root)
            out.append(t.not_(self._is(own, NONE)))
            out.append(t.implies(self._runs(v), t.and_(proper, same)))
        return out

    def cache_sound(self) -> list[t.Bool]:
        """Let every vCPU that runs on a root run on the cached one, if that is a valid page."""
        cached = self.roots[CACHED, SHARED]
        in_use = t.not_(self._is(cached, INVALID))
        return [
            t.implies(
                t.and_(in_use, self._runs(v)),
                self.algebra.equal(cached, self.roots[RUNS_ON, OwnCell(v)]),
            )
            for v in range(self.vcpus)
        ]

    def _runs(self, v: int) -> t.Bool:
        return t.not_(self._is(self.roots[RUNS_ON, OwnCell(v)], NONE))

    def _is(self, value: Value, constant: int) -> t.Bool:
        return self.algebra.equal(value, self.algebra.constant(constant, ROOT, self.kind))

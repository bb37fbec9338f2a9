"""One flush call from an arbitrary state that satisfies the cache invariant.

In: `specs/counter_first.spec` and a number of vCPUs. Out: whether `coverage` holds of one call, with
the seconds of building the question and of deciding it. Boot and loads play no part: the state before
the call is unknown, except that

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

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.steps import Location, World
from flushproof.engines.symbolic.threads import Counts, Unroller
from flushproof.engines.symbolic.values import INVALID, Algebra, Value
from flushproof.engines.symbolic.wiring import Slot, Wiring
from flushproof.ir.code import Field
from flushproof.ir.kinds import infer
from flushproof.ir.program import Program
from flushproof.ir.types import LOCK, NONE, ROOT, VCPU
from flushproof.machine.build import build
from flushproof.spec.resolve import from_spec

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
    return build(from_spec(str(SPEC))).with_claims((CLAIM,))


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
    world = World(p, Algebra(infer(p)), vcpus, fixed={}, focus={})
    state = _State(world)
    counts = Counts(vcpus, loads=0, flushes=1, flushers=1)
    whole = {o.name: frozenset({0}) for o in p.operations}
    threads = Unroller(world, counts, whole, lambda _: True).threads()
    flusher = next(k for k, x in enumerate(threads) if x.steps)
    slot = Slot(flusher, 0, len(threads[flusher].steps), gate=True)
    wired = Wiring(world.algebra, threads, (slot,), state.values).run()
    broken = [
        t.and_(wired.executed[flusher][k], claimed.broken)
        for k, step in enumerate(threads[flusher].steps)
        for claimed in step.claimed
    ]
    solver = z3.Solver()
    solver.add(*threads[flusher].constraints, *wired.constraints)
    solver.add(*(t.z3_bool(c) for c in (*state.own_roots(), *state.witness_range())))
    if cache_sound:
        solver.add(*(t.z3_bool(c) for c in state.cache_sound()))
    solver.add(*world.algebra.axioms(), t.z3_bool(t.or_(*broken)))
    return solver


def _verdict(answer: z3.CheckSatResult) -> str:
    if answer == z3.unsat:
        return "proved"
    return "refuted" if answer == z3.sat else "unknown"


class _State:
    """An unknown state before the call."""

    def __init__(self, world: World) -> None:
        self.algebra = world.algebra
        self.vcpus = world.vcpus
        self.fields = {f.name: f for f in world.program.fields}
        self.witnesses = world.program.witnesses
        self.values: dict[Location, Value] = {
            where: self._start(f, where) for f in world.program.fields for where in world.places(f)
        }

    def _start(self, f: Field, where: Location) -> Value:
        """A claim's ghosts start as at boot, locks are free, and everything else is unknown."""
        kind = self.algebra.kinds.field(f)
        shared = not f.ghost or f.name == RUNS_ON or f in self.witnesses
        if f.type == LOCK or not shared:
            return self.algebra.constant(NONE if f.type == ROOT else 0, f.type, kind)
        return self.algebra.fresh(f"{where[0]}[{where[1]}]", f.type, kind)

    def own_roots(self) -> list[t.Bool]:
        """A vCPU runs on none, or on the root in its own field, which is neither 0 nor INVALID."""
        out = [t.not_(self._is(self.values[CACHED, -1], NONE))]
        for v in range(self.vcpus):
            own, root = self.values[OWN, v], self.values[RUNS_ON, v]
            proper = t.not_(t.or_(self._is(root, 0), self._is(root, INVALID)))
            same = self.algebra.equal(own, root)
            out.append(t.not_(self._is(own, NONE)))
            out.append(t.implies(self._runs(v), t.and_(proper, same)))
        return out

    def cache_sound(self) -> list[t.Bool]:
        """While the VM's field is a valid page, every vCPU that runs on a root runs on it."""
        cached = self.values[CACHED, -1]
        in_use = t.not_(self._is(cached, INVALID))
        return [
            t.implies(
                t.and_(in_use, self._runs(v)),
                self.algebra.equal(cached, self.values[RUNS_ON, v]),
            )
            for v in range(self.vcpus)
        ]

    def witness_range(self) -> list[t.Bool]:
        """A claim's vCPU is one of those there are."""
        found = (self.values[f.name, -1] for f in self.witnesses if f.type == VCPU)
        return [t.and_(w >= 0, w < self.vcpus) for w in found if isinstance(w, z3.ArithRef)]

    def _runs(self, v: int) -> t.Bool:
        return t.not_(self._is(self.values[RUNS_ON, v], NONE))

    def _is(self, value: Value, constant: int) -> t.Bool:
        kind = self.algebra.kinds.field(self.fields[CACHED])
        return self.algebra.equal(value, self.algebra.constant(constant, ROOT, kind))

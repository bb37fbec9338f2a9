"""One bounded question: these operations, these claims, this many vCPUs, as a z3 problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import z3

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.atomicity import atomicity, loads_commute
from flushproof.engines.symbolic.evaluate import Evaluator, Machine
from flushproof.engines.symbolic.moves import Population
from flushproof.engines.symbolic.slots import slots_for
from flushproof.engines.symbolic.steps import Location, Step, ThreadSteps
from flushproof.engines.symbolic.threads import (
    Boundaries,
    Counts,
    Unroller,
    field_locations,
    written_fields,
)
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.engines.symbolic.wiring import Wired, Wiring
from flushproof.ir.code import Field, Const
from flushproof.ir.kinds import Kinds
from flushproof.ir.program import BOOT_VCPU, Program, Role
from flushproof.ir.types import BOOL, ROOT, Int


@dataclass(frozen=True, slots=True)
class Failure:
    """A way for one step to go wrong: it happens, and `broken` holds."""

    thread: int
    step: int
    condition: t.Bool
    text: str


class Problem:
    """The unrolled, scheduled system, with a solver that holds its constraints."""

    def __init__(
        self,
        program: Program,
        kinds: Kinds,
        counts: Counts,
        boundaries: Boundaries | None,
        rounds: int | None = None,
    ) -> None:
        self.program = program
        self.counts = counts
        self.algebra = Algebra(kinds)
        self.witnesses: dict[str, Value] = {}
        self.solver = z3.Solver()
        boot = self._boot()
        written = written_fields(program)
        fixed = {w: v for w, v in boot.items() if w[0] not in written}
        population = Population(counts.vcpus, counts.flushers)
        given = (program, self.algebra, population, fixed)
        self.boundaries = (
            atomicity(*given, written).boundaries
            if boundaries is None
            else {o.name: boundaries(o) for o in program.operations}
        )
        unroller = Unroller(
            program, self.algebra, counts, self.boundaries, self._feasible, fixed
        )
        self.threads = unroller.threads()
        commute = counts.loads > 0 and loads_commute(*given, self.boundaries)
        first = tuple(range(counts.vcpus if commute else 1))
        slots, self.rounds = slots_for(self.threads, first, rounds)
        self.slots = slots
        self.wired: Wired = Wiring(self.algebra, self.threads, slots, boot).run()
        for thread in self.threads:
            self.solver.add(*thread.constraints)
        self.solver.add(*self.wired.constraints)
        self.solver.add(*self.algebra.axioms())

    def _feasible(self, condition: t.Bool) -> bool:
        solver = z3.Solver()
        solver.add(*self.algebra.axioms(), t.z3_bool(condition))
        return solver.check() != z3.unsat

    # Boot ------------------------------------------------------------------------------------

    def _boot(self) -> dict[Location, Value]:
        given = dict(self.program.boot)
        boot: dict[Location, Value] = {}
        for f in self.program.fields:
            kind = self.algebra.kinds.field(f)
            for where in field_locations(f, self.counts.vcpus):
                if f in self.program.witnesses:
                    boot[where] = self._witness(f)
                elif f in given:
                    evaluator = Evaluator(self.algebra, "boot")
                    env = {BOOT_VCPU: where[1]}
                    m = Machine(self.counts.vcpus, 0, ())
                    boot[where] = evaluator.value(given[f], env, m, kind)
                else:
                    zero = Const(0, f.type)
                    boot[where] = self.algebra.constant(zero.value, f.type, kind)
        return boot

    def _witness(self, f: Field) -> Value:
        value = self.algebra.fresh(f.name, f.type, self.algebra.kinds.field(f))
        low = 0 if not isinstance(f.type, Int) else None
        if isinstance(value, z3.ArithRef) and low is not None:
            self.solver.add(value >= low, value < self.counts.vcpus)
        elif isinstance(f.type, Int) and f.type not in (BOOL, ROOT):
            self.solver.add(*self.algebra.limits(value, f.type, self.counts.vcpus))
        self.witnesses[f.name] = value
        return value

    # Questions -------------------------------------------------------------------------------

    def steps(self) -> Iterator[tuple[int, int, Step, t.Bool]]:
        """Every step with its thread position, number, and whether it happens."""
        for position, thread in enumerate(self.threads):
            for number, step in enumerate(thread.steps):
                yield position, number, step, self.wired.executed[position][number]

    def failures(self, claim: str) -> list[Failure]:
        """Every way for a claim to fail."""
        return [
            Failure(p, k, t.and_(happens, c.broken), c.claim)
            for p, k, step, happens in self.steps()
            for c in step.claimed
            if c.claim == claim
        ]

    def faults(self) -> list[Failure]:
        """Every way to run into undefined behaviour."""
        return [
            Failure(p, k, t.and_(happens, f.broken), f.text)
            for p, k, step, happens in self.steps()
            for f in step.faults
        ]

    def calls(self) -> list[t.Bool]:
        """For each call of each thread, whether it is begun."""
        return [
            self.wired.executed[position][k]
            for position, thread in enumerate(self.threads)
            if thread.role in (Role.LOAD, Role.FLUSH)
            for k in _first_steps(thread)
        ]

    def roots(self) -> list[tuple[t.Bool, Value]]:
        """The root of each load, and whether the load is begun."""
        out: list[tuple[t.Bool, Value]] = []
        for position, thread in enumerate(self.threads):
            begun = [self.wired.executed[position][k] for k in _first_steps(thread)]
            for call, given in enumerate(thread.arguments):
                for name, value in given.items():
                    if self._is_root(name):
                        out.append((begun[call], value))
        return out

    def _is_root(self, name: str) -> bool:
        operation, parameter = name.split("/", 1)
        return any(
            o.name == operation
            and o.parameters.root is not None
            and o.parameters.root.name == parameter
            for o in self.program.operations
        )

    def switches(self) -> list[t.Bool]:
        """For each slot, whether anything happens in it: a measure of context switches."""
        here: dict[int, list[t.Bool]] = {}
        for placed in self.wired.placed:
            step = self.threads[placed.thread].steps[placed.step]
            here.setdefault(placed.slot, []).append(t.and_(placed.here, step.guard))
        return [t.or_(*h) for h in here.values()]

    def oddities(self) -> list[t.Bool]:
        """What a reader would rather not see unless it is needed: failures and partial ranges."""
        out = [
            t.and_(happens, c.guard, self.algebra.nonzero(c.value))
            for _, _, step, happens in self.steps()
            for c in step.choices
            if c.hypercall
        ]
        for position, thread in enumerate(self.threads):
            begun = [self.wired.executed[position][k] for k in _first_steps(thread)]
            for call, given in enumerate(thread.arguments):
                out += [
                    t.and_(begun[call], t.not_(v))
                    for name, v in given.items()
                    if name.endswith(".whole") and isinstance(v, (bool, z3.BoolRef))
                ]
        return [x for x in out if x is not False]


def _first_steps(thread: ThreadSteps) -> list[int]:
    """The number of the first step of each call."""
    out: dict[int, int] = {}
    for k, step in enumerate(thread.steps):
        out.setdefault(step.call, k)
    return [out[c] for c in sorted(out)]



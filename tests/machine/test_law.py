"""The interpreter and the solver agree: what a random run violates, `decide_claims` refutes."""

from __future__ import annotations

import random

import pytest

from flushproof.engines.interpreter import interpreter
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.frontend.setup import Bounds
from flushproof.ir.code import Havoc, Hypercall
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import BOOL, LOCK, ROOT, VCPU, Int
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.support.record import replace
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_of
from support.places import NAMES
from support.small_c import each

VCPUS, RUNS = 2, 150
ROOTS = (0x1000, 0x2000, 0x3000)


def _bounds(made: Machine) -> Bounds:
    """Return the bounds of a spec with no more than two vCPUs."""
    own = made.setup.bounds
    return replace(own, vcpus=(1, min(own.vcpus[1], VCPUS)))


def _smallest(made: Machine) -> dict[str, int | None]:
    """Return the smallest number of vCPUs that refutes each claim, None where it is proved."""
    names = tuple(c.name for c in made.setup.claims)
    found = {r.claim: r for r in decide_claims(made, Question(names, _bounds(made)))}
    assert {r.verdict for r in found.values()} <= {Verdict.BOUNDED, Verdict.REFUTED}
    return {name: r.smallest_vcpus for name, r in found.items()}


class _Run:
    """One random execution with operations as steps."""

    def __init__(self, program: Program, bounds: Bounds, vcpus: int, seed: int) -> None:
        self.program = program
        self.vcpus = vcpus
        self.chance = random.Random(seed)
        counts = [self.chance.randint(0, bounds.loads) for _ in range(vcpus)]
        loads = [self._plan(v, Role.LOAD, n) for v, n in enumerate(counts)]
        flushes = self._plan(vcpus, Role.FLUSH, self.chance.randint(1, bounds.flushes))
        self.state = interpreter.initial_state(
            program, Schedule(vcpus, self._witnesses(), (*loads, flushes, *self._watching()), ())
        )

    def violated(self) -> set[str]:
        """Run to the end and return the names of the claims that fail.

        A thread that waits for a lock waits for ever, as the others are between their calls; then
        there is no end.
        """
        order = [t for t in self.state.threads if t.number <= self.vcpus for _ in t.calls]
        self.chance.shuffle(order)
        waiting: set[int] = set()
        for thread in (*self._bystanders(Role.OBSERVE), *order):
            try:
                if thread.number not in waiting:
                    self._whole_call(thread)
            except interpreter.Stuck:
                waiting.add(thread.number)
        for thread in self._bystanders(Role.END) if not waiting else ():
            self._whole_call(thread)
        return {v.claim for v in self.state.violations}

    def _bystanders(self, role: Role) -> list[interpreter.Thread]:
        """Return whoever looks at the boot state, or at the end, where nobody is in a call."""
        names = {operation.name for operation in self.program.of(role)}
        return [t for t in self.state.threads if t.calls and t.calls[0].operation in names]

    def _whole_call(self, thread: interpreter.Thread) -> None:
        interpreter.step_thread(self.state, thread, each)
        while thread.operation is not None:
            thread.choices = iter(self._choice(thread.operation.code[thread.pc]))
            interpreter.step_thread(self.state, thread, each)

    def _choice(self, instr: object) -> tuple[int, ...]:
        match instr:
            case Hypercall():
                return (self.chance.choice((0, 0, -5)),)
            case Havoc(target):
                return (self._value(target.type),)
            case _:
                return ()

    def _value(self, t: object) -> int:
        if t == BOOL:
            return self.chance.randint(0, 1)
        if t == VCPU:
            return self.chance.randrange(self.vcpus)
        if t == ROOT:
            return self.chance.choice((*ROOTS, 0, (1 << 64) - 1))
        assert isinstance(t, Int)
        return self.chance.randint(0, 3)

    def _witnesses(self) -> dict[str, int]:
        return {
            f.name: self.chance.randint(1, self.vcpus + 1)
            if f.name.endswith(".thread")
            else self._value(f.type)
            for f in self.program.witnesses
        }

    def _plan(self, number: int, role: Role, count: int) -> ThreadPlan:
        (operation,) = self.program.of(role)
        calls = tuple(self._call(operation, number) for _ in range(count))
        return ThreadPlan(number, str(role), calls)

    def _call(self, operation: Operation, number: int) -> Call:
        p = operation.parameters
        values = {x.name: self._value(x.type) for x in p.all}
        if p.vcpu is not None:
            values[p.vcpu.name] = number
        if p.root is not None:
            values[p.root.name] = self.chance.choice(ROOTS)
        return Call(operation.name, values, ())

    def _watching(self) -> list[ThreadPlan]:
        """Return the calls of whoever looks at the boot state and at the end."""
        made: list[ThreadPlan] = []
        for role in (Role.OBSERVE, Role.END):
            for operation in self.program.of(role):
                number = self.vcpus + 1 + len(made)
                made.append(ThreadPlan(number, str(role), (Call(operation.name, {}, ()),)))
        return made


@pytest.mark.sample("counter_late")
@pytest.mark.parametrize("name", NAMES[1::2])
def test_what_a_run_violates_is_refuted(name: str) -> None:
    """A proof of a claim that some run violates would be the worst of all defects.

    Guards Lemma L29 of docs/soundness.md.
    """
    made = machine_of(name)
    smallest = _smallest(made)
    program = made.with_claims(tuple(smallest))
    bounds = _bounds(made)
    for vcpus in range(1, bounds.vcpus[1] + 1):
        for seed in range(RUNS):
            for claim in _Run(program, bounds, vcpus, seed).violated():
                least = smallest[claim]
                assert least is not None, f"{claim} is proved, but seed {seed} violates it"
                assert least <= vcpus, f"{claim} with {vcpus} vCPUs, seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[1::2])
def test_random_runs_find_something(name: str) -> None:
    """Runs that never violate a refuted claim would make the law above empty."""
    made = machine_of(name)
    bounds = _bounds(made)
    most = bounds.vcpus[1]
    expected = {
        e.claim
        for e in made.setup.expectations
        if e.verdict == "refuted" and e.vcpus is not None and e.vcpus <= most
    }
    program = made.with_claims(tuple(c.name for c in made.setup.claims))
    seen = {c for seed in range(2 * RUNS) for c in _Run(program, bounds, most, seed).violated()}
    assert seen <= expected
    assert bool(seen) == bool(expected)


def test_locks_are_free_afterwards() -> None:
    """An operation that ends with a lock held would leave the rest of the run stuck."""
    made = machine_of(NAMES[0])
    program = made.with_claims(("coverage", "no_race", "cache_sound"))
    run = _Run(program, _bounds(made), 2, 7)
    run.violated()
    locks = [f.name for f in made.base.fields if f.type == LOCK]
    assert locks
    assert all(run.state.memory[name, None] == 0 for name in locks)

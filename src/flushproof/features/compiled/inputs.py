"""Sequences of operations that a variant is run on: random ones, and values at boundaries."""

from __future__ import annotations

import random

from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.support.record import Record

LENGTH = 21
"""Operations of one sequence."""

FREE_ARGUMENTS = 8
RESULTS = 4
MOST_VCPUS = 3

PAGES = (0x1000, 0x2000, 0x3000)
LOW = (0, 0, 0, 1, 0x1E, 0xFFF)
EDGES = (0, 1, 2, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
FAILURES = (-5, 1, -1, -(1 << 31), 22)


class InputStep(Record, frozen=True):
    """One operation of a sequence: which one, by which thread, and all that is chosen.

    `results` are those of its hypercalls, again from the first where there are more of them.
    """

    operation: int
    thread: int
    vcpu: int
    root: int
    whole: int
    start: int
    pages: int
    free: tuple[int, ...]
    results: tuple[int, ...]

    def command(self) -> str:
        """Return the line for the driver."""
        numbers = (self.vcpu, self.root, self.whole, self.start, self.pages, *self.free)
        words = " ".join(f"{n:x}" for n in numbers)
        results = " ".join(str(r) for r in self.results)
        return f"{self.operation} {self.thread} {words} {len(self.results)} {results}\n"


class Sequence(Record, frozen=True):
    """Operations one after another, from boot, of a VM with so many vCPUs.

    `boot` is what each variable of another file starts as, in the order of the program's witnesses.
    """

    vcpus: int
    steps: tuple[InputStep, ...]
    boot: tuple[int, ...] = ()

    def commands(self) -> str:
        """Return the lines for the driver."""
        lines = "".join(s.command() for s in self.steps)
        boot = "".join(f" {n:x}" for n in self.boot)
        return f"n {self.vcpus} {len(self.steps)}{boot}\n{lines}"


def random_sequences(machine: Machine, count: int, seed: str) -> tuple[Sequence, ...]:
    """Return random sequences, for each number of vCPUs in turn."""
    dice = random.Random(seed)  # noqa: S311 - the same choices on every machine
    low, high = machine.setup.bounds.vcpus
    sizes = range(max(1, min(low, MOST_VCPUS)), max(1, min(high, MOST_VCPUS)) + 1)
    return tuple(_sequence(machine, sizes[k % len(sizes)], dice) for k in range(count))


def _sequence(machine: Machine, vcpus: int, dice: random.Random) -> Sequence:
    steps = tuple(_step(machine, vcpus, dice) for _ in range(LENGTH))
    return Sequence(vcpus, steps, tuple(_start(dice) for _ in machine.base.witnesses))


def _step(machine: Machine, vcpus: int, dice: random.Random) -> InputStep:
    number, operation = dice.choice(list(enumerate(machine.base.operations)))
    vcpu = dice.randrange(vcpus)
    flusher = vcpus + dice.randrange(machine.setup.bounds.flushers)
    return InputStep(
        operation=number,
        thread=vcpu if operation.role is Role.LOAD else flusher,
        vcpu=vcpu,
        root=_root(dice),
        whole=dice.randrange(2),
        start=_number(dice),
        pages=_number(dice),
        free=tuple(_number(dice) for _ in range(FREE_ARGUMENTS)),
        results=tuple(_result(dice) for _ in range(RESULTS)),
    )


def _root(dice: random.Random) -> int:
    """Return a root, mostly one of few pages; some differ in their low bits only."""
    if dice.randrange(8) == 0:
        return dice.choice(EDGES)
    return dice.choice(PAGES) | dice.choice(LOW)


def _number(dice: random.Random) -> int:
    return dice.choice(EDGES) if dice.randrange(3) == 0 else dice.randrange(32)


def _start(dice: random.Random) -> int:
    """Return what a variable starts as; half of the flags are off."""
    return _number(dice) if dice.randrange(2) else 0


def _result(dice: random.Random) -> int:
    return dice.choice(FAILURES) if dice.randrange(3) == 0 else 0

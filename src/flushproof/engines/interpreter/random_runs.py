"""Random runs of a program by the interpreter alone: an attack on what is said to hold.

In: a program with claims. Out: what goes wrong in one of many runs, if anything does. There are
up to eight vCPUs; threads step in anywhere, most values are those at which arithmetic breaks, and
roots come with several low bits. Nothing is shared with the engines that use a solver but the
program.

Lemma L30 of docs/soundness.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from flushproof.engines.explicit.accesses import is_access, touch_of_access
from flushproof.engines.explicit.boundaries import list_written_fields, step_boundaries
from flushproof.engines.explicit.domains import Touch, group_witnesses
from flushproof.engines.interpreter import interpreter
from flushproof.ir.analysis.representation import ROOT_BITS
from flushproof.ir.code import Field, Havoc, Hypercall, Local
from flushproof.ir.program import BYSTANDERS, Operation, Program, Role
from flushproof.ir.types import NO_VCPU, NONE, ROOT, Int, LockWord, Type
from flushproof.support.record import Record
from flushproof.support.wording import count_noun

VCPUS = (1, 1, 2, 2, 3, 3, 4, 5, 6, 8)
MOST_STEPS = 2_000
"""A run that waits in a circle ends here."""

FUEL = 100_000
"""So many instructions a step may have in a run."""

STAYS = 0.6
"""How often the thread that has just stepped steps again."""

SUCCEEDS = 0.7
"""How often a hypercall succeeds."""

ROOTS = 0.4
"""How often a number that could be a root looks like one."""

PAGES = (0x1000, 0x2000, 0x3000, 0x80000000, 1 << 63, (1 << 64) - 0x3000)
LOW = (0, 0, 1, 2, 3, 0x18, 0xFFF)
NUMBERS = (0, 1, 2, 3, -1, -2, 127, 128, 255, 256, (1 << 15) - 1, 1 << 15)
EDGES = ((1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63)
RESULTS = (-5, 1, -1, 256, -(1 << 31))


class RunFailure(Record, frozen=True):
    """What went wrong in a random run, and in which; `claim` failed, or "" where none did."""

    text: str
    claim: str = ""


class Attack:
    """Runs one program again and again; accesses that were seen are what later runs look for."""

    def __init__(self, program: Program, flushers: int) -> None:
        self.program = program
        self.flushers = flushers
        changing = list_written_fields(program)
        self.boundaries = {o.name: step_boundaries(o, changing) for o in program.operations}
        for role in BYSTANDERS:
            self.boundaries |= {o.name: frozenset({0}) for o in program.of(role)}
        self.touches: dict[int, set[Touch]] = {}

    def run(self, seed: int) -> RunFailure | None:
        """Return what goes wrong in one run, if anything does."""
        return _RandomRun(self, random.Random(seed)).run(seed)  # noqa: S311 - the same runs each time

    def positions(self, operation: Operation) -> frozenset[int]:
        """Return where steps of an operation begin."""
        return self.boundaries[operation.name]


class _Broken(Exception):  # noqa: N818 - a finding, no error
    """Something went wrong: a claim that failed, or "" and something undefined."""

    def __init__(self, text: str, claim: str = "") -> None:
        super().__init__(text)
        self.claim = claim


class _GivesUp(Exception):  # noqa: N818 - the end of a run, no error
    """A step is too long to be made, so the run shows nothing more."""


class _Left(Record):
    """A thread, what it does and how often it will do it."""

    thread: interpreter.Thread
    role: Role
    calls: int


class _RandomRun:
    """One run."""

    def __init__(self, attack: Attack, dice: random.Random) -> None:
        self.attack = attack
        self.program = attack.program
        self.dice = dice
        self.vcpus = dice.choice(VCPUS)
        self.pages = dice.sample(PAGES, k=dice.choice((1, 2, 3)))
        memory = interpreter.boot_memory(self.program, self.vcpus)
        memory |= {(f.name, None): value for f, value in self._witnesses()}
        locks = interpreter.lock_locations(self.program, self.vcpus)
        loads = [self._new(v, Role.LOAD, 3) for v in range(self.vcpus)]
        flushes = [self._new(self.vcpus + k, Role.FLUSH, 4) for k in range(attack.flushers)]
        self.acting = [*loads, *flushes]
        threads = [x.thread for x in self.acting]
        self.state = interpreter.State(self.program, self.vcpus, memory, locks, threads)

    def _new(self, number: int, role: Role, most: int) -> _Left:
        calls = self.dice.randint(0, most)
        return _Left(interpreter.Thread(number, ()), role, calls if self.program.of(role) else 0)

    def run(self, seed: int) -> RunFailure | None:
        """Make the run; return what goes wrong, if anything does."""
        try:
            self._observe(Role.OBSERVE)
            if self._act():
                self._observe(Role.END)
        except _GivesUp:
            return None
        except _Broken as broken:
            where = f"in run {seed}, with {count_noun(self.vcpus, 'vCPU')}"
            return RunFailure(f"{broken} {where}", broken.claim)
        return None

    # Steps -----------------------------------------------------------------------------------

    def _act(self) -> bool:
        """Let threads step until all is over; tell whether it is."""
        last: _Left | None = None
        for _ in range(MOST_STEPS):
            ready = [x for x in self.acting if x.thread.operation is not None or x.calls]
            if not ready:
                return True
            self.dice.shuffle(ready)
            if last in ready and self.dice.random() < STAYS:
                ready.insert(0, last)
            last = next((x for x in ready if self._step(x)), None)
            if last is None:
                self._observe(Role.DEADLOCK)
                return False
        return False

    def _step(self, left: _Left) -> bool:
        """Let a thread step, or begin a call; tell whether it did."""
        if left.thread.operation is None:
            operations = self.program.of(left.role)
            if not operations:
                left.calls = 0
                return True
            left.calls -= 1
            self._begin(left.thread, self.dice.choice(operations))
        return self._step_thread(left.thread)

    def _begin(self, thread: interpreter.Thread, operation: Operation) -> None:
        thread.call += 1
        thread.operation = operation
        thread.pc = 0
        thread.locals = self._arguments(operation, thread.number)
        thread.choices = self._choices(thread)

    def _step_thread(self, thread: interpreter.Thread) -> bool:
        before = len(self.state.happenings)
        try:
            interpreter.step_thread(self.state, thread, self.attack.positions, fuel=FUEL)
        except interpreter.Stuck:
            return False
        except interpreter.Endless as endless:
            raise _GivesUp from endless
        except interpreter.Undefined as undefined:
            where = undefined.instr.span
            place = "" if where is None else f" at {where.file}:{where.line}"
            raise _Broken(f"{undefined.text}{place}") from undefined
        if self.state.violations:
            claim = self.state.violations[0].claim
            raise _Broken(f"`{claim}` fails", claim)
        self._note(thread, before)
        return True

    def _note(self, thread: interpreter.Thread, before: int) -> None:
        held = interpreter.lock_set(self.state, thread.number)
        touches = self.attack.touches.setdefault(self.vcpus, set())
        for h in self.state.happenings[before:]:
            if is_access(h):
                touches.add(touch_of_access(self.program, thread.number, h, held))

    def _observe(self, role: Role) -> None:
        """Run the pseudo-operation of a role, as a thread of its own."""
        for operation in self.program.of(role):
            number = self.vcpus + self.attack.flushers + BYSTANDERS.index(role)
            thread = interpreter.Thread(number, ())
            self._begin(thread, operation)
            self._step_thread(thread)

    # Values ----------------------------------------------------------------------------------

    def _arguments(self, operation: Operation, number: int) -> dict[Local, int]:
        p = operation.parameters
        out = {x: self._value(x.type) for x in p.all}
        if p.vcpu is not None:
            loads = operation.role is Role.LOAD
            out[p.vcpu] = number if loads else self.dice.randrange(self.vcpus)
        out |= {x: self.dice.randrange(self.vcpus) for x in p.others}
        if p.root is not None:
            out[p.root] = self.dice.choice(self.pages)
        return out

    def _choices(self, thread: interpreter.Thread) -> Iterator[int]:
        while thread.operation is not None:
            match thread.operation.code[thread.pc]:
                case Havoc(target):
                    yield self._value(target.type)
                case Hypercall():
                    fails = self.dice.random() >= SUCCEEDS
                    yield self.dice.choice(RESULTS) if fails else 0
                case other:
                    raise TypeError(f"`{other}` makes no choice")

    def _value(self, t: Type) -> int:
        match t:
            case Int(1):
                return self.dice.randrange(2)
            case Int():
                return t.wrap(self._number(t.width))
            case LockWord():
                return 0
            case _:
                return self.dice.randrange(NO_VCPU, self.vcpus)

    def _number(self, width: int) -> int:
        if width >= ROOT_BITS and self.dice.random() < ROOTS:
            return self.dice.choice(self.pages) | self.dice.choice(LOW)
        return self.dice.choice((*NUMBERS, *EDGES)) + self.dice.choice((0, 0, 1, -1))

    def _witnesses(self) -> Iterator[tuple[Field, int]]:
        seen = sorted(self.attack.touches.get(self.vcpus, ()))
        for fields in group_witnesses(self.program):
            if fields in self.program.accesses and seen:
                yield from zip(fields, self.dice.choice(seen), strict=True)
            else:
                yield from ((f, self._witness(f.type)) for f in fields)

    def _witness(self, t: Type) -> int:
        match t:
            case Int(1):
                return self.dice.randrange(2)
            case Int(32):
                return self.dice.randint(1, self.vcpus + self.attack.flushers)
            case Int():
                return self._any_root(t)
            case _:
                return self.dice.randrange(self.vcpus)

    def _any_root(self, t: Int) -> int:
        roots: list[int] = [*self.pages, 0, (1 << 64) - 1, self._value(t)]
        return self.dice.choice([*roots, NONE] if t == ROOT else roots)

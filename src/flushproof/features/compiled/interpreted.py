"""The same sequences in the interpreter, told in the words of the driver."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter import interpreter, lock_word
from flushproof.engines.interpreter.interpreter import Location
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.features.compiled.inputs import FREE_ARGUMENTS, MOST_VCPUS, InputStep, Sequence
from flushproof.features.compiled.program import fields_shown, gives_number
from flushproof.features.reproduce.layout import ObjectLayout
from flushproof.ir.code import Field, Hypercall, Return
from flushproof.ir.program import Operation
from flushproof.ir.types import Int, LockWord, Type, VcpuRef
from flushproof.machine.build import Machine
from flushproof.support.record import Record, field

MASK = (1 << 64) - 1
STUCK = "stuck"
UNDEFINED = "undefined"
"""The last word of a line that ends a sequence."""


def interpret_sequence(machine: Machine, where: ObjectLayout, sequence: Sequence) -> list[str]:
    """Run a sequence from boot; return a line for the state after boot and for each operation."""
    calls = tuple(_call(machine, s, sequence.vcpus) for s in sequence.steps)
    numbers = range(sequence.vcpus + machine.setup.bounds.flushers)
    pairs = tuple(zip(sequence.steps, calls, strict=True))
    plans = tuple(
        ThreadPlan(t, f"thread{t}", tuple(c for s, c in pairs if s.thread == t)) for t in numbers
    )
    outside = zip(machine.base.witnesses, sequence.boot, strict=True)
    boot = {f.name: _wrapped(value, f.type) for f, value in outside}
    state = interpreter.initial_state(machine.base, Schedule(sequence.vcpus, boot, plans, ()))
    run = _InterpretedRun(machine, where, state)
    lines = [run.shown()]
    for step in sequence.steps:
        lines.append(run.step(step))
        if run.over:
            break
    return lines


class _InterpretedRun(Record):
    """One sequence as it goes on."""

    machine: Machine
    where: ObjectLayout
    state: interpreter.State
    over: bool = field(default=False)

    def step(self, s: InputStep) -> str:
        """Run one operation."""
        thread = self.state.threads[s.thread]
        seen = len(self.state.happenings)
        end = ""
        try:
            self._all_of(thread, s)
        except interpreter.Stuck:
            end = STUCK
        except interpreter.Undefined:
            end = UNDEFINED
        said, result = self._said(seen)
        self.over = bool(end)
        if end:
            return " ".join((*said, end))
        operation = self.machine.base.operations[s.operation]
        number = result if gives_number(self.machine, operation) else 0
        return " ".join((*said, f"r{number & MASK:x}", self.shown()))

    def _all_of(self, thread: interpreter.Thread, s: InputStep) -> None:
        interpreter.step_thread(self.state, thread, _start)
        thread.choices = _choices(thread, s.results)
        interpreter.step_thread(self.state, thread, _nowhere)

    def _said(self, seen: int) -> tuple[list[str], int]:
        said: list[str] = []
        result = 0
        for h in self.state.happenings[seen:]:
            if h.root is not None and h.reach is not None:
                whole, start, pages = h.reach
                reach = (0, 0) if whole else (start, pages)
                said.append(f"h{h.root:x}:{whole}:{reach[0]:x}:{reach[1]:x}")
            if isinstance(h.instr, Return) and h.value is not None:
                result = h.value
        return said, result

    def shown(self) -> str:
        """Return the state, and that nothing else has changed."""
        shown = fields_shown(self.machine, self.where)
        return " ".join((*(self._value(f, x) for f in shown for x in self._locations(f)), "0"))

    def _locations(self, f: Field) -> tuple[Location, ...]:
        return interpreter.field_locations(f, self.state.vcpus)

    def _value(self, f: Field, x: Location) -> str:
        value = self.state.memory[x]
        match f.type:
            case LockWord():
                return self._lock(value)
            case VcpuRef():
                return str(value)
            case _:
                return f"{value & MASK:x}"

    def _lock(self, word: int) -> str:
        """Return a lock's holder plus one, and how often each thread reads."""
        threads = MOST_VCPUS + self.machine.setup.bounds.flushers
        digits = (word >> lock_word.DIGIT * k & lock_word.MASK for k in range(threads + 1))
        return "/".join(str(d) for d in digits)


def _choices(thread: interpreter.Thread, results: tuple[int, ...]) -> Iterator[int]:
    """Yield the results of hypercalls in turn, and 0 for whatever else may be anything."""
    taken = 0
    while True:
        assert thread.operation is not None
        if isinstance(thread.operation.code[thread.pc], Hypercall):
            yield results[taken % len(results)]
            taken += 1
        else:
            yield 0


def _start(_operation: Operation) -> frozenset[int]:
    return frozenset({1})


def _nowhere(_operation: Operation) -> frozenset[int]:
    return frozenset()


def _call(machine: Machine, s: InputStep, vcpus: int) -> Call:
    operation = machine.base.operations[s.operation]
    p = operation.parameters
    given = {x.name: _wrapped(s.free[k % FREE_ARGUMENTS], x.type) for k, x in enumerate(p.free)}
    pairs = (
        (p.vcpu, s.vcpu),
        (p.root, s.root),
        (p.whole, s.whole),
        (p.start, s.start),
        (p.pages, s.pages),
    )
    given |= {x.name: value for x, value in pairs if x is not None}
    given |= {x.name: (s.vcpu + 1 + k) % vcpus for k, x in enumerate(p.others)}
    return Call(operation.name, given, ())


def _wrapped(value: int, t: Type) -> int:
    if not isinstance(t, Int):
        return 0
    return int(value != 0) if t.width == 1 else t.wrap(value)

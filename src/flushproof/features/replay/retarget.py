"""A recorded counterexample tried in another variant, by the interpreter.

In: a `Recipe` and the machine of the other variant. Out: whether the claim fails there too, and in
what the variant does not follow. The operations, their arguments and the outcomes of the k-th
hypercall of each call are those recorded. Threads take turns as recorded: a thread that was
interrupted is stopped before the first thing that it did only later. Where it waits for a lock
instead it goes on as soon as it can.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from itertools import groupby, islice, product

from flushproof.engines.interpreter import interpreter
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.ir.code import (
    CallWitness,
    Exchange,
    Havoc,
    Hypercall,
    Instr,
    Local,
    Read,
    Write,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.machine.build import Machine
from flushproof.machine.instrument import PLACE_STRIDE
from flushproof.results.trace import Recipe, RecordedCall, TraceEvent
from flushproof.support.record import Record, field
from flushproof.verify.trace.recipe import by_role, visible_event
from flushproof.verify.trace.value_names import thread_name as title

MOST_TRIES = 20_000
"""How many choices of a claim's witnesses are tried."""

Key = tuple[str, str]
Stop = tuple[str, str, int]
"""The kind and the member of an event, and the how manieth in its call it is."""


class Ending(StrEnum):
    """How a stretch of a thread's steps ended."""

    STOPPED = "stopped"
    RETURNED = "returned"
    WAITS = "waits"
    FAILED = "failed"


class Tried(Record, frozen=True):
    """One run of the other variant; `misfits` says where it could not follow what was recorded."""

    schedule: Schedule
    state: interpreter.State
    misfits: tuple[str, ...]
    undefined: str = ""

    @property
    def failed(self) -> bool:
        """Tell whether the claim failed."""
        return bool(self.state.violations)


class Stretch(Record, frozen=True):
    """What a thread did without interruption.

    `stops` are the later events of the call, `first` the first of them; of a call that was never
    seen to end `last` is the last event of all. `rest` is what comes after all that was recorded.
    """

    thread: int
    call: int
    stops: frozenset[Stop] = frozenset()
    first: Stop | None = None
    last: Stop | None = None
    rest: bool = False


class MonitorChoice(Record, frozen=True):
    """What the monitor of the claim chooses: initial witnesses, and which call is which."""

    witnesses: Mapping[str, int]
    calls: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def attempt_recipe(machine: Machine, claim: str, recipe: Recipe, vcpus: int) -> Tried:
    """Run the other variant under every choice of witnesses; return a run that fails, if any does.

    Raises:
        NoCounterpart: it has no operation of a role that the recorded run has.
    """
    program = machine.with_claims((claim,))
    schedule = _schedule(program, recipe, vcpus)
    plain = MonitorChoice(dict(recipe.witnesses))
    first = _RetargetRun(program, schedule, recipe, plain).run()
    if first.failed or first.undefined:
        return first
    for choice in islice(_choices(machine, claim, program, recipe, first), MOST_TRIES):
        tried = _RetargetRun(program, schedule, recipe, choice).run()
        if tried.failed or tried.undefined:
            return tried
    return first


class NoCounterpart(Exception):  # noqa: N818 - a finding about the variant
    """The other variant has no operation of this role."""


# The schedule ------------------------------------------------------------------------------------


def _schedule(program: Program, recipe: Recipe, vcpus: int) -> Schedule:
    plans = tuple(
        ThreadPlan(t.number, t.name, tuple(_call(program, c) for c in t.calls if _acts(c)))
        for t in recipe.threads
    )
    return Schedule(vcpus, dict(recipe.witnesses), plans, ())


def _acts(call: RecordedCall) -> bool:
    return call.role in (Role.LOAD, Role.FLUSH)


def _call(program: Program, recorded: RecordedCall) -> Call:
    operation = _operation(program, recorded)
    given = dict(recorded.arguments)
    roles = by_role(operation.parameters)
    arguments = {p.name: 0 for p in operation.parameters.all}
    arguments |= {name: given.get(role, int(role == "whole")) for role, name in roles.items()}
    return Call(operation.name, arguments, ())


def _operation(program: Program, recorded: RecordedCall) -> Operation:
    """Return the operation of the same name, or else the first one of the same role."""
    alike = [o for o in program.operations if str(o.role) == recorded.role]
    if not alike:
        raise NoCounterpart(recorded.role)
    return next((o for o in alike if o.name == recorded.operation), alike[0])


def split_into_stretches(recipe: Recipe) -> Iterator[Stretch]:
    """Yield the stretches of the recorded run in order."""
    numbered = list(_numbered(recipe.events))
    later: dict[tuple[int, int], list[Stop]] = {}
    for event, stop in numbered:
        later.setdefault((event.thread, event.call), []).append(stop)
    for (thread, call), group in groupby(numbered, key=lambda pair: (pair[0].thread, pair[0].call)):
        own = [stop for _, stop in group]
        left = later[thread, call]
        del left[: len(own)]
        last = own[-1] if not left and own[-1][0] != "return" else None
        yield Stretch(thread, call, frozenset(left), left[0] if left else None, last)


def _numbered(events: tuple[TraceEvent, ...]) -> Iterator[tuple[TraceEvent, Stop]]:
    counts: Counter[tuple[int, int, str, str]] = Counter()
    for e in events:
        counts[e.thread, e.call, e.kind, e.field] += 1
        yield e, (e.kind, e.field, counts[e.thread, e.call, e.kind, e.field])


# One run -----------------------------------------------------------------------------------------


def _each_instruction(operation: Operation) -> frozenset[int]:
    return _all_below(len(operation.code))


@cache
def _all_below(count: int) -> frozenset[int]:
    return frozenset(range(count))


class _RetargetRun:
    """One run of the other variant under one choice of witnesses."""

    def __init__(
        self, program: Program, schedule: Schedule, recipe: Recipe, choice: MonitorChoice
    ) -> None:
        self.program = program
        self.schedule = schedule
        self.recipe = recipe
        self.choice = choice
        start = Schedule(schedule.vcpus, choice.witnesses, schedule.plans, ())
        self.state = interpreter.initial_state(program, start)
        self.counts: Counter[tuple[int, int, str, str]] = Counter()
        self.issued: Counter[tuple[int, int]] = Counter()
        self.outcomes: dict[tuple[int, int], list[int]] = {}
        for e in recipe.events:
            if e.outcome is not None:
                self.outcomes.setdefault((e.thread, e.call), []).append(e.outcome)
        self.ended = {(e.thread, e.call) for e in recipe.events if e.kind == "return"}
        self.waiting: dict[int, deque[Stretch]] = {}
        self.misfits: dict[str, None] = {}

    def run(self) -> Tried:
        """Follow the recorded run as far as it goes, then let every call come to its end."""
        undefined = ""
        try:
            self._follow()
        except interpreter.Undefined as error:
            span = error.instr.span
            undefined = error.text + ("" if span is None else f" at {span.file}:{span.line}")
        return Tried(self.schedule, self.state, tuple(self.misfits), undefined)

    def _follow(self) -> None:
        for stretch in split_into_stretches(self.recipe):
            self._retry()
            if self.waiting.get(stretch.thread):
                self.waiting[stretch.thread].append(stretch)
            else:
                self._stretch(stretch)
            if self.state.violations:
                return
        self._retry()
        self._end()
        self._finish()

    def _retry(self) -> None:
        """Let threads go on that waited, as long as one of them can."""
        moved = True
        while moved and not self.state.violations:
            moved = False
            for queue in self.waiting.values():
                while queue and self._stretch(queue[0], again=True):
                    queue.popleft()
                    moved = True

    def _stretch(self, stretch: Stretch, *, again: bool = False) -> bool:
        """Let a thread take its turn; return whether it need not wait."""
        ending = self._advance(stretch)
        if ending is Ending.WAITS:
            if not again:
                self.waiting.setdefault(stretch.thread, deque()).append(stretch)
            return False
        if ending is Ending.RETURNED and stretch.first is not None:
            kind, member, _ = stretch.first
            what = f"the {kind} of `{member}`" if member else f"the {kind}"
            self._misfit(f"{self._name(stretch)} is over where it was interrupted before {what}")
        return True

    def _advance(self, stretch: Stretch) -> Ending:
        thread = self.state.threads[stretch.thread]
        while True:
            if self.state.violations:
                return Ending.FAILED
            if thread.operation is None:
                if thread.call >= stretch.call:
                    return Ending.RETURNED
            elif self._stops(stretch, thread.operation.code[thread.pc]):
                return Ending.STOPPED
            try:
                self._step(stretch.thread, thread)
            except interpreter.Stuck as stuck:
                self._waits(stretch, stuck)
                return Ending.WAITS

    def _reached(self, stretch: Stretch, last: Stop) -> bool:
        """Tell whether the last thing that was recorded of a call has happened."""
        kind, member, number = last
        return self.counts[stretch.thread, stretch.call, kind, member] >= number

    def _stops(self, stretch: Stretch, instr: Instr) -> bool:
        """Tell whether an instruction is one that came only after the interruption, or never."""
        over = stretch.last is not None and self._reached(stretch, stretch.last)
        for kind, member in visible_event(instr):
            if over:
                return True
            number = self.counts[stretch.thread, stretch.call, kind, member] + 1
            if (kind, member, number) in stretch.stops:
                return True
        return False

    def _step(self, position: int, thread: interpreter.Thread) -> None:
        instr = None if thread.operation is None else thread.operation.code[thread.pc]
        key = (position, thread.call)
        match instr:
            case Hypercall():
                thread.choices = iter((self._outcome(key),))
            case Havoc():
                thread.choices = iter((self._havoc(key, thread),))
            case _:
                pass
        interpreter.step_thread(self.state, thread, _each_instruction, to_violation=True)
        if instr is None:
            self.counts[position, thread.call, "enter", ""] += 1
        else:
            for kind, member in visible_event(instr):
                self.counts[*key, kind, member] += 1
        if not self.state.violations:
            self._bystander(Role.OBSERVE)

    def _outcome(self, key: tuple[int, int]) -> int:
        """Return how the next hypercall of a call ends; well where none was recorded."""
        self.issued[key] += 1
        recorded = self.outcomes.get(key, [])
        if self.issued[key] <= len(recorded):
            return recorded[self.issued[key] - 1]
        if key in self.ended:
            name = title(self.recipe.threads[key[0]].name)
            more = f"call {key[1] + 1} of {name} issues more hypercalls than were recorded"
            self._misfit(f"{more}; these succeed")
        return 0

    def _havoc(self, key: tuple[int, int], thread: interpreter.Thread) -> int:
        """Return what a monitor chooses; whatever else is free is 0."""
        operation = thread.operation
        assert operation is not None
        match operation.code[thread.pc]:
            case Havoc(Local(origin=CallWitness(witness=witness))):
                return int(self.choice.calls.get(witness, key) == key)
            case _:
                return 0

    def _bystander(self, role: Role) -> None:
        for operation in self.program.of(role):
            number = len(self.state.threads)
            thread = interpreter.Thread(number, (Call(operation.name, {}, ()),))
            interpreter.step_thread(self.state, thread, lambda _: frozenset({0}), to_violation=True)

    def _finish(self) -> None:
        """Let calls that were recorded only in part end, and look at the state that is left."""
        moved = True
        while moved and not self.state.violations:
            moved = False
            for position, thread in enumerate(self.state.threads):
                if thread.operation is None or self.waiting.get(position):
                    continue
                rest = Stretch(position, thread.call, rest=True)
                moved |= self._advance(rest) is Ending.RETURNED
            self._retry()
        if not self.state.violations:
            self._stand_still()

    def _stand_still(self) -> None:
        try:
            self.state.waits = interpreter.pending_waits(self.state)
            self._bystander(Role.DEADLOCK)
        except interpreter.GoesOn:
            pass
        if not self.state.violations:
            self._end()

    def _end(self) -> None:
        """Let claims look at the end, where it is one: every thread is between calls."""
        if all(thread.operation is None for thread in self.state.threads):
            self._bystander(Role.END)

    def _name(self, stretch: Stretch) -> str:
        return f"call {stretch.call + 1} of {title(self.recipe.threads[stretch.thread].name)}"

    def _waits(self, stretch: Stretch, stuck: interpreter.Stuck) -> None:
        fields = {f.name: f for f in self.program.fields}
        if stretch.rest:
            return
        lock = fields[stuck.location[0]].member
        self._misfit(f"{self._name(stretch)} waits for `{lock}`, which another thread holds")

    def _misfit(self, text: str) -> None:
        self.misfits[text] = None


# Witnesses ---------------------------------------------------------------------------------------


def _choices(
    machine: Machine, claim: str, program: Program, recipe: Recipe, run: Tried
) -> Iterator[MonitorChoice]:
    """Yield every choice of witnesses that may matter in a run."""
    stated = machine.setup.claim(claim)
    assert stated is not None
    given = dict(recipe.witnesses)
    flushes = [
        (position, number)
        for position, plan in enumerate(run.schedule.plans)
        for number, c in enumerate(plan.calls)
        if any(o.name == c.operation for o in program.of(Role.FLUSH))
    ]
    values: list[list[MonitorChoice]] = []
    for w in stated.witnesses:
        name = f"{claim}:{w.name}"
        match w.kind:
            case "call":
                values.append([MonitorChoice({}, {w.name: call}) for call in flushes])
            case "access":
                values.append([MonitorChoice(a) for a in _accesses(machine, name, run)])
            case "vcpu":
                values.append([MonitorChoice({name: v}) for v in range(run.schedule.vcpus)])
            case "root":
                roots = sorted({given.get(name, 0), *(v for _, v in recipe.roots)})
                values.append([MonitorChoice({name: r}) for r in roots])
            case _:
                values.append([MonitorChoice({name: given.get(name, 0)})])
    for parts in product(*values):
        witnesses = dict(given)
        calls: dict[str, tuple[int, int]] = {}
        for part in parts:
            witnesses |= part.witnesses
            calls |= part.calls
        yield MonitorChoice(witnesses, calls)


def _accesses(machine: Machine, name: str, run: Tried) -> list[dict[str, int]]:
    """Return the accesses of the code in a run, each as the fields of an access witness."""
    places = {f.name: at for at, f in enumerate(machine.places)}
    held: dict[int, int] = {}
    found: dict[tuple[int, ...], None] = {}
    state = interpreter.initial_state(run.state.program, run.schedule)
    locks = {x: k for k, x in enumerate(state.locks)}
    for h in run.state.happenings:
        location = h.location
        if location in locks and h.value is not None:
            state.memory[location] = h.value
            held[h.thread] = interpreter.lock_set(state, h.thread)
        elif isinstance(h.instr, (Read, Write, Exchange)) and location is not None:
            if location[0] not in places or not any(visible_event(h.instr)):
                continue
            place = places[location[0]] * PLACE_STRIDE + (location[1] or 0)
            found[h.thread + 1, place, *_kind(h.instr), held.get(h.thread, 0)] = None
    parts = ("thread", "place", "write", "once", "locks")
    return [{f"{name}_{p}": v for p, v in zip(parts, a, strict=True)} for a in found]


def _kind(instr: Read | Write | Exchange) -> tuple[int, int]:
    """Return whether it writes, and whether it is made by READ_ONCE or its kin."""
    match instr:
        case Read(mode=mode):
            return 0, int(mode.marked)
        case Write(mode=mode):
            return 1, int(mode.marked)
        case Exchange():
            return 1, 1

"""What a replayed counterexample was made from, in a form that fits other variants too."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter.interpreter import (
    Happening,
    State,
    boot_memory,
    field_locations,
)
from flushproof.engines.schedule import Call, Schedule
from flushproof.ir.code import (
    Access,
    Acquire,
    Enter,
    Exchange,
    Freeing,
    Hypercall,
    Instr,
    Mode,
    Read,
    Release,
    Return,
    TryAcquire,
    Write,
)
from flushproof.ir.program import BYSTANDERS, Operation, Parameters, Program
from flushproof.ir.types import LockWord
from flushproof.results.trace import EventKind, Recipe, RecordedCall, RecordedThread, TraceEvent
from flushproof.verify.trace.value_names import Names, place_name


def record_recipe(program: Program, schedule: Schedule, state: State, names: Names) -> Recipe:
    """Describe the operations, the choices and the visible events of a finished run."""
    operations = {o.name: o for o in program.operations}
    threads = tuple(
        RecordedThread(p.name, p.number, tuple(_call(c, operations[c.operation]) for c in p.calls))
        for p in schedule.plans
    )
    positions = {p.number: at for at, p in enumerate(schedule.plans)}
    bystanders = {o.name for o in program.operations if o.role in BYSTANDERS}
    events = (
        TraceEvent(positions[h.thread], h.call, *_seen, _outcome(h))
        for h in state.happenings
        if h.operation not in bystanders
        for _seen in visible_event(h.instr)
    )
    # Which thread makes a chosen call is seen from the call.
    callers = {f.name for f in program.callers}
    return Recipe(
        witnesses=tuple(sorted((n, x) for n, x in schedule.witnesses.items() if n not in callers)),
        threads=threads,
        events=tuple(events),
        initial=tuple(_initial(program, schedule, names)),
        roots=tuple((letter, value) for value, letter in sorted(names.letters.items())),
    )


def _call(call: Call, operation: Operation) -> RecordedCall:
    arguments = {role: call.arguments[name] for role, name in by_role(operation.parameters).items()}
    return RecordedCall(call.operation, str(operation.role), tuple(sorted(arguments.items())))


def by_role(parameters: Parameters) -> dict[str, str]:
    """Return the names of the parameters that have a role of their own."""
    named = {
        "vcpu": parameters.vcpu,
        "root": parameters.root,
        "whole": parameters.whole,
        "start": parameters.start,
        "pages": parameters.pages,
    }
    return {role: local.name for role, local in named.items() if local is not None}


_KINDS: dict[Freeing, EventKind] = {
    Freeing.LOCKED: "unlock",
    Freeing.STORE: "unlock",
    Freeing.ISSUED: "store",
    Freeing.DRAINED: "drain",
    Freeing.OVERWRITTEN: "drain",
}


def visible_event(instr: Instr) -> Iterator[tuple[EventKind, str]]:  # noqa: C901 - a table
    """Yield the kind and the member of the event that an instruction of the code is, if any."""
    match instr:
        case Enter():
            yield "enter", ""
        case Return():
            yield "return", ""
        case Hypercall():
            yield "hypercall", ""
        case Acquire(field) | TryAcquire(_, field):
            yield "lock", field.member
        case Release(field, freeing=freeing):
            yield _KINDS[freeing], field.member
        case Read(_, field, mode=mode) if mode is not Mode.GHOST and not field.ghost:
            yield "read", field.member
        case Write(field, mode=Mode.DRAIN) if not field.ghost:
            yield "drain", field.member
        case Write(field, mode=mode) if mode is not Mode.GHOST and not field.ghost:
            yield "write", field.member
        case Exchange(_, field):
            yield "write", field.member
        case Access(field, write=wrote):
            yield ("store" if wrote else "read"), field.member
        case _:
            pass


def _outcome(h: Happening) -> int | None:
    return h.value if isinstance(h.instr, Hypercall) else None


def _initial(program: Program, schedule: Schedule, names: Names) -> Iterator[tuple[str, str]]:
    memory = boot_memory(program, schedule.vcpus)
    memory |= {(name, None): value for name, value in schedule.witnesses.items()}
    for field in program.fields:
        if not field.ghost and not isinstance(field.type, LockWord):
            for where in field_locations(field, schedule.vcpus):
                yield place_name(field, where), names.field(field, memory[where])

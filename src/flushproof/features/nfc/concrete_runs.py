"""Both variants run by the interpreter, each for itself, under one schedule of the joint program.

In: a schedule on which the joint program's claim fails. Out: what each variant did, call by call.
The variants run as they are, with their locks; nothing of the joint program is trusted: where the
two runs turn out alike, that is an internal error.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter import interpreter
from flushproof.engines.interpreter.evaluate import LocalValues, evaluate
from flushproof.engines.interpreter.interpreter import Happening
from flushproof.engines.schedule import Call, Schedule
from flushproof.features.nfc.observer import Sight, free_choice_note
from flushproof.features.nfc.operation_pairing import Pair
from flushproof.features.nfc.product_program import NEW, OLD, Product
from flushproof.features.nfc.rename_side import SideNames
from flushproof.ir.code import Access, Field, Havoc, Hypercall, Local, Mode, Return
from flushproof.ir.program import Operation, Program, Role
from flushproof.support.errors import InternalError
from flushproof.support.record import Record, replace
from flushproof.support.source import Span


class Issued(Record, frozen=True):
    """A hypercall: its root and range as the hypervisor sees them, and its result."""

    root: int
    whole: bool
    start: int
    pages: int
    result: int
    span: Span | None

    @property
    def target(self) -> tuple[int, bool, int, int]:
        """What is flushed: of a whole flush the range does not matter."""
        return (self.root, True, 0, 0) if self.whole else (self.root, False, self.start, self.pages)


class CallOutcome(Record, frozen=True):
    """What one call did: `issued` in order, its result, whether it returned and freed its locks."""

    issued: tuple[Issued, ...]
    result: int | None
    returned: bool
    free: bool
    happenings: tuple[Happening, ...]


class Run(Record, frozen=True):
    """One variant's run: what each call did, in order, and the state at the end."""

    program: Program
    schedule: Schedule
    state: interpreter.State
    calls: tuple[CallOutcome, ...]


def whole_operation(_: Operation) -> frozenset[int]:
    """Let each operation be one step."""
    return frozenset({0})


def replay_variants(
    joint: Product, old: Program, new: Program, schedule: Schedule
) -> tuple[Run, Run]:
    """Replay the joint program, then each variant under the same arguments and outcomes.

    Raises:
        InternalError: the joint program does not replay.
    """
    try:
        state = interpreter.replay(joint.program, schedule, whole_operation)
    except (
        interpreter.Stuck,
        interpreter.Undefined,
        interpreter.GoesOn,
        StopIteration,
        KeyError,
    ) as error:
        raise InternalError(f"the difference does not replay: {error!r}") from error
    if not state.violations:
        raise InternalError("the difference does not replay: nothing differs")
    sides = ((OLD, old), (NEW, new))
    first, second = (_run(p, _for_side(joint, schedule, state, names)) for names, p in sides)
    return first, second


# One side's schedule -----------------------------------------------------------------------------


def _for_side(
    joint: Product, schedule: Schedule, state: interpreter.State, names: SideNames
) -> Schedule:
    pairs = {p.name: p for p in joint.pairs}
    plans = tuple(
        replace(
            plan,
            calls=tuple(
                _call(
                    pairs[call.operation],
                    call,
                    names,
                    schedule.vcpus,
                    _choices(state, key, _own_choices(pairs[call.operation], names)),
                )
                for number, call in enumerate(plan.calls)
                for key in ((plan.number, number),)
            ),
        )
        for plan in schedule.plans
    )
    at_boot = {f.name: schedule.witnesses[f.name] for f in joint.program.witnesses if not f.ghost}
    return Schedule(schedule.vcpus, at_boot, plans, schedule.order)


def _call(pair: Pair, call: Call, names: SideNames, vcpus: int, choices: tuple[int, ...]) -> Call:
    given, own = (pair.old_given, pair.old) if names is OLD else (pair.new_given, pair.new)
    known: dict[Local, int] = {p: call.arguments[p.name] for p in pair.parameters.all}
    values = LocalValues(known, vcpus)
    arguments = {p.name: evaluate(e, values) for p, e in given.items()}
    arguments |= {p.name: 0 for p in own.parameters.all if p.name not in arguments}
    return Call(own.name, arguments, choices)


def _own_choices(pair: Pair, names: SideNames) -> frozenset[Local | Field]:
    """Return where the joint operation has one side's free choices: locals, and notes of them."""
    own = pair.old if names is OLD else pair.new
    found: set[Local | Field] = set()
    for instr in own.code:
        match instr:
            case Hypercall(target):
                found.add(names.local(target))
            case Havoc(target):
                found.add(free_choice_note(pair.name, names.local(target)))
            case _:
                pass
    return frozenset(found)


def _choices(
    state: interpreter.State, key: tuple[int, int], own: frozenset[Local | Field]
) -> tuple[int, ...]:
    """Return what one side of one call chose freely, in order."""
    mine = (h for h in state.happenings if (h.thread, h.call) == key)
    return tuple(h.value for h in mine if h.value is not None and _chooses(h, own))


def _chooses(h: Happening, own: frozenset[Local | Field]) -> bool:
    match h.instr:
        case Hypercall(target):
            return target in own
        case Access(field, mode=Mode.GHOST):
            return field in own
        case _:
            return False


# One side's run ----------------------------------------------------------------------------------


def _run(program: Program, schedule: Schedule) -> Run:
    state = interpreter.initial_state(program, schedule)
    return Run(program, schedule, state, tuple(_calls(state, schedule)))


def _calls(state: interpreter.State, schedule: Schedule) -> Iterator[CallOutcome]:
    for position in schedule.order:
        thread = state.threads[position]
        before = len(state.happenings)
        returned = True
        try:
            interpreter.step_thread(state, thread, whole_operation)
        except interpreter.Stuck:
            returned = False
        except (interpreter.Undefined, StopIteration) as error:
            raise InternalError(f"a difference does not replay: {error!r}") from error
        happened = tuple(state.happenings[before:])
        free = all(state.memory[x] == 0 for x in state.locks)
        yield _done(state.program, happened, returned=returned, free=free)
        if not returned:
            return


def _done(
    program: Program,
    happened: tuple[Happening, ...],
    *,
    returned: bool,
    free: bool,
) -> CallOutcome:
    issued = tuple(_issued(h) for h in happened if isinstance(h.instr, Hypercall))
    flushes = any(h.operation in _flushes(program) for h in happened)
    results = [h.value for h in happened if isinstance(h.instr, Return) and flushes]
    return CallOutcome(issued, results[-1] if results else None, returned, free, happened)


def _flushes(program: Program) -> frozenset[str]:
    return frozenset(o.name for o in program.of(Role.FLUSH))


def _issued(h: Happening) -> Issued:
    assert h.root is not None
    assert h.reach is not None
    whole, start, pages = h.reach
    return Issued(h.root, bool(whole), start, pages, h.value or 0, h.instr.span)


# Where they differ -------------------------------------------------------------------------------


class DifferencePlace(Record, frozen=True):
    """The first difference: the number of the call, and of the hypercall in it.

    `hypercall` is None where all hypercalls of the call are alike and its end is not.
    """

    call: int
    hypercall: int | None


def first_difference(old: Run, new: Run, sight: Sight, start: int) -> DifferencePlace:
    """Return where the runs first differ, from call number `start` on.

    Raises:
        InternalError: they do not.
    """
    pairs = list(zip(old.calls, new.calls, strict=False))
    for number, (was, now) in enumerate(pairs[start:], start):
        hypercall = _hypercall(was, now, sight)
        if hypercall is not None or not _end_alike(was, now, sight):
            return DifferencePlace(number, hypercall)
    raise InternalError("a difference does not replay: the runs are alike")


def _end_alike(old: CallOutcome, new: CallOutcome, sight: Sight) -> bool:
    """Tell whether two calls end alike; the result is looked at only where all is."""
    same = (old.returned, old.free) == (new.returned, new.free)
    return same and (sight is not Sight.SEQUENCE or old.result == new.result)


def _hypercall(old: CallOutcome, new: CallOutcome, sight: Sight) -> int | None:
    """Return the number of the first hypercall that differs, None if all are alike."""
    if sight is Sight.SEQUENCE:
        longest = max(len(old.issued), len(new.issued))
        return next((k for k in range(longest) if _at(old, k) != _at(new, k)), None)
    ours, theirs = {i.root for i in old.issued}, {i.root for i in new.issued}
    extra = [k for k, i in enumerate(new.issued) if i.root not in ours]
    lost = [k for k, i in enumerate(old.issued) if i.root not in theirs]
    return min((*extra, *lost), default=None)


def _at(done: CallOutcome, k: int) -> tuple[int, bool, int, int] | None:
    return done.issued[k].target if k < len(done.issued) else None

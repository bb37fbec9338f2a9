"""Two variants run in plain Python under every short schedule: what the comparison has to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations, product

from flushproof.engines.interpreter import interpreter
from flushproof.engines.interpreter.evaluate import LocalValues, evaluate
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.features.nfc.decide import Wanted, compare
from flushproof.features.nfc.observer import Sight
from flushproof.frontend.setup import Bounds, Setup
from flushproof.frontend.spec.resolve import from_text
from flushproof.ir.code import Hypercall, Return
from flushproof.ir.program import Operation, Program, Role
from flushproof.machine.build import Machine, build_machine
from flushproof.results.comparison import Compared, Comparison, Since
from flushproof.results.verdict import ClaimResult
from flushproof.support.source import Source
from flushproof.verify.portfolio import Question, decide_claims
from support.places import SPECS

BOUNDS = Bounds((1, 2), 1, 2, 1)
ROOTS = (0x1000, 0x2000)


def text(name: str) -> str:
    """Return the text of a variant under specs/."""
    return (SPECS / f"{name}.c").read_text(encoding="utf-8")


def machine(code: str, name: str = "x.c") -> Machine:
    """Build a variant from its text."""
    return build_machine(machine_setup(code, name))


def machine_setup(code: str, name: str = "x.c") -> Setup:
    """Return a variant under the built-in set-up."""
    return from_text(Source(name, code), None)


def coverage(bounds: Bounds) -> Callable[[Machine], ClaimResult]:
    """Return how to decide `coverage`."""
    return lambda m: next(decide_claims(m, Question(("coverage",), bounds)))


def found(
    old: Machine,
    new: Machine,
    compared: Compared = Compared.SEQUENCE,
    since: Since = Since.BOOT,
    bounds: Bounds = BOUNDS,
) -> Comparison:
    """Compare two variants as the program does."""
    return compare(old, new, Wanted(compared, since, bounds), coverage(bounds))


# Every short schedule ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Op:
    """A load of a root by a vCPU, or where `vcpu` is -1 a flush with outcomes for its hypercalls.

    The outcomes are by position, or for the first root, the second, and all else.
    """

    vcpu: int
    root: int
    outcomes: tuple[int, ...]
    whole: bool


class Chooser:
    """The free choices of one flush: the results of its hypercalls."""

    def __init__(self, op: Op, thread: list[interpreter.Thread], *, by_root: bool) -> None:
        self.op = op
        self.thread = thread
        self.by_root = by_root
        self.count = 0

    def __iter__(self) -> Chooser:
        return self

    def __next__(self) -> int:
        (thread,) = self.thread
        assert thread.operation is not None
        instr = thread.operation.code[thread.pc]
        assert isinstance(instr, Hypercall)
        self.count += 1
        if not self.by_root:
            return self.op.outcomes[min(self.count, len(self.op.outcomes)) - 1]
        root = evaluate(instr.root, LocalValues(thread.locals, 2)) & ~0xFFF
        return self.op.outcomes[ROOTS.index(root) if root in ROOTS else 2]


def schedules(vcpus: int) -> Iterator[tuple[Op, ...]]:
    """Every order of at most one load a vCPU and two flushes."""
    one, other, bad = (0, 0, 0), (0, -5, 0), (-5, 7, 0)
    flushes = [Op(-1, 0, p, w) for p, w in ((one, True), (other, False), (bad, True))]
    for loads in product((None, *ROOTS), repeat=vcpus):
        begun = [Op(v, r, (), whole=True) for v, r in enumerate(loads) if r is not None]
        for pair in product(flushes, repeat=2):
            yield from _orders(begun, pair)


def _orders(loads: list[Op], flushes: tuple[Op, ...]) -> Iterator[tuple[Op, ...]]:
    """Every order in which the two flushes stay as they are."""
    count = len(loads) + len(flushes)
    for places in permutations(range(count), len(loads)):
        order: list[Op | None] = [None] * count
        for place, load in zip(places, loads, strict=True):
            order[place] = load
        left = iter(flushes)
        yield tuple(next(left) if op is None else op for op in order)


@dataclass(frozen=True)
class Seen:
    """What one call did: its hypercalls with ranges, its result, how it ended."""

    calls: tuple[tuple[int | None, tuple[int, int, int]], ...]
    result: int | None
    ended: str


def behaviour(program: Program, ops: tuple[Op, ...], vcpus: int, *, by_root: bool) -> list[Seen]:
    """Return what each call does: its hypercalls with ranges, its result, how it ends."""
    box: list[interpreter.Thread] = []
    names = {role: program.of(role)[0] for role in (Role.LOAD, Role.FLUSH)}
    plans = tuple(
        ThreadPlan(k, "t", (Call(_operation(names, op).name, _given(names, op), ()),))
        for k, op in enumerate(ops)
    )
    state = interpreter.initial_state(program, Schedule(vcpus, {}, plans, ()))
    out: list[Seen] = []
    for k, op in enumerate(ops):
        thread = state.threads[k]
        box[:] = [thread]
        chooser = Chooser(op, box, by_root=by_root)
        call = thread.calls[0]
        thread.calls = (Call(call.operation, call.arguments, chooser),)  # type: ignore[arg-type]
        before = len(state.happenings)
        try:
            interpreter.step_thread(state, thread, lambda _: frozenset({0}))
            ended = "returns" if all(state.memory[x] == 0 for x in state.locks) else "keeps"
        except interpreter.Stuck:
            ended = "hangs"
        out.append(_seen(state.happenings[before:], ended, flush=op.vcpu < 0))
        if ended != "returns":
            break
    return out


def _operation(names: dict[Role, Operation], op: Op) -> Operation:
    return names[Role.FLUSH if op.vcpu < 0 else Role.LOAD]


def _given(names: dict[Role, Operation], op: Op) -> dict[str, int]:
    p = _operation(names, op).parameters
    given = {x.name: 0 for x in p.all}
    for local, value in ((p.vcpu, op.vcpu), (p.root, op.root), (p.whole, int(op.whole))):
        if local is not None:
            given[local.name] = value
    for local, value in ((p.start, 3), (p.pages, 4)):
        if local is not None:
            given[local.name] = value
    return given


def _seen(happened: list[interpreter.Happening], ended: str, *, flush: bool) -> Seen:
    issued = [(h.root, h.reach) for h in happened if h.reach is not None]
    calls = tuple((root, (1, 0, 0) if reach[0] else reach) for root, reach in issued)
    results = [h.value for h in happened if isinstance(h.instr, Return) and flush]
    return Seen(calls, results[-1] if results else None, ended)


def differ(old: Machine, new: Machine, sight: Sight, since: Since) -> bool:
    """Tell whether some short schedule tells the two apart (for `subset`: is no refinement)."""
    programs = (old.with_claims(()), new.with_claims(()))
    by_root = sight is not Sight.SEQUENCE
    for vcpus in (1, 2):
        for ops in schedules(vcpus):
            first = next((k for k, o in enumerate(ops) if o.vcpu >= 0), len(ops)) + 1
            start = first if since is Since.LOAD else 0
            a, b = (behaviour(p, ops, vcpus, by_root=by_root) for p in programs)
            pairs = list(zip(a, b, strict=False))[start:]
            if any(_unlike(x, y, sight) for x, y in pairs):
                return True
    return False


def _unlike(old: Seen, new: Seen, sight: Sight) -> bool:
    ended = old.ended != new.ended
    match sight:
        case Sight.SEQUENCE:
            return old != new
        case Sight.SET:
            return ended or {r for r, _ in old.calls} != {r for r, _ in new.calls}
        case Sight.SUBSET:
            worse = bool(new.result) and not old.result
            return ended or worse or not set(new.calls) <= set(old.calls)

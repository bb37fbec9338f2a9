"""Why steps begin where they do, from what was found about the moves of each access.

In: a program and the `Atomicity` of its plan. Out: `atomic.Steps`. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flushproof.engines.reduction.commutativity import ThreadCounts
from flushproof.frontend.setup import Bounds
from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.held_locks import Held, Hold, surely_held
from flushproof.ir.code import (
    Acquire,
    Available,
    BeginAtomic,
    Enter,
    Exchange,
    Fence,
    Field,
    FieldScope,
    Freeing,
    Hypercall,
    Instr,
    Mode,
    Read,
    Release,
    Return,
    Write,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.machine.build import Machine
from flushproof.results.atomicity import AccessNote, AtomicSteps, FieldLocks, Moving, OperationSteps
from flushproof.support.source import Span

if TYPE_CHECKING:
    from flushproof.engines.reduction.atomicity import Atomicity, Mover
    from flushproof.engines.reduction.commutativity import Site


class Explainer:
    """Words for one program and what was found about it."""

    def __init__(self, program: Program, found: Atomicity) -> None:
        self.program = program
        self.found = found
        self.acting = tuple(o for o in program.operations if o.role in (Role.LOAD, Role.FLUSH))
        self.named = {o.name: o for o in program.operations}
        self.held = surely_held(program.operations)
        self.may_wait = bool(program.of(Role.DEADLOCK)) or not found.patient
        self.labels = {f.name: f.label for f in program.fields}
        self.movers = {(s.operation, s.at): m for s, m in found.movers.items()}

    def operations(self) -> tuple[OperationSteps, ...]:
        """Return the steps of each operation."""
        return tuple(self._operation(o) for o in self.acting)

    def fields(self) -> tuple[FieldLocks, ...]:
        """Return the locks of each field that some operation writes."""
        places: dict[Field, list[tuple[Operation, int]]] = {}
        for operation in self.acting:
            for at, instr in enumerate(operation.code):
                if isinstance(instr, (Read, Write, Exchange)) and _plain(instr):
                    places.setdefault(instr.field, []).append((operation, at))
        written = [f for f, where in places.items() if any(_writes(o.code[k]) for o, k in where)]
        return tuple(self._locks(f, places[f]) for f in sorted(written, key=lambda f: f.name))

    # Steps -----------------------------------------------------------------------------------

    def _operation(self, operation: Operation) -> OperationSteps:
        starts = sorted(self.found.boundaries[operation.name])
        begins = tuple(self._begins(operation, at) for at in starts)
        accesses = tuple(self._accesses(operation, starts))
        return OperationSteps(operation.name, operation.word, operation.span, accesses, begins)

    def _accesses(self, operation: Operation, starts: list[int]) -> Iterator[AccessNote]:
        regions = [_region(operation, at, frozenset(starts)) for at in starts]
        for at, instr in enumerate(operation.code):
            mover = self.movers.get((operation.name, at))
            steps = tuple(k for k, region in enumerate(regions, 1) if at in region)
            if mover is not None and instr.span is not None and _does(instr):
                yield AccessNote(instr.span, _does(instr), _moving(mover), steps)

    def _begins(self, operation: Operation, at: int) -> tuple[str, ...]:
        if at == 0:
            return ()
        instr, held = operation.code[at], self.held[operation.name][at]
        if isinstance(instr, Acquire) and (held or self.may_wait):
            while_ = f" while it holds {self._all(held)}" if held else ""
            return (f"it may wait here for `{_label(instr.field)}`{while_}",)
        if at in self.found.endless[operation.name]:
            return ("the loop that begins here may not end, and others go on meanwhile",)
        obstacles: dict[str, list[Span | None]] = {}
        for other in self.movers[operation.name, at].later:
            its = self.named[other.operation].code[other.at]
            obstacles.setdefault(self._obstacle(operation, at, other), []).append(its.span)
        return tuple(text.format(_where(s, instr.span)) for text, s in obstacles.items())

    def _obstacle(self, operation: Operation, at: int, other: Site) -> str:
        """Say why something cannot be made before what another thread did, its place left open."""
        mine = operation.code[at]
        its = self.named[other.operation].code[other.at]
        name = f"{other.operation}()"
        if isinstance(mine, Acquire) and isinstance(its, Release):
            return f"`{mine.field.label}` is free only after {name} has released it {{}}"
        field = _field(mine)
        if field is None or field != _field(its):
            what = _does(its) or "goes on"
            return f"it makes a difference whether {name} {what} {{}} before or after this"
        held = self.held[operation.name][at], self.held[other.operation][other.at]
        here = f"`{_label(field)}` is {'written' if _writes(mine) else 'read'} here"
        return f"{here} {self._apart(*held, f'{name} {_verb(its)} it {{}}')}"

    def _apart(self, mine: Held, theirs: Held, there: str) -> str:
        """Say how locks fail to keep two accesses apart."""
        if mine & theirs:
            return f"and {there}, both under {self._all(mine & theirs)}"
        if theirs and mine:
            return f"under {self._all(mine)}, and {there} under {self._all(theirs)}"
        if theirs:
            return f"without {self._all(theirs)}, under which {there}"
        if mine:
            return f"under {self._all(mine)}, without which {there}"
        return f"without a lock, and {there}"

    def _all(self, held: Held) -> str:
        return " and ".join(map(self._one, sorted(held)))

    def _one(self, hold: Hold) -> str:
        return f"`{self.labels[hold.lock]}`{' as a reader' if hold.shared else ''}"

    # Fields ----------------------------------------------------------------------------------

    def _locks(self, field: Field, places: list[tuple[Operation, int]]) -> FieldLocks:
        held = [self.held[o.name][at] for o, at in places]
        common = frozenset.intersection(*(frozenset(h.lock for h in locks) for locks in held))
        bare: dict[str, list[Span | None]] = {}
        for (o, at), locks in zip(places, held, strict=True):
            if not locks:
                does = f"{o.name}() {_verb(o.code[at])} it"
                bare.setdefault(does, []).append(o.code[at].span)
        home = places[0][0].span
        names = tuple(self.labels[name] for name in sorted(common))
        texts = (f"{does} {_where(spans, home)}" for does, spans in bare.items())
        return FieldLocks(_label(field), names, tuple(texts))


def _region(operation: Operation, start: int, boundaries: frozenset[int]) -> frozenset[int]:
    """Return the positions that a step may reach."""
    return reachable_positions(operation.code, start, boundaries) | {start}


def _moving(mover: Mover) -> Moving:
    if mover.right and mover.left:
        return "both"
    if mover.right:
        return "right"
    return "left" if mover.left else "neither"


def _where(spans: Sequence[Span | None], seen_from: Span | None) -> str:
    """Return such as "in line 3", "in lines 3 and 5", "in lines 3 and other.c:5"."""
    known = [s for s in spans if s is not None]
    file = "" if seen_from is None else seen_from.file
    texts = [str(s.line) if s.file == file else f"{s.file}:{s.line}" for s in known]
    *early, last = dict.fromkeys(texts)
    lines = f"{', '.join(early)} and {last}" if early else last
    return f"in line{'s' if early else ''} {lines}"


def _does(instr: Instr) -> str:
    match instr:
        case Enter():
            return "begins"
        case Return():
            return "returns"
        case Hypercall():
            return "issues a hypercall"
        case Fence():
            return "is a full barrier"
        case BeginAtomic():
            return "begins an atomic block"
        case Read(field=f) | Write(field=f) | Exchange(field=f):
            return f"{_verb(instr)} `{_label(f)}`"
        case Acquire(field=f) | Available(field=f) | Release(field=f):
            return f"{_verb(instr)} `{_label(f)}`"
        case _:
            return ""


def _verb(instr: Instr) -> str:
    match instr:
        case Read():
            return "reads"
        case Write():
            return "writes"
        case Exchange():
            return "exchanges"
        case Acquire():
            return "takes"
        case Available():
            return "looks at"
        case Release(freeing=Freeing.ISSUED):
            return "puts the unlock into its store buffer of"
        case Release():
            return "releases"
        case _:
            return "touches"


def _field(instr: Instr) -> Field | None:
    match instr:
        case Read() | Write() | Exchange() | Acquire() | Available() | Release():
            return instr.field
        case _:
            return None


def _label(field: Field) -> str:
    indexed = field.scope is FieldScope.VCPU and not field.twofold
    return f"{field.label}[vcpu]" if indexed else field.label


def _plain(instr: Read | Write | Exchange) -> bool:
    ghost = isinstance(instr, (Read, Write)) and instr.mode is Mode.GHOST
    return not ghost and not instr.field.ghost


def _writes(instr: Instr) -> bool:
    return isinstance(instr, (Write, Exchange))


def atomic_steps(machine: Machine, claim: str, bounds: Bounds) -> AtomicSteps:
    """Return the atomic steps as a claim sees them, without any claim where its name is empty."""
    from flushproof.engines.reduction.step_plan import make_plan

    machine = machine.within(bounds)
    program = machine.with_claim(claim) if claim else machine.with_claims(())
    population = ThreadCounts(bounds.vcpus[1], bounds.flushers)
    found = make_plan(program, population).atomicity
    assert found is not None
    words = Explainer(program, found)
    return AtomicSteps(claim, bounds.vcpus[1], bounds.flushers, words.operations(), words.fields())

"""One thread's program as a sequence of symbolic steps.

The code of each call is unrolled and cut at boundary positions. Each step is executed once, from
unknown inputs (the shared locations it reads first) to outputs, with all its paths merged; what the
scheduler later decides is only when the step happens, that is, what its inputs are.
"""

from __future__ import annotations

from collections.abc import Mapping

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.cells import VcpuCells
from flushproof.engines.symbolic.locations import ELSEWHERE, SHARED, Cell, Location, OwnCell
from flushproof.engines.symbolic.values import Algebra, Unfit, Value
from flushproof.ir.code import Field, Instr, Local
from flushproof.ir.program import Program, Role
from flushproof.ir.types import LockWord, Type
from flushproof.support.record import Record, field
from flushproof.support.source import Span


class Readers(Record, frozen=True):
    """The cells of a lock that tell how many times threads are its readers.

    `threads` are cells, each with the number of its thread, all different; `rest` says that there
    is one for all other threads together.
    """

    threads: tuple[tuple[Cell, t.Number], ...]
    rest: bool = False

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells."""
        return (*(k for k, _ in self.threads), *((ELSEWHERE,) if self.rest else ()))

    def of(self, thread: t.Number) -> tuple[tuple[Cell, t.Bool], ...]:
        """Return the cells that may be a thread's, each with the condition that it is."""
        sure = [k for k, number in self.threads if t.is_same_number(thread, number)]
        if sure:
            return ((sure[0], True),)
        found = ((k, t.compare_numbers("==", thread, number)) for k, number in self.threads)
        return tuple((k, same) for k, same in found if same is not False)


class World(Record, frozen=True):
    """What is the same for all threads of a run.

    `count` vCPUs exist, `vcpus` at most where that is known (else 0); `readers` are the cells of
    locks that have readers, `cells` represents per-vCPU fields; `fixed` are the values of locations
    that nothing writes.
    """

    program: Program
    algebra: Algebra
    vcpus: int
    readers: Readers
    count: t.Number
    cells: VcpuCells
    fixed: Mapping[Location, Value]

    def places(self, f: Field) -> tuple[Location, ...]:
        """Return every location of a field."""
        return (*self.cells.places(f), *self.reads(f))

    def reads(self, f: Field) -> tuple[Location, ...]:
        """Return the locations that tell of a lock's readers; none where nobody takes it."""
        shared = (
            isinstance(f.type, LockWord) and f.type.shared and (f.name, SHARED) not in self.fixed
        )
        return tuple((f.name, k) for k in self.readers.cells) if shared else ()

    def unknown(self, name: str, where: Location) -> Value:
        """Return a new unknown for a location."""
        f = next(f for f in self.program.fields if f.name == where[0])
        return self.cells.unknown(name, f)

    def indices(self, f: Field) -> tuple[int | None, ...]:
        """Return the vCPUs of which each has the field, None for the VM."""
        cells = (cell for _, cell in self.cells.places(f))
        return tuple(cell.number if isinstance(cell, OwnCell) else None for cell in cells)


class FreeChoice(Record, frozen=True):
    """A free value taken on the way, when `guard` holds."""

    guard: t.Bool
    value: Value
    type: Type
    hypercall: bool


class AssertionFailure(Record, frozen=True):
    """A claim's assertion at position `at` fails in this step when `broken` holds."""

    claim: str
    broken: t.Bool
    at: int
    span: Span | None


class Fault(Record, frozen=True):
    """Undefined behaviour in this step when `broken` holds."""

    text: str
    broken: t.Bool
    instr: Instr


class LoopCut(Record, frozen=True):
    """A loop, by the place of its head, of which only so many rounds were looked at."""

    span: Span | None
    rounds: int

    def words(self) -> str:
        """Say that nothing is known of what comes after them."""
        where = "" if self.span is None else f" at {self.span.file}:{self.span.line}"
        return f"the loop{where} may go on after {self.rounds} rounds, which is not looked at"


class SymbolicStep(Record):
    """A step of one thread.

    `guard`: control reaches it (over the thread's earlier inputs). `inputs`: the unknowns that
    stand for the locations read. `outputs`: the values of the locations written, if the
    guard holds.
    `enabled`: every lock it takes is free when it does. `first` marks the start of call `call`,
    `waits` a step that begins by taking a lock.
    `others`: inputs that stand for cells of vCPUs without one of their own, with the vCPU's number.
    `overflows`: where sums are noted, positions and what was noted there.
    """

    call: int
    operation: str
    at: int
    guard: t.Bool
    first: bool
    waits: bool = False
    inputs: dict[Location, Value] = field(default_factory=dict)
    outputs: dict[Location, Value] = field(default_factory=dict)
    enabled: t.Bool = True
    claimed: list[AssertionFailure] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    choices: list[FreeChoice] = field(default_factory=list)
    exits: list[tuple[t.Bool, dict[Local, Value]]] = field(default_factory=list)
    others: list[tuple[Location, t.Number]] = field(default_factory=list)
    overflows: list[tuple[int, Unfit]] = field(default_factory=list)


class ThreadSteps(Record, frozen=True):
    """A thread: its steps in order, and constraints on unknowns.

    For each call there are its arguments, keyed "operation/parameter", and one condition for each
    of `operations` that says that this is the one called. `cut` are loops that may go on.
    """

    number: int
    name: str
    role: Role
    steps: tuple[SymbolicStep, ...]
    arguments: tuple[dict[str, Value], ...]
    operations: tuple[str, ...]
    selectors: tuple[tuple[t.Bool, ...], ...]
    constraints: tuple[z3.BoolRef, ...]
    cut: tuple[LoopCut, ...] = ()

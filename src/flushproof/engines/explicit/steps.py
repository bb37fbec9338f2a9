"""Steps of the interpreter, each run once for what it reads and then looked up.

What a step does depends on where its thread is, the values of its live locals, the cells it reads,
and its free choices, in the order in which it asks for them. That order makes a decision tree for
each place of a thread (`Point`); `concrete.step_thread` is run only where the tree has no branch
yet. So the interpreter alone says what instructions mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.engines.explicit.accesses import is_access
from flushproof.engines.explicit.domains import ValueSets, any_value
from flushproof.engines.interpreter import interpreter
from flushproof.engines.interpreter.interpreter import Happening, Location
from flushproof.ir.code import Havoc, Hypercall, Instr, Local
from flushproof.ir.passes.cleanup import live_locals
from flushproof.ir.program import Operation, Program
from flushproof.support.record import Record, field

UNSET = -(1 << 70)
"""The value of a witness that nothing has looked at so far."""

IDLE = 0
"""The point of a thread between calls."""

State = tuple[int, ...]


class Leaf(Record, frozen=True):
    """The end of a step: the cells it changes and where its thread is then.

    `blocked`: it waits for a lock. `undefined`: what C leaves undefined, "" if nothing, and
    `culprit` the instruction that does it.
    """

    writes: tuple[tuple[int, int], ...] = ()
    point: int = IDLE
    blocked: bool = False
    violated: bool = False
    undefined: str = ""
    culprit: Instr | None = None

    @property
    def in_claim(self) -> bool:
        """Tell whether it is a claim that does something undefined."""
        return self.culprit is not None and self.culprit.from_claim


class CellLook(Record):
    """The step asks for a cell."""

    cell: int
    branches: dict[int, Node] = field(default_factory=dict)


class Pick(Record):
    """The step makes a free choice."""

    options: tuple[int, ...]
    branches: dict[int, Node] = field(default_factory=dict)


Node = Leaf | CellLook | Pick
Trail = list[tuple[CellLook | Pick, int]]


class Point(Record, frozen=True):
    """Where a thread is: a position in an operation with the values of its live locals."""

    thread: int
    operation: int
    pc: int
    locals: tuple[tuple[Local, int], ...]


class _Ask(Exception):  # noqa: N818 - a question, no error
    """The step asks for something that is not known: a choice, or a witness."""

    def __init__(self, node: CellLook | Pick) -> None:
        super().__init__()
        self.node = node


class _Memory(dict[Location, int]):
    """Memory that notes the first look at each cell in a trail."""

    def __init__(
        self, cells: Mapping[Location, int], fixed: Mapping[Location, int], state: State
    ) -> None:
        super().__init__(fixed)
        self.cells = cells
        self.state = state
        self.trail: Trail = []
        self.changed: dict[int, int] = {}

    def __missing__(self, where: Location) -> int:
        cell = self.cells[where]
        value = self.state[cell]
        if value == UNSET:
            raise _Ask(CellLook(cell))
        self.trail.append((CellLook(cell), value))
        super().__setitem__(where, value)
        return value

    def __setitem__(self, where: Location, value: int) -> None:
        # The interpreter writes back what it reads.
        if self.get(where) != value:
            super().__setitem__(where, value)
            self.changed[self.cells[where]] = value


class ExplicitSteps:
    """All steps of one program for one number of vCPUs.

    `cells` numbers the locations that change or that are witnesses, `fixed` are the other ones.
    """

    def __init__(
        self,
        program: Program,
        vcpus: int,
        cells: Mapping[Location, int],
        fixed: Mapping[Location, int],
        boundaries: Mapping[str, frozenset[int]],
        claim: str | None,
        values: ValueSets,
    ) -> None:
        self.program = program
        self.vcpus = vcpus
        self.claim = claim
        self.values = values
        self.cells = cells
        self.fixed = fixed
        self.boundaries = boundaries
        self.locks = interpreter.lock_locations(program, vcpus)
        self.live = tuple(live_locals(o.code) for o in program.operations)
        self.points: list[Point | None] = [None]
        self.numbers: dict[Point, int] = {}
        self.trees: list[Node | None] = [None]
        self.accesses: set[tuple[int, Happening, int]] = set()

    def point(self, thread: int, operation: int, pc: int, values: Mapping[Local, int]) -> int:
        """Return the number of a point; locals that are not read any more make no difference."""
        live = self.live[operation][pc]
        kept = sorted(((x, v) for x, v in values.items() if x in live), key=_local_name)
        point = Point(thread, operation, pc, tuple(kept))
        number = self.numbers.setdefault(point, len(self.points))
        if number == len(self.points):
            self.points.append(point)
            self.trees.append(None)
        return number

    def outcomes(
        self, number: int, state: State, witnesses: Mapping[int, tuple[tuple[int, ...], ...]]
    ) -> list[tuple[Leaf, State, tuple[int, ...]]]:
        """Return every way to make the step from a point, the free choices last.

        `witnesses` gives for the cell of a witness all values of its group, each after the number
        of the group's first cell. The states returned are `state` with the witnesses chosen that
        were asked for, without the writes of the step.
        """
        usual = self._descend(number, state, ())
        if isinstance(usual, Leaf):
            return [(usual, state, ())]
        out: list[tuple[Leaf, State, tuple[int, ...]]] = []
        pending: list[tuple[State, tuple[int, ...]]] = [(state, ())]
        while pending:
            here, choices = pending.pop()
            match self._descend(number, here, choices):
                case None:
                    self._learn(number, here, choices)
                    pending.append((here, choices))
                case Leaf() as leaf:
                    out.append((leaf, here, choices))
                case CellLook(cell):
                    pending += _chosen(here, choices, witnesses[cell])
                case Pick(options):
                    pending += [(here, (*choices, o)) for o in options]
        return out

    def _descend(self, number: int, state: State, choices: tuple[int, ...]) -> Node | None:
        """Go down a point's tree to a leaf, to an open question, or to where nothing is known."""
        node = self.trees[number]
        taken = 0
        while node is not None:
            if isinstance(node, Leaf):
                return node
            if isinstance(node, CellLook):
                value = state[node.cell]
                if value == UNSET:
                    return node
            elif taken == len(choices):
                return node
            else:
                value = choices[taken]
                taken += 1
            node = node.branches.get(value)
        return None

    # Learning --------------------------------------------------------------------------------

    def _learn(self, number: int, state: State, choices: tuple[int, ...]) -> None:
        """Run the interpreter and put what it did into the tree of the point."""
        point = self.points[number]
        assert point is not None
        memory = _Memory(self.cells, self.fixed, state)
        try:
            end: Node = self._run(point, memory, choices)
        except _Ask as question:
            end = question.node
        node = self.trees[number]
        if not memory.trail:
            self.trees[number] = node or end
            return
        if node is None:
            node = self.trees[number] = memory.trail[0][0]
        for at, (_, value) in enumerate(memory.trail):
            assert not isinstance(node, Leaf)
            last = at + 1 == len(memory.trail)
            node = node.branches.setdefault(value, end if last else memory.trail[at + 1][0])

    def _run(self, point: Point, memory: _Memory, choices: tuple[int, ...]) -> Leaf:
        operation = self.program.operations[point.operation]
        thread = interpreter.Thread(point.thread, (), 0, operation, point.pc, dict(point.locals))
        thread.choices = self._choices(thread, memory.trail, choices)
        state = interpreter.State(self.program, self.vcpus, memory, self.locks, [thread])
        undefined, culprit = "", None
        try:
            interpreter.step_thread(state, thread, self._boundaries)
        except interpreter.Stuck:
            return Leaf(blocked=True)
        except interpreter.Endless:
            raise
        except interpreter.Undefined as error:
            undefined, culprit = error.text, error.instr
        self._note_accesses(point.thread, state)
        after = IDLE
        if thread.operation is not None:
            after = self.point(point.thread, point.operation, thread.pc, thread.locals)
        writes = tuple(sorted(memory.changed.items()))
        violated = any(v.claim == self.claim for v in state.violations)
        return Leaf(writes, after, violated=violated, undefined=undefined, culprit=culprit)

    def _boundaries(self, operation: Operation) -> frozenset[int]:
        return self.boundaries[operation.name]

    def _choices(
        self, thread: interpreter.Thread, trail: Trail, given: tuple[int, ...]
    ) -> Iterator[int]:
        for value in given:
            trail.append((Pick(self._options(thread)), value))
            yield value
        raise _Ask(Pick(self._options(thread)))

    def _options(self, thread: interpreter.Thread) -> tuple[int, ...]:
        assert thread.operation is not None
        match thread.operation.code[thread.pc]:
            case Havoc(target):
                return any_value(target.type, self.vcpus, self.values)
            case Hypercall():
                return self.values.results
            case other:
                raise TypeError(f"`{other}` makes no choice")

    def _note_accesses(self, thread: int, state: interpreter.State) -> None:
        """Remember accesses; locks change only where a step begins, so its end tells the holder.

        Only who looks for a race asks for them. What else looks at no lock is the same step
        whoever holds it.
        """
        found = [h for h in state.happenings if is_access(h)] if self.program.accesses else []
        if found:
            held = interpreter.lock_set(state, thread)
            self.accesses.update((thread, h, held) for h in found)


def _local_name(entry: tuple[Local, int]) -> str:
    return entry[0].name


def _chosen(
    state: State, choices: tuple[int, ...], values: tuple[tuple[int, ...], ...]
) -> Iterator[tuple[State, tuple[int, ...]]]:
    """Yield the state with each value of a group of witnesses, given as (first cell, value...)."""
    for first, *given in values:
        after = (*state[:first], *given, *state[first + len(given) :])
        yield after, choices

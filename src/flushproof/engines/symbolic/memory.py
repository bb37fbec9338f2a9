"""Shared memory as one step sees it: unknown inputs until it writes."""

from __future__ import annotations

from collections.abc import Mapping

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.cells import Holds, Reads
from flushproof.engines.symbolic.locations import Location, UnseenCell, location_name
from flushproof.engines.symbolic.paths import Path
from flushproof.engines.symbolic.step import SymbolicStep, World
from flushproof.engines.symbolic.values import Value
from flushproof.ir.code import Field
from flushproof.support.record import Record


class PathMemory:
    """Reads and writes locations on the paths of one step; `label` makes names unique.

    `start` gives the values of some locations at its beginning; what is found to constrain unknowns
    is put into `constraints`.
    """

    def __init__(
        self,
        world: World,
        step: SymbolicStep,
        label: str,
        start: Mapping[Location, Value],
        constraints: list[z3.BoolRef],
    ) -> None:
        self.world = world
        self.algebra = world.algebra
        self.fields = {f.name: f for f in world.program.fields}
        self.step = step
        self.label = label
        self.start = start
        self.constraints = constraints
        self.forgotten: set[str] = set()
        self.unknowns = 0

    def input(self, where: Location) -> Value:
        """Return what a location holds when the step begins."""
        if where in self.world.fixed:
            return self.world.fixed[where]
        if where in self.start:
            return self.start[where]
        if where not in self.step.inputs:
            name = f"{location_name(where)}@{self.label}"
            self.step.inputs[where] = self.world.unknown(name, where)
        return self.step.inputs[where]

    def peek(self, path: Path, where: Location) -> Value:
        """Return what a location holds on a path."""
        if where not in path.memory:
            path.memory[where] = self.input(where)
        return path.memory[where]

    def load(self, path: Path, f: Field, index: t.Number | None) -> Value:
        """Return the value of a field, of vCPU `index` where it belongs to one, else of None."""
        return self.world.cells.load(_View(self, path), f, index)

    def save(self, path: Path, f: Field, index: t.Number | None, value: Value) -> None:
        """Give a field a new value."""
        self.world.cells.save(_View(self, path), f, index, value)

    def every(self, path: Path, reads: Reads, holds: Holds) -> t.Bool:
        """Return the condition that `holds` is true at every vCPU."""
        return self.world.cells.every(_View(self, path), reads, holds)

    def other(self, f: Field, index: t.Number) -> Value:
        """Return what `f[index]` held at the start of the step, of a vCPU without cells."""
        stale = f.name in self.forgotten
        for where, known in self.step.others:
            if where[0] == f.name and not stale and t.compare_numbers("==", known, index) is True:
                return self.input(where)
        self.unknowns += 1
        where = (f.name, UnseenCell(self.unknowns))
        if not stale:
            self.step.others.append((where, index))
        return self.input(where)


class _View(Record, frozen=True):
    """The memory of one path, as `cells.py` sees it."""

    memory: PathMemory
    path: Path

    def peek(self, where: Location) -> Value:
        return self.memory.peek(self.path, where)

    def put(self, where: Location, value: Value) -> None:
        self.path.memory[where] = value

    def other(self, f: Field, index: t.Number) -> Value:
        return self.memory.other(f, index)

    def forget(self, f: Field) -> None:
        self.memory.forgotten.add(f.name)

    def require(self, condition: t.Bool) -> None:
        if condition is not True:
            self.memory.constraints.append(t.z3_bool(condition))

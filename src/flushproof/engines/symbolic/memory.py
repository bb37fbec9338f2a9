"""Shared memory as one step sees it: unknown inputs until it writes."""

from __future__ import annotations

from collections.abc import Mapping

import z3

from flushproof.engines.symbolic.paths import Path
from flushproof.engines.symbolic.steps import Location, Step, World
from flushproof.engines.symbolic.values import Value
from flushproof.ir.code import Field, Scope


class Memory:
    """Reads and writes locations on the paths of one step; `label` makes names unique."""

    def __init__(self, world: World, fields: Mapping[str, Field], step: Step, label: str) -> None:
        self.world = world
        self.algebra = world.algebra
        self.fields = fields
        self.step = step
        self.label = label

    def input(self, where: Location) -> Value:
        """Return what a location holds when the step begins."""
        if where in self.world.fixed:
            return self.world.fixed[where]
        if where not in self.step.inputs:
            f = self.fields[where[0]]
            name = f"{where[0]}[{where[1]}]@{self.label}"
            kind = self.algebra.kinds.field(f)
            self.step.inputs[where] = self.algebra.fresh(name, f.type, kind)
        return self.step.inputs[where]

    def peek(self, path: Path, where: Location) -> Value:
        """Return what a location holds on a path."""
        if where not in path.memory:
            path.memory[where] = self.input(where)
        return path.memory[where]

    def load(self, path: Path, f: Field, index: int | z3.ArithRef) -> Value:
        """Return the value of a field, of vCPU `index` where it belongs to one."""
        if f.name in self.world.focus:
            return self.peek(path, (f.name, -1))
        if isinstance(index, int):
            known = -1 if f.scope is Scope.VM else min(max(index, 0), self.world.vcpus - 1)
            return self.peek(path, (f.name, known))
        value = self.peek(path, (f.name, self.world.vcpus - 1))
        for v in range(self.world.vcpus - 2, -1, -1):
            here = self.peek(path, (f.name, v))
            value = self.algebra.ite(index == v, here, value)
        return value

    def save(self, path: Path, f: Field, index: int | z3.ArithRef, value: Value) -> None:
        """Give a field a new value."""
        witness = self.world.focus.get(f.name)
        if witness is not None:
            where = (f.name, -1)
            here = self.algebra.equal(self.world.fixed[witness, -1], index)
            path.memory[where] = self.algebra.ite(here, value, self.peek(path, where))
            return
        if isinstance(index, int):
            if f.scope is Scope.VM or 0 <= index < self.world.vcpus:
                path.memory[f.name, index] = value
            return
        for v in range(self.world.vcpus):
            where = (f.name, v)
            path.memory[where] = self.algebra.ite(index == v, value, self.peek(path, where))

"""How the cells of per-vCPU fields are represented while a step is executed.

`FiniteCells`: one cell for each of a few vCPUs. `Arrays`: one array a field, for any number of
vCPUs. `TrackedCells`: the cells of some vCPUs named by terms; what other vCPUs hold is unknown
(cell morphing, Monniaux and Gonnord, SAS 2016).

Lemma L18 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locations import SHARED, Location, OwnCell
from flushproof.engines.symbolic.values import Algebra, Root, Value
from flushproof.ir.code import Field, FieldScope, Local
from flushproof.support.record import Record

Reads = tuple[tuple[Local, Field], ...]
Holds = Callable[[dict[Local, Value], t.Number], t.Bool]
"""Whether a condition holds at a vCPU, given what its reads yield there."""


class MemoryView(Protocol):
    """The memory of one path through a step."""

    def peek(self, where: Location) -> Value:
        """Return what a cell holds."""

    def put(self, where: Location, value: Value) -> None:
        """Store to a cell."""

    def other(self, f: Field, index: t.Number) -> Value:
        """Return what the field of a vCPU without a cell of its own held when the step began."""

    def forget(self, f: Field) -> None:
        """Take note that cells of vCPUs without one of their own may have changed."""

    def require(self, condition: t.Bool) -> None:
        """Constrain the unknowns of the step."""


class VcpuCells(Protocol):
    """A representation of per-vCPU fields."""

    def places(self, f: Field) -> tuple[Location, ...]:
        """Every cell of a field."""

    def unknown(self, name: str, f: Field) -> Value:
        """Return a new unknown for a cell of a field."""

    def load(self, view: MemoryView, f: Field, index: t.Number | None) -> Value:
        """Return what `f[index]` holds; `index` is None for a VM field."""

    def save(self, view: MemoryView, f: Field, index: t.Number | None, value: Value) -> None:
        """Store to `f[index]`."""

    def every(self, view: MemoryView, reads: Reads, holds: Holds) -> t.Bool:
        """Return the condition that `holds` is true at every vCPU."""


class FiniteCells(Record, frozen=True):
    """Cells for `vcpus` vCPUs, of which `count` exist.

    `focus` maps fields of which one cell is enough to the witness whose cell it is.
    """

    vcpus: int
    count: t.Number
    focus: Mapping[str, Value]
    algebra: Algebra

    def places(self, f: Field) -> tuple[Location, ...]:
        """Every cell of a field."""
        if f.scope is FieldScope.VM or f.name in self.focus:
            return ((f.name, SHARED),)
        return tuple((f.name, OwnCell(v)) for v in range(self.vcpus))

    def unknown(self, name: str, f: Field) -> Value:
        """Return a new unknown for a cell of a field."""
        return self.algebra.fresh(name, f.type, self.algebra.kinds.field(f))

    def load(self, view: MemoryView, f: Field, index: t.Number | None) -> Value:
        """Choose among the cells; a constant index that is too large yields anything."""
        if f.name in self.focus:
            return view.peek((f.name, SHARED))
        if index is None:
            return view.peek((f.name, SHARED))
        if isinstance(index, int):
            return view.peek((f.name, OwnCell(min(max(index, 0), self.vcpus - 1))))
        value = view.peek((f.name, OwnCell(self.vcpus - 1)))
        for v in range(self.vcpus - 2, -1, -1):
            value = self.algebra.ite(index == v, view.peek((f.name, OwnCell(v))), value)
        return value

    def save(self, view: MemoryView, f: Field, index: t.Number | None, value: Value) -> None:
        """Store to the cell that the index names."""
        ite = self.algebra.ite
        if index is None:
            view.put((f.name, SHARED), value)
            return
        if f.name in self.focus:
            here = self.algebra.equal(self.focus[f.name], index)
            view.put((f.name, SHARED), ite(here, value, view.peek((f.name, SHARED))))
            return
        if isinstance(index, int):
            if 0 <= index < self.vcpus:
                view.put((f.name, OwnCell(index)), value)
            return
        for v in range(self.vcpus):
            where = (f.name, OwnCell(v))
            view.put(where, ite(index == v, value, view.peek(where)))

    def every(self, view: MemoryView, reads: Reads, holds: Holds) -> t.Bool:
        """One instance for each vCPU."""
        parts: list[t.Bool] = []
        for v in range(self.vcpus):
            given = {local: self.load(view, f, v) for local, f in reads}
            parts.append(t.implies(t.compare_numbers("<", v, self.count), holds(given, v)))
        return t.and_(*parts)


class Arrays(Record, frozen=True):
    """One array a field, exact for any number of vCPUs.

    `constant` gives the value at an index for fields that nothing writes.
    """

    count: t.Number
    constant: Mapping[str, Callable[[t.Number], Value]]
    algebra: Algebra

    def places(self, f: Field) -> tuple[Location, ...]:
        """One cell, which holds the array of a per-vCPU field."""
        return ((f.name, SHARED),)

    def unknown(self, name: str, f: Field) -> Value:
        """Return an array of unknowns for a per-vCPU field."""
        one = self.algebra.fresh(name, f.type, self.algebra.kinds.field(f))
        return one if f.scope is FieldScope.VM else _array_of(one)

    def load(self, view: MemoryView, f: Field, index: t.Number | None) -> Value:
        """Select from the array."""
        if index is None:
            return view.peek((f.name, SHARED))
        if f.name in self.constant:
            return self.constant[f.name](index)
        value = _select(view.peek((f.name, SHARED)), t.z3_number(index))
        for limit in self.algebra.limits(value, f.type, self.count):
            view.require(limit)
        return value

    def save(self, view: MemoryView, f: Field, index: t.Number | None, value: Value) -> None:
        """Store into the array."""
        where = (f.name, SHARED)
        if index is None:
            view.put(where, value)
        else:
            view.put(where, _stored(self.algebra, view.peek(where), t.z3_number(index), value))

    def every(self, view: MemoryView, reads: Reads, holds: Holds) -> t.Bool:
        """Quantify over the vCPUs."""
        v = z3.FreshInt("v")
        given = {local: self._element(view, f, v) for local, f in reads}
        inside = z3.And(v >= 0, v < t.z3_number(self.count))
        return z3.ForAll([v], z3.Implies(inside, t.z3_bool(holds(given, v))))

    def _element(self, view: MemoryView, f: Field, v: z3.ArithRef) -> Value:
        if f.name in self.constant:
            return self.constant[f.name](v)
        return _select(view.peek((f.name, SHARED)), v)


def _array_of(one: Value) -> Value:
    """Return an array with elements like an unknown."""
    if isinstance(one, Root):
        assert isinstance(one.page, z3.ExprRef)
        return Root(_array(one.page), tuple(_array(b) for b in one.bits))
    array: Value = _array(one)
    return array


def _array(one: z3.ExprRef) -> z3.ExprRef:
    return z3.Array(str(one.decl().name()), z3.IntSort(), one.sort())


def _select(value: Value, index: z3.ArithRef) -> Value:
    if isinstance(value, Root):
        assert isinstance(value.page, z3.ExprRef)
        return Root(z3.Select(value.page, index), tuple(z3.Select(b, index) for b in value.bits))
    selected: Value = z3.Select(value, index)
    return selected


def _stored(algebra: Algebra, array: Value, index: z3.ArithRef, value: Value) -> Value:
    if isinstance(array, Root):
        assert isinstance(value, Root)
        page = z3.Store(array.page, index, algebra.page_term(value.page))
        pairs = zip(array.bits, value.bits, strict=True)
        return Root(page, tuple(z3.Store(a, index, t.z3_bool(b)) for a, b in pairs))
    stored: Value = z3.Store(array, index, value)
    return stored


class TrackedCells(Record, frozen=True):
    """The cells of the vCPUs `indices`; where two of these coincide, so must their cells.

    `constant` gives the value at an index for fields that nothing writes.
    """

    indices: tuple[t.Number, ...]
    constant: Mapping[str, Callable[[t.Number], Value]]
    algebra: Algebra

    def places(self, f: Field) -> tuple[Location, ...]:
        """One cell for each tracked vCPU."""
        if f.scope is FieldScope.VM:
            return ((f.name, SHARED),)
        return tuple((f.name, OwnCell(k)) for k in range(len(self.indices)))

    def unknown(self, name: str, f: Field) -> Value:
        """Return a new unknown for a cell of a field."""
        return self.algebra.fresh(name, f.type, self.algebra.kinds.field(f))

    def load(self, view: MemoryView, f: Field, index: t.Number | None) -> Value:
        """Return a tracked cell's value, and anything for another vCPU."""
        if index is None:
            return view.peek((f.name, SHARED))
        if f.name in self.constant:
            return self.constant[f.name](index)
        same = [t.compare_numbers("==", index, k) for k in self.indices]
        if True in same:
            return view.peek((f.name, OwnCell(same.index(True))))
        value = view.other(f, index)
        for k, here in enumerate(same):
            value = self.algebra.ite(here, view.peek((f.name, OwnCell(k))), value)
        return value

    def save(self, view: MemoryView, f: Field, index: t.Number | None, value: Value) -> None:
        """Store where the index is that of a tracked vCPU."""
        if index is None:
            view.put((f.name, SHARED), value)
            return
        same = [t.compare_numbers("==", index, k) for k in self.indices]
        if True not in same:
            # It may be the cell of a vCPU that was looked at before: what that held is not known
            # any more.
            view.forget(f)
        for k, here in enumerate(same):
            where = (f.name, OwnCell(k))
            view.put(where, self.algebra.ite(here, value, view.peek(where)))

    def every(self, view: MemoryView, reads: Reads, holds: Holds) -> t.Bool:
        """Guess the answer: if it is yes, the condition holds at the tracked vCPUs."""
        # Yes implies that it holds at each tracked vCPU. No implies nothing: "it fails at a tracked
        # one" would leave out the runs in which it fails at some other vCPU only (L18).
        answer = z3.FreshBool("every")
        for index in self.indices:
            given = {local: self.load(view, f, index) for local, f in reads}
            view.require(t.implies(answer, holds(given, index)))
        return answer

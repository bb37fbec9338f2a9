"""The cells of a thread's store buffer: ghost fields that no other thread touches.

An entry has, for each field, whether it holds a store to it, the value, the vCPU whose field it is,
and whether a store fence came after it. For a lock it has whether it holds an unlock, which has no
value. Empty entries are 0 throughout, so that equal buffers are equal states. The cells of a vCPU
thread are per-vCPU fields; each flusher has VM fields of its own, and code finds out by its thread
number which, flushers coming after the vCPUs.
"""

from __future__ import annotations

from typing import Literal

from flushproof.ir.builder import Emitter
from flushproof.ir.code import (
    Binary,
    Const,
    Expr,
    Field,
    FieldScope,
    Ite,
    Mode,
    NumVcpus,
    Read,
    Self,
    Var,
    Write,
)
from flushproof.ir.program import Operation, Role
from flushproof.ir.types import BOOL, INT, VCPU, LockWord, Type
from flushproof.support.record import Record
from flushproof.support.source import Span

Part = Literal["pending", "fenced", "value", "index"]


class BufferCell(Record, frozen=True):
    """One part of entry `slot` (0 is the oldest) for stores to `field`."""

    slot: int
    part: Part
    field: Field

    @property
    def type(self) -> Type:
        """The type of what the cell holds."""
        match self.part:
            case "pending" | "fenced":
                return BOOL
            case "index":
                return VCPU
            case "value":
                return self.field.type


def entry_cells(slot: int, field: Field, *, fences: bool) -> tuple[BufferCell, ...]:
    """Return the cells of an entry for one field; with `fences` the code has store fences."""
    parts: list[Part] = ["pending", "fenced"] if fences else ["pending"]
    if not isinstance(field.type, LockWord):
        parts.append("value")
    if field.scope is FieldScope.VCPU:
        parts.append("index")
    return tuple(BufferCell(slot, part, field) for part in parts)


def cell_field(cell: BufferCell, role: Role, owner: int = 0) -> Field:
    """Return the ghost field that a cell is: of each vCPU, or of one flusher."""
    loads = role is Role.LOAD
    whose = "vcpu" if loads else f"flusher{owner}"
    name = f"buffer:{whose}:{cell.slot}:{cell.part}:{cell.field.name}"
    scope = FieldScope.VCPU if loads else FieldScope.VM
    return Field(name, name, scope, cell.type, ghost=True, enum=cell.field.enum)


class BufferCells:
    """Access to the running thread's cells, in the code of one operation."""

    def __init__(self, emitter: Emitter, operation: Operation, flushers: int) -> None:
        self.emitter = emitter
        self.operation = operation
        self.loads = operation.role is Role.LOAD
        self.owners = 1 if self.loads else max(flushers, 1)

    def read(self, cell: BufferCell, span: Span) -> Expr:
        """Emit reads of a cell; return its value."""
        found = [self._read(cell, k, span) for k in range(self.owners)]
        value = found[-1]
        for k in range(self.owners - 2, -1, -1):
            value = Ite(_running(k), found[k], value, cell.type)
        return value

    def write(self, cell: BufferCell, value: Expr, span: Span) -> None:
        """Emit writes that give a cell a value."""
        for k in range(self.owners):
            kept = value
            if self.owners > 1:
                kept = Ite(_running(k), value, self._read(cell, k, span), cell.type)
            self.emitter.emit(Write(self._field(cell, k), self._index(), kept, Mode.GHOST, span))

    def clear(self, cell: BufferCell, span: Span) -> None:
        """Emit what empties a cell."""
        self.write(cell, Const(0, cell.type), span)

    def _read(self, cell: BufferCell, owner: int, span: Span) -> Expr:
        temp = self.emitter.temp(cell.type)
        self.emitter.emit(Read(temp, self._field(cell, owner), self._index(), Mode.GHOST, span))
        return Var(temp)

    def _index(self) -> Expr | None:
        vcpu = self.operation.parameters.vcpu
        return Var(vcpu) if self.loads and vcpu is not None else None

    def _field(self, cell: BufferCell, owner: int) -> Field:
        return cell_field(cell, self.operation.role, owner)


def _running(flusher: int) -> Expr:
    """Return the condition that the running thread is this flusher."""
    number = Binary("+", NumVcpus(), Const(flusher + 1, INT), INT)
    return Binary("==", Self(), number, BOOL)

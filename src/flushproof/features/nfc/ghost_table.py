"""Tables that a program keeps from its old part to its new one: rows by number, or by a root.

A per-vCPU field holds one row a vCPU; `DEPTH` of them make room for that many rows a vCPU. Rows
count from 0 within one call, how many there are is a local of the operation.

Lemma L26 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import (
    Binary,
    Cast,
    Const,
    Every,
    Expr,
    Field,
    FieldScope,
    Local,
    Mode,
    NumVcpus,
    Read,
    Unary,
    Var,
    Write,
)
from flushproof.ir.types import BOOL, INT, VCPU, Type
from flushproof.lower import convert
from flushproof.lower.values import FALSE, TRUE
from flushproof.support.record import Record
from flushproof.support.source import Span

DEPTH = 2
"""How many rows there are for each vCPU."""


def column_fields(name: str, t: Type) -> tuple[Field, ...]:
    """Return the fields that hold one column of a table."""
    return tuple(Field(f"{name}@{k}", name, FieldScope.VCPU, t, ghost=True) for k in range(DEPTH))


class Table(Record, frozen=True):
    """Columns, each of `DEPTH` fields, and code that reads and writes them."""

    columns: tuple[tuple[Field, ...], ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field."""
        return tuple(f for c in self.columns for f in c)

    def put(self, e: Emitter, row: Expr, values: tuple[Expr, ...], full: Label) -> None:
        """Store one row; go to `full` where there is no room for it."""
        done = e.label()
        for k in range(DEPTH):
            here, on = e.label(), e.label()
            e.branch(_below(row, k + 1), here, on, None)
            e.place(here)
            for fields, value in zip(self.columns, values, strict=True):
                e.emit(Write(fields[k], _index(row, k), value, Mode.GHOST, None))
            e.jump(done, None)
            e.place(on)
        e.jump(full, None)
        e.place(done)

    def get(self, e: Emitter, row: Expr, target: Local) -> None:
        """Read the first column of a row, 0 where there is no room for it."""
        done = e.label()
        e.assign(target, Const(0, target.type), None)
        for k in range(DEPTH):
            here, on = e.label(), e.label()
            e.branch(_below(row, k + 1), here, on, None)
            e.place(here)
            e.emit(Read(target, self.columns[0][k], _index(row, k), Mode.GHOST, None))
            e.jump(done, None)
            e.place(on)
        e.place(done)

    def every(self, e: Emitter, rows: Expr, span: Span | None, wanted: Expr, given: Match) -> Expr:
        """Return that each row below `rows` whose first column is `wanted` satisfies `given`."""
        total: Expr = TRUE
        for k in range(DEPTH):
            bound, target = e.local("v", VCPU), e.temp(BOOL)
            reads = tuple((e.temp(c[k].type), c[k]) for c in self.columns)
            number = Binary("+", Cast(Var(bound), INT), _times(k), INT)
            absent = convert.negate_condition(Binary("<", number, rows, BOOL))
            other = Binary("!=", Var(reads[0][0]), wanted, BOOL)
            holds = convert.disjoin_conditions(
                absent, convert.disjoin_conditions(other, given.holds(Var(reads[1][0])))
            )
            e.emit(Every(target, bound, reads, holds, span))
            total = convert.conjoin_conditions(total, Var(target))
        return total


class Match(Record, frozen=True):
    """What the second column has to be; None: there must be no such row at all."""

    value: Expr | None

    def holds(self, second: Expr) -> Expr:
        """Return the condition on the second column."""
        if self.value is None:
            return FALSE
        return Binary("==", second, self.value, BOOL)


def equate_values(a: Expr, b: Expr) -> Expr:
    """Return `a == b` of values that may have different types."""
    if a.type == BOOL and b.type == BOOL:
        return convert.disjoin_conditions(
            convert.conjoin_conditions(a, b), convert.conjoin_conditions(_not(a), _not(b))
        )
    return Binary("==", a, b, BOOL)


def _not(e: Expr) -> Expr:
    return Unary("!", e, BOOL)


def _times(k: int) -> Expr:
    total: Expr = Const(0, INT)
    for _ in range(k):
        total = NumVcpus() if isinstance(total, Const) else Binary("+", total, NumVcpus(), INT)
    return total


def _below(row: Expr, k: int) -> Expr:
    return Binary("<", row, _times(k), BOOL)


def _index(row: Expr, k: int) -> Expr:
    return Cast(row if k == 0 else Binary("-", row, _times(k), INT), VCPU)

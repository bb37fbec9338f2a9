"""Waits that nothing ever ends: no value that their field can get is one that they wait for.

In: a program. Out: the accesses that wait in vain. At first every wait is taken for such a one. It
is none if what is reached without passing any may put a value into the field that ends it. What is
left in the end no run ever passes.
"""

from __future__ import annotations

from flushproof.ir.analysis.control_flow import reachable_positions, successor_positions
from flushproof.ir.analysis.def_use import map_expr
from flushproof.ir.analysis.field_values import FieldValues, list_field_values
from flushproof.ir.code import Const, Exchange, Instr, Mode, Read, Var
from flushproof.ir.fold import FALSE, fold_expr
from flushproof.ir.program import Operation, Program
from flushproof.support.record import replace

Wait = Read | Exchange
_Place = tuple[str, int]


def find_vain_waits(program: Program) -> tuple[Wait, ...]:
    """Return the accesses of a program that are reached, and wait for what never comes."""
    waits = {
        (o.name, at): i
        for o in program.operations
        for at, i in enumerate(o.code)
        if isinstance(i, Wait) and i.until is not None
    }
    closed = frozenset(waits)
    while True:
        values = _list_values(program, closed)
        vain = frozenset(place for place in closed if _is_vain(waits[place], values))
        if vain == closed:
            break
        closed = vain
    met = {(o.name, at) for o in program.operations for at in _reached(o, closed)}
    return tuple(wait for place, wait in waits.items() if place in closed & met)


def _list_values(program: Program, closed: frozenset[_Place]) -> FieldValues:
    """Return the values of fields if nothing comes past the waits that are closed."""

    def acts(o: Operation, at: int) -> Instr:
        """Return what is done at a position: a wait that is not passed looks at its field only."""
        match o.code[at]:
            case Exchange(target, f, index) if (o.name, at) in closed:
                return Read(target, f, index, Mode.ONCE, None)
            case other:
                return other

    operations = [
        replace(o, code=tuple(acts(o, at) for at in sorted(_reached(o, closed))))
        for o in program.operations
    ]
    return list_field_values(operations, dict(program.boot), program.witnesses)


def _reached(operation: Operation, closed: frozenset[_Place]) -> frozenset[int]:
    """Return the positions that a thread comes to, closed waits included."""
    code = operation.code
    waits = frozenset(at for name, at in closed if name == operation.name)
    inside = {0} if 0 in waits else {0, *reachable_positions(code, 0, waits)}
    following = {to for at in inside - waits for to in successor_positions(code, at)}
    return frozenset(inside | following)


def _is_vain(wait: Wait, values: FieldValues) -> bool:
    """Tell whether no value that the field can hold ends a wait; one that may hold any does."""
    until = wait.until
    assert until is not None

    def ends(value: int) -> bool:
        given = Const(value, until.seen.type)
        there = map_expr(until.condition, lambda x: given if x == until.seen else Var(x))
        return fold_expr(there) != FALSE

    known = values.get(wait.field.name)
    return known is not None and not any(map(ends, known))

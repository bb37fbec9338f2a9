"""The ways in which a claim can fail, one at a time.

An assertion over `a && (!b || c)` is lowered to branches, of which several lead to where its value
becomes false. What refutes one of them may have to speak of another vCPU than what refutes the
next, so each is looked at alone.

Lemma L21 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.code import Assert, Assign, Branch, Const, Instr, Jump, Var
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import BOOL
from flushproof.support.record import replace
from flushproof.support.source import Span

Way = tuple[Span | None, int]
"""Where an assertion stands, and which of the branches to its failure is taken."""

MOST = 6
"""More ways than this are looked at together."""


def split_assertions(program: Program) -> tuple[Program, ...]:
    """Return programs that fail in one way each, in all ways together."""
    found = {way: None for o in program.operations for way in _list_failure_ways(o)}
    if not 1 < len(found) <= MOST:
        return (program,)
    return tuple(_restrict_to_way(program, way) for way in found)


def _list_failure_ways(operation: Operation) -> list[Way]:
    code = operation.code
    out: list[Way] = []
    for i, at in _asserts(code):
        edges = _edges(code, at)
        out += [(i.span, k) for k in range(len(edges))] or [(i.span, 0)]
    return out


def _asserts(code: tuple[Instr, ...]) -> list[tuple[Assert, int]]:
    return [(i, at) for at, i in enumerate(code) if isinstance(i, Assert)]


def _restrict_to_way(program: Program, way: Way) -> Program:
    operations = tuple(replace(o, code=_keep_failure(o.code, way)) for o in program.operations)
    return replace(program, operations=operations)


def _keep_failure(code: tuple[Instr, ...], way: Way) -> tuple[Instr, ...]:
    """Return code whose assertions hold, unless they fail in one way."""
    out = list(code)
    for i, at in _asserts(code):
        edges = _edges(code, at)
        if not edges and (i.span, 0) != way:
            out[at] = replace(i, condition=Const(1, BOOL))
        for k, (start, false, true) in enumerate(edges):
            if (i.span, k) != way:
                out[start] = _redirect_branch(out[start], false, true)
    return tuple(out)


def _redirect_branch(i: Instr, old: int, new: int) -> Instr:
    assert isinstance(i, Branch)
    return replace(
        i,
        then=new if i.then == old else i.then,
        otherwise=new if i.otherwise == old else i.otherwise,
    )


def _edges(code: tuple[Instr, ...], at: int) -> list[tuple[int, int, int]]:
    """Return the branches to where an assertion's value becomes false, and where it becomes true.

    There are none where the value comes from anything but the constants.
    """
    asserted = code[at]
    assert isinstance(asserted, Assert)
    if not isinstance(asserted.condition, Var):
        return []
    local = asserted.condition.local
    assigned = {k: i for k, i in enumerate(code) if isinstance(i, Assign) and i.target == local}
    values = {k: i.value.value for k, i in assigned.items() if isinstance(i.value, Const)}
    false = [k for k, value in values.items() if not value]
    true = [k for k, value in values.items() if value]
    if len(values) != 2 or len(assigned) != 2 or len(false) != 1:
        return []
    if any(_after(code, k) != at for k in values):
        return []
    starts = [k for k in range(len(code)) if false[0] in successor_positions(code, k)]
    if not all(isinstance(code[k], Branch) for k in starts):
        return []
    return [(k, false[0], true[0]) for k in starts]


def _after(code: tuple[Instr, ...], at: int) -> int:
    following = code[at + 1]
    return following.target if isinstance(following, Jump) else at + 1

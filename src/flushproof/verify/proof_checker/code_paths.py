"""The shape of code: where it goes, and which positions other threads can notice."""

from __future__ import annotations

from typing import assert_never

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import defined_local, fields_of
from flushproof.ir.code import Instr, Local, Mode
from flushproof.ir.program import Operation, Program

Code = tuple[Instr, ...]

ONLY_READING = (ir.Read, ir.Available, ir.Holds, ir.Every, ir.Access)
"""Instructions that write no field that they name; any other is taken to write it."""


class NotUnderstood(Exception):  # noqa: N818 - a finding, which makes a verdict weaker
    """The checker has no rule for something, so it confirms nothing."""


def written_fields(program: Program) -> frozenset[str]:
    """Name the fields that some operation may write."""
    code = (i for o in program.operations for i in o.code if not isinstance(i, ONLY_READING))
    return frozenset(f.name for i in code for f in fields_of(i))


def locals_by_name(operation: Operation) -> dict[str, Local]:
    """Return the locals of an operation."""
    assigned = (defined_local(i) for i in operation.code)
    return {x.name: x for x in (*operation.parameters.all, *assigned) if x is not None}


def is_visible(i: Instr, written: frozenset[str]) -> bool:
    """Tell whether another thread can notice an instruction, or what it reads may change."""
    match i:
        case ir.Read(field=f, mode=mode):
            return mode is not Mode.GHOST and f.name in written
        case ir.Write(mode=mode):
            return mode is not Mode.GHOST
        case ir.Acquire() | ir.TryAcquire() | ir.Available() | ir.Release() | ir.Exchange():
            return True
        case ir.Fence() | ir.Hypercall() | ir.Enter() | ir.Return() | ir.Access() | ir.Drain():
            return True
        case ir.Assign() | ir.Havoc() | ir.Holds() | ir.Every() | ir.Uninit():
            return False
        case ir.Check() | ir.Assert() | ir.Jump() | ir.Branch() | ir.Stop():
            return False
        case _:
            assert_never(i)


def region_positions(code: Code, start: int, cuts: frozenset[int]) -> tuple[int, ...]:
    """Return the positions from `start` to the next cuts, each before those that it leads to.

    Raises:
        NotUnderstood: there is a circle without a cut.
    """
    order: list[int] = []
    left: dict[int, bool] = {}
    work = [start]
    while work:
        at = work[-1]
        if at not in left:
            left[at] = False
            following = [to for to in successor_positions(code, at) if to not in cuts]
            if any(left.get(to) is False for to in following):
                raise NotUnderstood("a circle without a cut")
            work += [to for to in following if to not in left]
        else:
            work.pop()
            if not left[at]:
                left[at] = True
                order.append(at)
    return tuple(reversed(order))

"""The shape of code: where it goes, its loops, and which positions other threads can notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from flushproof.ir import code as ir
from flushproof.ir.code import Field, Instr, Mode
from flushproof.ir.program import Operation, Program
from flushproof.support.record import Record

Code = tuple[Instr, ...]


class NotUnderstood(Exception):  # noqa: N818 - a finding, which makes a verdict weaker
    """The checker has no rule for something, so it confirms nothing."""


def successor_positions(code: Code, at: int) -> tuple[int, ...]:
    """Return where control goes from a position."""
    match code[at]:
        case ir.Jump(target):
            return (target,)
        case ir.Branch(_, then, otherwise):
            return (then, otherwise)
        case ir.Stop():
            return ()
        case _:
            return (at + 1,)


ONLY_READING = (ir.Read, ir.Available, ir.Holds, ir.Every, ir.Access)
"""Instructions that write no field that they name; any other is taken to write it."""


def parts_of(x: object) -> Iterator[object]:
    """Yield a record and every record in it."""
    if isinstance(x, tuple):
        for part in x:
            yield from parts_of(part)
    elif isinstance(x, Record):
        yield x
        for name in x.__struct_fields__:
            yield from parts_of(getattr(x, name))


def fields_in(x: object) -> Iterator[Field]:
    """Yield every field that an instruction names."""
    return (part for part in parts_of(x) if isinstance(part, Field))


def written_fields(program: Program) -> frozenset[str]:
    """Name the fields that some operation may write."""
    code = (i for o in program.operations for i in o.code if not isinstance(i, ONLY_READING))
    return frozenset(f.name for i in code for f in fields_in(i))


def is_visible(i: Instr, written: frozenset[str]) -> bool:
    """Tell whether another thread can notice an instruction, or what it reads may change.

    Raises:
        NotUnderstood: it belongs to store buffers.
    """
    match i:
        case ir.Read(field=f, mode=mode):
            return mode is not Mode.GHOST and f.name in written
        case ir.Write(mode=Mode.DRAIN) | ir.Drain() | ir.Access():
            raise NotUnderstood("stores are buffered")
        case ir.Write(mode=mode):
            return mode is not Mode.GHOST
        case ir.Acquire() | ir.TryAcquire() | ir.Available() | ir.Release() | ir.Exchange():
            return True
        case ir.Fence() | ir.Hypercall() | ir.Enter() | ir.Return():
            return True
        case ir.Assign() | ir.Havoc() | ir.Holds() | ir.Every() | ir.Uninit():
            return False
        case ir.Check() | ir.Assert() | ir.Jump() | ir.Branch() | ir.Stop():
            return False
        case _:
            assert_never(i)


def visible_positions(operation: Operation, written: frozenset[str]) -> frozenset[int]:
    """Return the positions that other threads can notice, the beginning among them."""
    code = enumerate(operation.code)
    return frozenset({0} | {at for at, i in code if is_visible(i, written)})


def region_positions(code: Code, start: int, cuts: frozenset[int]) -> tuple[int, ...]:
    """Return the positions from `start` to the next cuts, each before those that it leads to.

    Raises:
        NotUnderstood: there is a circle without a cut.
    """
    order: list[int] = []
    state: dict[int, bool] = {}
    work: list[tuple[int, bool]] = [(start, False)]
    while work:
        at, left = work.pop()
        if left:
            state[at] = True
            order.append(at)
            continue
        if at in state:
            continue
        state[at] = False
        work.append((at, True))
        for to in successor_positions(code, at):
            if to in cuts:
                continue
            if state.get(to) is False:
                raise NotUnderstood("a circle without a cut")
            work.append((to, False))
    return tuple(reversed(order))

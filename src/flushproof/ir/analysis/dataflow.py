"""Dataflow over the code of one operation: the one solver of every such fixpoint.

A forward analysis has a fact for each position that can be reached, a backward one for each. The
caller says what an instruction does to facts and how two are joined: with `&` what is found holds
on every path (must), with `|` on some (may). Facts of one position must only ever go one way as
they are joined, and finitely often, which makes the result the same in whatever order it is found
(Kildall, POPL 1973).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.code import Instr

Fact = TypeVar("Fact")
Code = tuple[Instr, ...]

Flow = Callable[[int, Fact], Iterable[tuple[int, Fact]]]
"""Gives, for a fact before a position, the facts that it leads to before others."""


def solve_forward(
    entry: Fact, flow: Flow[Fact], join: Callable[[Fact, Fact], Fact], start: int = 0
) -> dict[int, Fact]:
    """Return what holds before each position that is reached from `start`, where `entry` does."""
    found: dict[int, Fact] = {start: entry}
    work = [start]
    while work:
        at = work.pop()
        for target, out in flow(at, found[at]):
            merged = join(found[target], out) if target in found else out
            if target not in found or merged != found[target]:
                found[target] = merged
                work.append(target)
    return found


def flow_along(code: Code, transfer: Callable[[int, Fact], Fact]) -> Flow[Fact]:
    """Return the flow in which an instruction tells all that may follow it the same."""

    def flow(at: int, before: Fact) -> Iterator[tuple[int, Fact]]:
        after = transfer(at, before)
        for target in successor_positions(code, at):
            yield target, after

    return flow


def solve_backward(
    code: Code,
    nothing: Fact,
    transfer: Callable[[int, Fact], Fact],
    join: Callable[[Sequence[Fact]], Fact],
) -> tuple[Fact, ...]:
    """Return what holds before each position, `nothing` being what holds behind the end.

    `transfer` gives what holds before a position of what holds behind it. The code is gone through
    from its end until nothing changes: most of it then has what follows before itself.
    """
    found: list[Fact] = [nothing] * len(code)
    following = [(at, successor_positions(code, at)) for at in reversed(range(len(code)))]
    changed = True
    while changed:
        changed = False
        for at, then in following:
            before = transfer(at, fact_behind(found, then, join))
            if before != found[at]:
                found[at] = before
                changed = True
    return tuple(found)


def fact_behind(
    found: Sequence[Fact], then: tuple[int, ...], join: Callable[[Sequence[Fact]], Fact]
) -> Fact:
    """Return what holds behind an instruction that `then` may follow."""
    return found[then[0]] if len(then) == 1 else join([found[t] for t in then])

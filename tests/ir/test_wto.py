"""The weak topological order: loop heads, nesting, and the order of everything else."""

from __future__ import annotations

import random

import pytest

from flushproof.ir.analysis.control_flow import simplify_code, successor_positions
from flushproof.ir.analysis.weak_topological_order import TopologicalOrder, order_code
from flushproof.ir.code import Branch, Const, Instr, Jump, Stop
from flushproof.ir.types import BOOL

YES = Const(1, BOOL)


def _to(then: int, otherwise: int) -> Instr:
    return Branch(YES, then, otherwise, None)


def _jump(target: int) -> Instr:
    return Jump(target, None)


STOP = Stop(None)


def _check(code: tuple[Instr, ...], found: TopologicalOrder) -> None:
    """Bourdoncle's definition: every edge goes on in the order, or back to a head around it."""
    assert sorted(found.rank) == list(range(len(code)))
    for at in range(len(code)):
        for to in successor_positions(code, at):
            assert found.rank[to] > found.rank[at] or to in found.loops[at], (at, to)
    for at, heads in enumerate(found.loops):
        for outer, head in enumerate(heads):
            assert found.loops[head] == heads[: outer + 1], at


GRAPHS: dict[str, tuple[tuple[Instr, ...], list[tuple[int, ...]]]] = {
    "straight": ((_jump(1), STOP), [(), ()]),
    "diamond": ((_to(1, 2), _jump(3), _jump(3), STOP), [(), (), (), ()]),
    "own loop": ((_to(0, 1), STOP), [(0,), ()]),
    "while": ((_to(1, 2), _jump(0), STOP), [(0,), (0,), ()]),
    "nested": (
        (_to(1, 4), _to(2, 3), _jump(1), _jump(0), STOP),
        [(0,), (0, 1), (0, 1), (0,), ()],
    ),
    "after each other": ((_to(0, 1), _to(1, 2), STOP), [(0,), (1,), ()]),
    "two back edges": ((_to(1, 3), _to(0, 2), _jump(0), STOP), [(0,), (0,), (0,), ()]),
    "break out of two": (
        (_to(1, 4), _to(2, 3), _to(1, 4), _jump(0), STOP),
        [(0,), (0, 1), (0, 1), (0,), ()],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_loops(name: str) -> None:
    """A loop that is not seen is unrolled in the wrong order, and paths are lost."""
    code, loops = GRAPHS[name]
    found = order_code(code)
    _check(code, found)
    assert list(found.loops) == loops


def test_jump_into_a_loop() -> None:
    """A loop with two entries gets one head; the law holds nevertheless."""
    code = (_to(1, 2), _jump(2), _to(1, 3), STOP)
    found = order_code(code)
    _check(code, found)
    assert found.loops[1] == found.loops[2] != ()


def test_heads() -> None:
    """Iterations are counted at heads and nowhere else."""
    code, _ = GRAPHS["nested"]
    found = order_code(code)
    assert [found.is_head(at) for at in range(len(code))] == [True, True, False, False, False]


@pytest.mark.parametrize("seed", range(200))
def test_any_graph(seed: int) -> None:
    """The law holds for code with jumps in every direction.

    Guards Lemma L16 of docs/soundness.md.
    """
    chance = random.Random(seed)
    size = chance.randrange(2, 14)
    places = range(size)
    code: list[Instr] = [
        _to(chance.choice(places), chance.choice(places))
        if chance.random() < 0.6
        else _jump(min(at + 1, size - 1))
        for at in places
    ]
    code[-1] = STOP
    whole = simplify_code(tuple(code))
    _check(whole, order_code(whole))

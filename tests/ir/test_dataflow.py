"""The one dataflow solver, and the one rewriter of code, against what they stand for."""

from __future__ import annotations

import random
from operator import and_, or_

import pytest

from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.dataflow import flow_along, solve_backward, solve_forward
from flushproof.ir.builder import Emitter
from flushproof.ir.code import Assign, Branch, Const, Fence, Instr, Jump, Local, Stop, Var
from flushproof.ir.rewrite import CodeRewriter
from flushproof.ir.types import BOOL

SIZE = 6
X = Local("x", BOOL)
Code = tuple[Instr, ...]
Facts = frozenset[int]
State = tuple[int, Facts]


def _any_code(chance: random.Random) -> Code:
    """Return code in which each instruction may jump anywhere."""
    out: list[Instr] = []
    for _ in range(SIZE - 1):
        a, b = chance.randrange(SIZE), chance.randrange(SIZE)
        out.append(chance.choice((Fence(None), Jump(a, None), Branch(Var(X), a, b, None))))
    return (*out, Stop(None))


def _transfer(at: int, facts: Facts) -> Facts:
    """Let position 1 forget what position 2 tells; each other one tells its number."""
    return facts - {2} if at == 1 else facts | {at}


def _explored(begin: set[State], edges: dict[int, set[int]]) -> set[State]:
    """Return each position with each set of facts that some way to it tells."""
    found: set[State] = set()
    work = list(begin)
    while work:
        at, facts = state = work.pop()
        if state not in found:
            found.add(state)
            work += ((to, _transfer(at, facts)) for to in edges[at])
    return found


@pytest.mark.parametrize("seed", range(60))
def test_forward_is_what_all_ways_or_some_way_tell(seed: int) -> None:
    """A join that is forgotten makes a fact of one path one of all, and unlocks a mover."""
    code = _any_code(random.Random(seed))
    flow = flow_along(code, _transfer)
    must, may = (solve_forward(Facts(), flow, join) for join in (and_, or_))
    edges = {at: set(successor_positions(code, at)) for at in range(SIZE)}
    told = _explored({(0, Facts())}, edges)
    assert must.keys() == may.keys() == {at for at, _ in told}
    for at in may:
        facts = [x for k, x in told if k == at]
        assert must[at] == frozenset.intersection(*facts)
        assert may[at] == frozenset.union(*facts)


@pytest.mark.parametrize("seed", range(60))
def test_backward_is_what_some_way_to_the_end_tells(seed: int) -> None:
    """A local that is read only behind a jump back must not be taken for dead."""
    code = _any_code(random.Random(seed))
    found = solve_backward(code, Facts(), _transfer, lambda parts: Facts().union(*parts))
    edges: dict[int, set[int]] = {at: set() for at in range(SIZE)}
    for at in range(SIZE):
        for to in successor_positions(code, at):
            edges[to].add(at)
    told = _explored({(at, Facts()) for at in range(SIZE)}, edges)
    for at in range(SIZE):
        assert found[at] == Facts().union(*(_transfer(k, x) for k, x in told if k == at))


def _rewritten(code: Code, *, twice: bool) -> Code:
    rewriter = CodeRewriter(Emitter("f"), code)

    def rewrite(_at: int, instr: Instr) -> None:
        if twice and isinstance(instr, Fence):
            rewriter.emitter.emit(Assign(X, Const(1, BOOL), None))
        rewriter.keep(instr)

    return rewriter.run(rewrite)


LOOP = (Fence(None), Branch(Var(X), 0, 2, None), Fence(None), Stop(None))


def test_code_that_is_kept_is_the_same() -> None:
    """A copy that loses a jump is another program, whoever copies it."""
    assert _rewritten(LOOP, twice=False) == LOOP


def test_a_jump_leads_to_the_first_of_what_is_put_there() -> None:
    """A loop that skips what was put before its head would hide an event in each round but one."""
    set_x = Assign(X, Const(1, BOOL), None)
    assert _rewritten(LOOP, twice=True) == (
        set_x,
        Fence(None),
        Branch(Var(X), 0, 3, None),
        set_x,
        Fence(None),
        Stop(None),
    )

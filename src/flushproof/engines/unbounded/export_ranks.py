"""The ranks of an operation's loops as a claim: one tuple for each head, whatever the nesting.

A tuple has for each loop around a head how far it comes in the order of the code, what its rounds
move, and whether the head is its own. So each way from a head to the next lowers it.

Lemma L10 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flushproof.engines.reduction.ranking import Rank, find_rank
from flushproof.ir import invariant as claimed
from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.counting import Loop, counting_local, loop_at, loops_of
from flushproof.ir.analysis.def_use import defined_local, locals_of
from flushproof.ir.analysis.intervals import find_ranges
from flushproof.ir.code import (
    Assign,
    Binary,
    Branch,
    Cast,
    Const,
    Expr,
    Instr,
    Local,
    NumVcpus,
    Relation,
    Var,
)
from flushproof.ir.passes.cleanup import live_locals
from flushproof.ir.program import Operation
from flushproof.ir.types import Int

Component = tuple[claimed.Term, claimed.Term]
NOTHING = claimed.FixedNumber(0)


def list_loop_heads(operation: Operation) -> Iterator[claimed.CutPoint]:
    """Yield the heads of an operation's loops with their ranks, where they have one."""
    loops = loops_of(operation.code)
    ranks = {loop.head: _components(find_rank(loop)) for loop in loops}
    width = max((len(r) for r in ranks.values() if r is not None), default=0)
    depth = max((len(loop.shape.loops[loop.head]) for loop in loops), default=0)
    tests = {loop.head: tuple(_tested(loop)) for loop in loops}
    for loop in loops:
        outer = [h for h in loop.shape.loops[loop.head] if h != loop.head]
        # What was compared is true of the local no more once it has moved.
        outer = [h for h in outer if not _count_turns(loop, h)]
        facts = tuple(fact for h in outer for fact in tests[h])
        at = claimed.Position(operation.name, loop.head)
        if ranks[loop.head] is None:
            yield claimed.CutPoint(at, boundary=False, head=True, facts=facts)
            continue
        around = [h for h in loop.shape.loops[loop.head] if ranks[h] is not None]
        rank: list[Component] = []
        for h in around:
            own = claimed.FixedNumber(1 if h == loop.head else _count_turns(loop, h))
            found = ranks[h] or ()
            rank.append((NOTHING, claimed.FixedNumber(loop.shape.rank[h])))
            rank += (*found, *_filling(width - len(found)), (own, NOTHING))
        rank += _filling((depth - len(around)) * (width + 2))
        yield claimed.CutPoint(at, boundary=False, head=True, facts=facts, rank=tuple(rank))


def _count_turns(inner: Loop, head: int) -> int:
    """Return what a tuple has at a loop within another, which has 1 there itself.

    From within one comes back to the outer head with its rank lowered, as by `i++` at the end of a
    `for`, or has lowered it before, as in `while (i--)`.
    """
    outer = loop_at(inner.code, inner.shape, head)
    ranked = {*_ranked(find_rank(outer) or ())}
    moves = {at for at in outer.inside if defined_local(inner.code[at]) in ranked}
    ends = frozenset(range(len(inner.code))) - outer.inside | moves
    return 2 if head in reachable_positions(inner.code, inner.head, ends) else 0


def list_ranges(operation: Operation) -> Iterator[tuple[int, claimed.Fact]]:
    """Yield at each position between which numbers those locals lie that ranks speak of.

    A local that a loop moves does not wrap around where a comparison came before: at the heads of
    loops within, and where others may step in, that is to be said.
    """
    ranked = {x for loop in loops_of(operation.code) for x in _ranked(find_rank(loop) or ())}
    wanted = _list_related(operation, ranked) if ranked else ranked
    live = live_locals(operation.code)
    for at, known in find_ranges(operation.code).items():
        for x in sorted(wanted & known.keys() & live[at], key=lambda x: x.name):
            assert isinstance(x.type, Int)
            leaf = claimed.ThreadLocal(claimed.FLUSHER, x.name)
            low, high = known[x]
            if low > x.type.low:
                yield at, (claimed.FactComparison(">=", leaf, claimed.FixedNumber(low)),)
            if high < x.type.high:
                yield at, (claimed.FactComparison("<=", leaf, claimed.FixedNumber(high)),)


def _ranked(rank: Rank) -> Iterator[Local]:
    """Yield the locals that a rank speaks of."""
    return (x for e, _ in rank for x in locals_of(e))


def _list_related(operation: Operation, locals_: set[Local]) -> set[Local]:
    """Return some locals and all that they are made of or compared with."""
    found: set[Local] = set()
    more = locals_
    while more:
        found |= more
        more = {x for i in operation.code for x in _relate(i, found)} - found
    return found


def _relate(i: Instr, found: set[Local]) -> Iterable[Local]:
    """Return the locals that an instruction relates to one of those found."""
    match i:
        case Assign(target, value) if target in found:
            return locals_of(value)
        case Branch(condition) if found & {*locals_of(condition)}:
            return locals_of(condition)
        case _:
            return ()


def _tested(loop: Loop) -> Iterator[claimed.Fact]:
    """Yield what a round of a counting loop has compared before it comes to a loop within."""
    counter = counting_local(loop)
    for at in sorted(loop.own):
        match loop.code[at]:
            case Branch(Binary(op, Var(x) as a, b), then, otherwise) if (
                counter is not None and x == counter[0] and op in _OPPOSITE
            ):
                left, right = _term(a), _term(b)
                inside = then in loop.inside and otherwise not in loop.inside
                if left is not None and right is not None:
                    relation = _RELATIONS[op] if inside else _OPPOSITE[op]
                    yield (claimed.FactComparison(relation, left, right),)
            case _:
                pass


_RELATIONS: dict[str, Relation] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPPOSITE: dict[str, Relation] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _filling(count: int) -> list[Component]:
    return [(NOTHING, NOTHING)] * count


def _components(rank: Rank | None) -> tuple[Component, ...] | None:
    """Return a rank as differences that fall; None if there is none, or no words for it."""
    if rank is None:
        return None
    found = tuple(_difference(e, rises=rises) for e, rises in rank)
    return None if None in found else tuple(c for c in found if c is not None)


def _difference(e: Expr, *, rises: bool) -> Component | None:
    pair = (e.left, e.right) if isinstance(e, Binary) and e.op == "-" else (e, None)
    high, low = (NOTHING if x is None else _term(x) for x in pair)
    if high is None or low is None:
        return None
    return (low, high) if rises else (high, low)


def _term(e: Expr) -> claimed.Term | None:
    match e:
        case Const(value):
            return claimed.FixedNumber(value)
        case NumVcpus():
            return claimed.VcpuCount()
        case Var(local):
            return claimed.ThreadLocal(claimed.FLUSHER, local.name)
        case Cast(operand):
            return _term(operand)
        case _:
            return None

"""The ranks of an operation's loops as a claim: one tuple for each head, whatever the nesting.

A tuple has for each loop around a head how far it comes in the order of the code, what its rounds
move, and whether the head is its own. So each way from a head to the next lowers it.

Lemma L10 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.reduction.ranking import Rank, find_rank
from flushproof.ir import invariant as claimed
from flushproof.ir.analysis.counting import Loop, counting_local, loops_of
from flushproof.ir.code import Binary, Branch, Cast, Const, Expr, NumVcpus, Var
from flushproof.ir.program import Operation

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
        facts = tuple(fact for h in outer for fact in tests[h])
        at = claimed.Position(operation.name, loop.head)
        if ranks[loop.head] is None:
            yield claimed.CutPoint(at, boundary=False, head=True, facts=facts)
            continue
        around = [h for h in loop.shape.loops[loop.head] if ranks[h] is not None]
        rank: list[Component] = []
        for h in around:
            own = claimed.FixedNumber(int(h == loop.head))
            found = ranks[h] or ()
            rank.append((NOTHING, claimed.FixedNumber(loop.shape.rank[h])))
            rank += (*found, *_filling(width - len(found)), (own, NOTHING))
        rank += _filling((depth - len(around)) * (width + 2))
        yield claimed.CutPoint(at, boundary=False, head=True, facts=facts, rank=tuple(rank))


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


_RELATIONS: dict[str, claimed.Relation] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPPOSITE: dict[str, claimed.Relation] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


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

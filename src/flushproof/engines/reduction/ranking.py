"""Which loops surely end, whatever others do: those with a ranking function.

In: the code of an operation. Out: the heads of loops for which none was found. A round is a path
from the head of a loop back to it. It starts with any values of the locals; what it reads of shared
state is any value each time, and a loop inside it gives any values to the locals that it sets. If
each round lowers some tuple of machine integers, in one order of these each, there is a last round,
as integers of a width are finitely many (Floyd 1967; tuples as in Alias et al., SAS 2010, found
greedily). The first round may do otherwise, as there is only one. That holds from all states and
with any interference, so it holds within a step. Loops inside a loop have a rank of their own; then
the whole nest ends.

Loops that count one local by one up to, or down to, a bound need no solver.

Lemma L10 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import z3

from flushproof.engines.smt.term_space import fresh_terms
from flushproof.engines.symbolic.machine_words import WordEnvironment, Words, bit_width
from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.counting import Code, Loop, counting_local, loop_at, loops_of
from flushproof.ir.analysis.def_use import defined_local, locals_of, used_locals
from flushproof.ir.code import COMPARISONS, Binary, Branch, Check, Expr, Local, Var
from flushproof.ir.passes.cleanup import live_locals

EFFORT = 1_000_000
"""The solver's own steps that one question may take; without an answer a loop has no rank."""

CHOICE = 16
"""Bits of a number that tells by which way a loop is left."""


@lru_cache(maxsize=256)
def unranked_heads(code: Code) -> frozenset[int]:
    """Return the heads of the loops for which no ranking function was found."""
    return frozenset(loop.head for loop in loops_of(code) if find_rank(loop) is None)


Rank = tuple[tuple[Expr, bool], ...]
"""What goes one way from round to round, the first that moves; with true it rises."""


@lru_cache(maxsize=256)
def find_rank(loop: Loop) -> Rank | None:
    """Return a tuple that every round, or every one but the first, moves; None if none is found."""
    counter = counting_local(loop)
    if counter is not None:
        return ((Var(counter[0]), counter[1] == "+"),)
    # Later calls find the rank kept: were its terms made among the caller's, what the caller finds
    # would depend on who asked first.
    with fresh_terms():
        return _search_rank(loop)


Round = tuple[z3.BoolRef, WordEnvironment]
"""A way to come back to the head: when it is taken, and the locals then."""


def _search_rank(loop: Loop) -> Rank | None:
    """Look for a tuple of integers that every round moves, or every one but the first."""
    words = Words()
    anything: Round = (z3.BoolVal(val=True), WordEnvironment({}, words))
    first = list(_rounds(loop, anything, words))
    found = _moved_tuple(loop, anything[1], first, words)
    if found is not None:
        return found
    # The first round may do otherwise, as one that only sets a flag: all others begin in a state
    # that some round has left.
    once = words.merge(first)
    return _moved_tuple(loop, once[1], list(_rounds(loop, once, words)), words)


def _moved_tuple(
    loop: Loop, before: WordEnvironment, rounds: list[Round], words: Words
) -> Rank | None:
    """Return a tuple that rounds which begin with some locals move, one after the other."""
    if not rounds:
        return ()
    solver = z3.Solver()
    solver.set("rlimit", EFFORT)
    solver.add(z3.Or(*(guard for guard, _ in rounds)))
    found: list[tuple[Expr, bool]] = []
    measured = [(e, words.value(e, before), _after(e, rounds, words)) for e in _measures(loop)]
    # Where a round may keep all of them no tuple moves, and there is no need to ask of each; nor is
    # it worth while where that is too hard a question.
    if solver.check(*(new == old for _, old, new in measured)) != z3.unsat:
        return None
    for e, old, new in measured:
        if _unsat(solver):
            break
        rises = _direction(solver, old, new)
        if rises is not None:
            found.append((e, rises))
            solver.add(new == old)
    return tuple(found) if _unsat(solver) else None


def _direction(solver: z3.Solver, old: z3.BitVecRef, new: z3.BitVecRef) -> bool | None:
    """Tell whether a number rises or falls, where no round that is left moves it back."""
    # Not each round has to move this number, only none to move it back: rounds that keep it are
    # left for the next one (lexicographic). As machine words, in either sign, since `i--` on an
    # unsigned 0 goes up.
    orders = ((z3.ULE(new, old), False), (z3.UGE(new, old), True), (new <= old, False))
    for kept, rises in (*orders, (new >= old, True)):
        if solver.check(z3.Not(kept)) == z3.unsat:
            return rises
    return None


def _unsat(solver: z3.Solver) -> bool:
    return bool(solver.check() == z3.unsat)


def _measures(loop: Loop) -> Iterator[Expr]:
    """Yield what may go one way: locals that rounds hand on, and distances of what is compared."""
    found = _bounded_locals(loop)
    yield from (Var(x) for x in sorted(found, key=lambda x: x.name) if bit_width(x.type))
    for at in sorted(loop.own):
        match loop.code[at]:
            case Branch(Binary(op, a, b) as compared) if op in COMPARISONS and bit_width(a.type):
                if not found.isdisjoint(locals_of(compared)):
                    yield from (Binary("-", a, b, a.type), Binary("-", b, a, a.type))
            case _:
                pass


def _bounded_locals(loop: Loop) -> frozenset[Local]:
    """Return the locals that a round gives to the next, and on which it depends where rounds go.

    A number that goes one way on each path, whatever it is, wraps around in the end: what keeps it
    from that is a condition. What a round sets before it looks at it goes no way at all.
    """
    code = loop.code
    decides = {
        x
        for at in loop.inside
        if isinstance(code[at], (Branch, Check))
        for x in used_locals(code[at])
    }
    steps = [(x, used_locals(code[at])) for at in loop.inside if (x := defined_local(code[at]))]
    while more := {x for target, used in steps if target in decides for x in used} - decides:
        decides |= more
    return frozenset(target for target, _ in steps) & decides & live_locals(code)[loop.head]


def _after(e: Expr, rounds: list[Round], words: Words) -> z3.BitVecRef:
    """Return the value of an expression after the round that was taken."""
    value = words.value(e, rounds[0][1])
    for guard, env in rounds[1:]:
        value = z3.If(guard, words.value(e, env), value)
    return value


def _rounds(loop: Loop, start: Round, words: Words) -> Iterator[Round]:
    """Yield the ways to come back to the head, each with its condition and the locals then."""
    waiting: dict[int, list[Round]] = {loop.head: [start]}
    depth = len(loop.shape.loops[loop.head])
    inside = loop.inside
    for at in sorted(inside, key=lambda at: loop.shape.rank[at]):
        if at not in waiting:
            continue
        guard, env = words.merge(waiting.pop(at))
        for to, taken, then in _leaving(loop, at, env, words):
            new = (z3.And(guard, taken), then)
            if to == loop.head:
                yield new
            elif to in inside:
                # A way into a loop within this one is taken to be one to its head.
                within = loop.shape.loops[to][depth:]
                waiting.setdefault(within[0] if within else to, []).append(new)


def _leaving(
    loop: Loop, at: int, env: WordEnvironment, words: Words
) -> Iterator[tuple[int, z3.BoolRef, WordEnvironment]]:
    """Yield where control goes from a position, or from a loop within that begins there."""
    code = loop.code
    if at in loop.own:
        after = words.executed(code[at], env)
        for to in dict.fromkeys(successor_positions(code, at)):
            yield to, words.taken(code[at], to, after), after
        return
    within = loop_at(code, loop.shape, at).inside
    after = env.forgetting(x for k in within if (x := defined_local(code[k])) is not None)
    out = [(k, to) for k in sorted(within) for to in dict.fromkeys(successor_positions(code, k))]
    # An inner loop is left by any of its ways, whichever holds for values that it may have given to
    # what it sets: to take its last condition alone would forget a `break`.
    choice = words.fresh(CHOICE)
    for number, (k, to) in enumerate(x for x in out if x[1] not in within):
        yield to, z3.And(choice == number, words.taken(code[k], to, after)), after

"""When nobody can go on: every thread that is in a call waits for a lock that is not free.

In a program with an operation of role `DEADLOCK` every place where a lock is taken is the first of
its step, so a thread that waits is always between two steps. Orders in which each step is whole
reach every state in which all threads are between two steps or two calls, and only such states can
be deadlocks.

Lemma L9, Lemma L13 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locations import Location
from flushproof.engines.symbolic.step import SymbolicStep, ThreadSteps
from flushproof.engines.symbolic.values import Algebra, Value
from flushproof.ir.analysis.def_use import may_wait
from flushproof.ir.program import Operation, Role


def waiting_places(operation: Operation) -> frozenset[int]:
    """Return the positions where an operation may have to wait."""
    return frozenset(at for at, i in enumerate(operation.code) if may_wait(i))


def nobody_goes_on(
    algebra: Algebra,
    threads: Sequence[ThreadSteps],
    done: Sequence[Sequence[t.Bool]],
    state: Mapping[Location, Value],
) -> t.Bool:
    """Return the condition of a deadlock in a state, `done` being the steps that led to it.

    The inputs of a step that has not happened are free otherwise, so they may be taken to be what
    the state holds.
    """
    pairs = [
        (thread, d)
        for thread, d in zip(threads, done, strict=True)
        if thread.role in (Role.LOAD, Role.FLUSH)
    ]
    waits = [_waits(algebra, thread.steps, d, state) for thread, d in pairs]
    resting = (t.or_(w, between_calls(x.steps, d)) for w, (x, d) in zip(waits, pairs, strict=True))
    return t.and_(t.or_(*waits), *resting)


def all_is_over(threads: Sequence[ThreadSteps], done: Sequence[Sequence[t.Bool]]) -> t.Bool:
    """Return the condition that every thread that makes calls is between two of them."""
    pairs = zip(threads, done, strict=True)
    acting = ((x, d) for x, d in pairs if x.role in (Role.LOAD, Role.FLUSH))
    return t.and_(*(between_calls(x.steps, d) for x, d in acting))


def between_calls(steps: Sequence[SymbolicStep], done: Sequence[t.Bool]) -> t.Bool:
    """Return the condition that all is done before some call, and nothing of it or after it."""
    starts = [k for k, step in enumerate(steps) if step.first]
    return t.or_(*(_reached(done, k) for k in (*starts, len(steps))))


def _reached(done: Sequence[t.Bool], at: int) -> t.Bool:
    before = done[at - 1] if at > 0 else True
    after = done[at] if at < len(done) else False
    return t.and_(before, t.not_(after))


def _waits(
    algebra: Algebra,
    steps: Sequence[SymbolicStep],
    done: Sequence[t.Bool],
    state: Mapping[Location, Value],
) -> t.Bool:
    """Return the condition that the next step of a thread takes a lock that is not free."""
    return t.or_(
        *(
            t.and_(_reached(done, k), step.guard, *_closed(algebra, step, state))
            for k, step in enumerate(steps)
            if step.waits
        )
    )


def _closed(algebra: Algebra, step: SymbolicStep, state: Mapping[Location, Value]) -> list[t.Bool]:
    # The step has not happened, so nothing else says what its inputs are.
    same = [algebra.equal(unknown, state[where]) for where, unknown in step.inputs.items()]
    exists = [t.not_(f.broken) for f in step.faults if may_wait(f.instr)]
    return [*same, *exists, t.not_(step.enabled)]

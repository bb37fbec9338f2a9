"""The largest value of a claim's numeric witness with which the claim can fail.

In: a bounded engine for a program whose claim has a witness that is a number. Out: the largest one,
and the smallest counterexample with it. The formula is built once; each number is one more question
to it. The claim must fail with every number below one with which it fails, from 1 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import z3

from flushproof.engines.bounded.engine import Bounded, find_smallest_counterexample
from flushproof.engines.bounded.query import BoundedQuery, Failure
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.outcome import NoCounterexample, Undecided
from flushproof.engines.smt import terms as t
from flushproof.support.record import Record, replace

HIGHEST = 1 << 16
"""No number is looked for beyond this one."""


class Largest(Record, frozen=True):
    """The largest number, 0 for none, and a counterexample with it, None for none.

    `whole` is false where the counterexample is the smallest one within narrower bounds only.
    """

    number: int
    found: Counterexample | None
    whole: bool = True


def find_largest_number(
    engines: Sequence[Bounded], claim: str, witness: str, vcpus: int, guess: int
) -> Largest | Undecided:
    """Return the largest number with so many vCPUs, or why it is not known.

    The engines' bounds grow; the last ones are those that count, and the first ones make for short
    counterexamples, soon found. The search goes up from `guess`, or down where the claim does not
    fail with that. Executions with undefined behaviour do not count.
    """
    number, attained = 0, None
    try:
        for engine in engines:
            search = _MaximumSearch(engine.problem(vcpus), claim, witness)
            if search.p.open_loop is not None:
                return search.p.open_loop
            more = search.beyond(number) if attained else search.around(guess)
            if more > number:
                number, attained = more, search
    except _GaveUpError as stopped:
        return Undecided(str(stopped))
    if attained is None:
        return Largest(0, None)
    match find_smallest_counterexample(attained.p, claim, attained.with_number(number)):
        case Counterexample() as found:
            return Largest(number, found, whole=attained is search)
        case NoCounterexample():
            return Undecided("no model was found")
        case Undecided() as undecided:
            return undecided
        case other:
            assert_never(other)


class _GaveUpError(Exception):
    """The solver has no answer."""


class _MaximumSearch:
    """Questions to one problem, whether its claim fails with this or that number."""

    def __init__(self, p: BoundedQuery, claim: str, witness: str) -> None:
        self.p = p
        self.failures = p.failures(claim)
        self.witness = next(f for f in p.program.witnesses if f.name == witness)
        if self.failures:
            p.constraints += (t.z3_bool(t.not_(f.condition)) for f in p.faults())

    def around(self, guess: int) -> int:
        """Return the largest number with which the claim fails, 0 for none."""
        if self.fails(guess):
            return self.beyond(guess)
        number = guess - 1
        while number > 0 and not self.fails(number):
            number -= 1
        return number

    def beyond(self, number: int) -> int:
        """Return the largest number with which the claim fails, which it does with `number`."""
        while number < HIGHEST and self.fails(number + 1):
            number += 1
        return number

    def with_number(self, number: int) -> list[Failure]:
        """Return the failures with this number."""
        algebra = self.p.algebra
        kind = algebra.kinds.field(self.witness)
        value = algebra.constant(number, self.witness.type, kind)
        same = algebra.equal(self.p.witnesses[self.witness.name], value)
        return [replace(f, condition=t.and_(f.condition, same)) for f in self.failures]

    def fails(self, number: int) -> bool:
        """Tell whether the claim fails with this number."""
        failures = self.with_number(number)
        if self.p.excludes(failures):
            return False
        goal = t.or_(*(f.condition for f in failures))
        solver = self.p.solver
        solver.push()
        solver.add(t.z3_bool(goal))
        answer = solver.check()
        reason = solver.reason_unknown() if answer == z3.unknown else ""
        solver.pop()
        if answer == z3.unknown:
            raise _GaveUpError(f"the solver gave up on {number}: {reason}")
        return bool(answer == z3.sat)

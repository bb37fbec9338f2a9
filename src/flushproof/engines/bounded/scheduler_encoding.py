"""Scheduling: which step happens in which slot, and what shared memory holds in between.

A slot is a stretch of one thread's steps; slots follow each other in a fixed order (lazy
sequentialisation: Lal and Reps 2008; Inverso et al., Lazy-CSeq, 2014). A thread may be given
several slots; each of its steps happens in one of them, in order, or not at all. Every interleaving
within the bounds is covered if the slots allow it up to swapping of steps that commute; the module
`slots` says when.

Lemma L15 of docs/soundness.md.
"""

from __future__ import annotations

from itertools import pairwise

import z3

from flushproof.engines.bounded.deadlock import all_is_over, nobody_goes_on
from flushproof.engines.smt import term_constructors
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locations import Location, location_name
from flushproof.engines.symbolic.step import SymbolicStep, ThreadSteps
from flushproof.engines.symbolic.values import Algebra, Root, Value
from flushproof.ir.program import Role
from flushproof.support.record import Record


class ScheduleSlot(Record, frozen=True):
    """Steps `first` to `last` (exclusive) of the thread at position `thread` may happen here.

    They may do so only if `gate` holds.
    """

    thread: int
    first: int
    last: int
    gate: t.Bool = True


class PlacedStep(Record, frozen=True):
    """Step `step` of thread position `thread` happens in slot `slot` when `here` holds."""

    thread: int
    step: int
    slot: int
    here: t.Bool


class Wired(Record, frozen=True):
    """The scheduled system: constraints, and for each step of each thread whether it happens."""

    constraints: tuple[z3.BoolRef, ...]
    placed: tuple[PlacedStep, ...]
    executed: tuple[tuple[t.Bool, ...], ...]


class Wiring:
    """Builds the constraints for one list of slots."""

    def __init__(
        self,
        algebra: Algebra,
        threads: tuple[ThreadSteps, ...],
        slots: tuple[ScheduleSlot, ...],
        boot: dict[Location, Value],
    ) -> None:
        self.algebra = algebra
        self.threads = threads
        self.slots = slots
        self.state = dict(boot)
        self.constraints: list[z3.BoolRef] = []
        self.placed: list[PlacedStep] = []
        self.names = 0
        self.done: list[list[t.Bool]] = [[False] * len(x.steps) for x in threads]

    def run(self) -> Wired:
        """Place every step and thread the memory through."""
        for number, slot in enumerate(self.slots):
            self._slot(number, slot)
        executed = tuple(tuple(row) for row in self.done)
        for row in executed:
            for before, after in pairwise(row):
                self._require(t.implies(after, before))
        return Wired(tuple(self.constraints), tuple(self.placed), executed)

    def _require(self, condition: t.Bool) -> None:
        if condition is not True:
            self.constraints.append(t.z3_bool(condition))

    def _slot(self, number: int, slot: ScheduleSlot) -> None:
        steps = self.threads[slot.thread].steps
        for at in range(slot.first, slot.last):
            old = self.done[slot.thread][at]
            new = z3.Bool(f"done.{slot.thread}.{at}.{number}")
            self._require(t.implies(old, new))
            here = t.and_(new, t.not_(old))
            self._require(t.implies(here, slot.gate))
            # What a claim notes of the boot state is noted before anybody steps, wanted or not.
            if self.threads[slot.thread].role is Role.OBSERVE and steps[at].outputs:
                self._require(new)
            self._require(t.implies(here, self._called_for(self.threads[slot.thread].role)))
            if at > 0:
                previous = self.done[slot.thread][at - 1]
                self._require(t.implies(new, previous))
            self.done[slot.thread][at] = new
            self.placed.append(PlacedStep(slot.thread, at, number, here))
            self._happen(steps[at], t.and_(here, steps[at].guard))

    def _called_for(self, role: Role) -> t.Bool:
        """Return the condition under which threads of a role may act."""
        match role:
            case Role.DEADLOCK:
                return nobody_goes_on(self.algebra, self.threads, self.done, self.state)
            case Role.END:
                return all_is_over(self.threads, self.done)
            case _:
                return True

    def _happen(self, step: SymbolicStep, here: t.Bool) -> None:
        for where, unknown in step.inputs.items():
            # Only where the step happens here: its inputs are one set of unknowns for all its
            # slots.
            self._require(t.implies(here, self.algebra.equal(unknown, self.state[where])))
        # A step whose lock is taken does not happen as a whole. It is left out, not cut: that what
        # comes before the wait may be left out as well is what L9 is about.
        self._require(t.implies(here, step.enabled))
        for where, value in step.outputs.items():
            self.state[where] = self._named(self.algebra.ite(here, value, self.state[where]), where)

    def _named(self, value: Value, where: Location) -> Value:
        """Give a large value a name, so that terms stay shallow."""
        match value:
            case Root(page, bits) if isinstance(page, z3.ExprRef):
                page_name = z3.Const(self._name(where), self.algebra.sort)
                self.constraints.append(term_constructors.make_equality(page_name, page))
                return Root(page_name, tuple(self._named_bool(b, where) for b in bits))
            case z3.BoolRef():
                return self._named_bool(value, where)
            case z3.ArithRef() | z3.BitVecRef():
                name = z3.Const(self._name(where), value.sort())
                self.constraints.append(term_constructors.make_equality(name, value))
                if isinstance(value, z3.ArithRef):
                    self._keep_range(value, name)
                return name
            case _:
                return value

    def _name(self, where: Location) -> str:
        self.names += 1
        return f"{location_name(where)}!{self.names}"

    def _named_bool(self, value: t.Bool, where: Location) -> t.Bool:
        if isinstance(value, bool):
            return value
        name = z3.Bool(self._name(where))
        self.constraints.append(term_constructors.make_equality(name, value))
        return name

    def _keep_range(self, value: z3.ArithRef, name: z3.ArithRef) -> None:
        known = self.algebra.known_range(value)
        if known is not None:
            self.algebra.ranged(name, *known)

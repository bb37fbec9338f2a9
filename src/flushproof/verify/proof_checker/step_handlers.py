"""What may be taken for granted of a state because a claim's `step` handler would have told.

A handler that objects to a state has failed where that state came about. So two parts need commute
only in states to which none objects (Lemma L12 of docs/soundness.md), if a handler takes no notes,
is of one mind in all threads, and no part leaves a state to which it objects without a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flushproof.ir.code import Every, Havoc, Write
from flushproof.ir.program import Role
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.execution import Actor, Manner, Region
from flushproof.verify.proof_checker.machine_state import State, StateSpace
from flushproof.verify.proof_checker.script import ProofObligation
from flushproof.verify.proof_checker.solve import Ask


class Part(Record, frozen=True):
    """A part that was executed, the state after it, and what is known of the state before it."""

    region: Region
    after: State
    known: tuple[str, ...]


class StepHandlers:
    """The objections of a program's `step` handlers."""

    def __init__(self, space: StateSpace) -> None:
        self.space = space
        self.observers = space.program.of(Role.OBSERVE)
        code = [i for o in self.observers for i in o.code]
        self.take_no_notes = not any(isinstance(i, Write | Every | Havoc) for i in code)
        self.relied_on = False

    def _objections(
        self, state: State, seen: tuple[str, ...], thread: str = "o"
    ) -> Iterator[tuple[str, str]]:
        """Yield each claim, and that its handler objects to a state.

        `seen` are the threads whose reading of locks is known, the same in all of a question.
        """
        actor = Actor(self.space.declare_thread(thread), f"{thread}/", seen)
        cuts: frozenset[int] = frozenset({0})
        for o in self.observers:
            region = Region(self.space, o, 0, cuts, actor, state, manner=Manner.PART)
            fails = t.any_of(f.fails for f in region.failures)
            for claim in {f.text for f in region.failures}:
                yield claim, t.all_of((*region.assumed, fails))

    def no_objection(self, state: State, seen: tuple[str, ...]) -> Iterator[str]:
        """Yield that no handler objects to a state, where that can be relied on."""
        if self.relied_on:
            yield from (t.negate_term(o) for _, o in self._objections(state, seen))

    def rely_on(self, parts: Iterable[Part], ask: Ask) -> None:
        """Rely on the handlers if they take no notes, agree, and every part tells."""
        if not self.observers or not self.take_no_notes:
            return
        self.relied_on = True
        questions = [ProofObligation("step handlers", "threads", self._differ())]
        for part in parts:
            region = part.region
            ends = t.any_of(e.guard for e in region.exits)
            for claim, objects in self._objections(part.after, region.actor.seen):
                told = t.any_of(f.fails for f in region.failures if f.text == claim)
                whole = t.all_of((*part.known, ends, objects, t.negate_term(told)))
                questions.append(ProofObligation("step handlers", f"{region.start}", whole))
        answers = ask(self.space.script, questions)
        self.relied_on = all(a == "unsat" for a in answers)

    def _differ(self) -> str:
        """Return that two threads think differently of one state."""
        state = self.space.fresh("m:")
        one, other = (self._objections(state, (t.COUNT,), thread) for thread in ("o", "p"))
        return t.any_of(t.make_difference(a, b) for (_, a), (_, b) in zip(one, other, strict=True))

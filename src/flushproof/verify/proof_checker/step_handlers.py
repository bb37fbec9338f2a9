"""What may be taken for granted of a state because a claim's `step` handler would have told.

A handler that objects to a state has failed where that state came about. So two parts need commute
only in states to which none objects (Lemma L12 of docs/soundness.md), if a handler takes no notes,
is of one mind in all threads, and no part leaves a state to which it objects without a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flushproof.ir import code as ir
from flushproof.ir.code import Instr
from flushproof.ir.program import Role
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.execution import Actor, Region, execute_region
from flushproof.verify.proof_checker.machine_state import COUNT, StateSpace, StateTerms
from flushproof.verify.proof_checker.script import ProofObligation
from flushproof.verify.proof_checker.solve import Ask

Part = tuple[Region, StateTerms, tuple[str, ...]]
"""A part that was executed, the state after it, and what is known of the state before it."""


class StepHandlers:
    """The objections of a program's `step` handlers."""

    def __init__(self, space: StateSpace) -> None:
        self.space = space
        self.observers = space.program.of(Role.OBSERVE)
        self.relied_on = False

    def objections(
        self, state: StateTerms, seen: tuple[str, ...], thread: str = "o"
    ) -> Iterator[tuple[str, str]]:
        """Yield each claim, and that its handler objects to a state.

        `seen` are the threads whose reading of locks is known, the same in all of a question.
        """
        number = self.space.script.declare(thread, t.sort_of(t.THREAD))
        for o in self.observers:
            actor = Actor(number, f"{thread}/{o.name}:", {}, seen)
            region = execute_region(
                self.space, o, 0, frozenset({0}), actor, state, past_faults=True
            )
            fails = t.any_of(f.fails for f in region.failures)
            for claim in {f.claim for f in region.failures}:
                yield claim, t.all_of((*region.assumed, fails))

    def no_objection(self, state: StateTerms, seen: tuple[str, ...]) -> Iterable[str]:
        """Yield that no handler objects to a state, where that can be relied on."""
        if self.relied_on:
            yield from (t.negate_term(o) for _, o in self.objections(state, seen))

    def rely_on(self, parts: Callable[[], Iterator[Part]], ask: Ask) -> None:
        """Rely on the handlers if they take no notes, agree, and every part tells."""
        if not self.observers or any(_takes_notes(i) for o in self.observers for i in o.code):
            return
        self.relied_on = True
        questions = [ProofObligation("step handlers", "threads", self._differ())]
        for region, after, known in parts():
            for claim, objects in self.objections(after, region.actor.seen):
                told = t.any_of(f.fails for f in region.failures if f.claim == claim)
                ends = t.any_of(e.guard for e in region.exits)
                whole = t.all_of((*known, ends, objects, t.negate_term(told)))
                questions.append(ProofObligation("step handlers", f"{region.start}", whole))
        answers = ask(self.space.script, questions)
        self.relied_on = all(a == "unsat" for a in answers)

    def _differ(self) -> str:
        """Return that two threads think differently of one state."""
        state = self.space.fresh("m:")
        one, other = (self.objections(state, (COUNT,), thread) for thread in ("o", "p"))
        pairs = zip(one, other, strict=True)
        return t.any_of(t.negate_term(t.make_equality(a, b)) for (_, a), (_, b) in pairs)


def _takes_notes(i: Instr) -> bool:
    return isinstance(i, ir.Write | ir.Every | ir.Havoc)

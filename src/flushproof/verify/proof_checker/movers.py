"""Whether steps may be taken for atomic: the mover conditions of Lipton's reduction.

A part is what lies between two places that other threads can notice, heads of loops included. Two
parts of different threads are asked to commute from any state in which each thread holds the locks
that it surely holds there. A step has to be right-movers, at most one part that moves neither way,
and left-movers.

Lemma L7, Lemma L8, Lemma L9 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.code import Acquire
from flushproof.ir.invariant import Position
from flushproof.ir.program import MOST_VCPUS, Operation, Role
from flushproof.ir.types import INT, VCPU
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.accesses import Accesses, list_accesses, live_locals
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.code_paths import (
    NotUnderstood,
    region_positions,
    successor_positions,
    visible_positions,
)
from flushproof.verify.proof_checker.execution import (
    Actor,
    Region,
    execute_region,
    instantiate_guesses,
    own_number,
    start_value,
)
from flushproof.verify.proof_checker.locks import exclude_each_other, held_locks, waits_end
from flushproof.verify.proof_checker.machine_state import (
    COUNT,
    READS_SORT,
    StateSpace,
    StateTerms,
)
from flushproof.verify.proof_checker.script import ProofObligation, Script
from flushproof.verify.proof_checker.solve import Ask
from flushproof.verify.proof_checker.step_handlers import Part, StepHandlers

Pair = tuple[Position, Position]

_MOST_THREADS = t.make_constant(MOST_VCPUS + 2, INT)
"""The number of a thread, one more, and two more fit an `int`."""


class StepProblem(Record, frozen=True):
    """A place at which a step would have to begin, and why."""

    at: Position
    text: str


class MoverConditions:
    """Decides whether the steps of a program are atomic, with one flusher or any number."""

    def __init__(self, checked: CheckedProgram, ask: Ask, *, flushers: int | None = 1) -> None:
        self.checked = checked
        self.program = checked.program
        self.ask = ask
        self.single = flushers == 1
        self.script = Script()
        self.space = StateSpace(self.program, self.script)
        self.acting = [o for o in self.program.operations if o.role in (Role.LOAD, Role.FLUSH)]
        self.operations = {o.name: o for o in self.acting}
        self.cuts = {
            o.name: visible_positions(o, self.space.written) | checked.heads(o.name)
            for o in self.acting
        }
        self.held = held_locks(self.program)
        self.live = {o.name: live_locals(o.code) for o in self.acting}
        self.accesses: dict[Position, Accesses] = {
            p: self._accesses(p) for o in self.acting for p in self._parts(o)
        }
        self.handlers = StepHandlers(self.space)
        self.stays: set[Pair] = set()
        self.asked = 0
        self.open = False

    def _parts(self, o: Operation) -> list[Position]:
        return [Position(o.name, at) for at in sorted(self.cuts[o.name])]

    def _accesses(self, p: Position) -> Accesses:
        code = self.operations[p.operation].code
        return list_accesses(
            self.program, code, region_positions(code, p.at, self.cuts[p.operation])
        )

    def find_problem(self) -> StepProblem | None:
        """Return a place where a step does not begin but has to; None if there is none.

        Raises:
            NotUnderstood: there is no rule for an instruction.
        """
        endless = {o.name: self.checked.endless(o.name) for o in self.acting}
        for o in self.acting:
            for head in sorted(endless[o.name]):
                if self._goes_round(o, head):
                    return StepProblem(Position(o.name, head), "a step may not end")
        self.handlers.rely_on(self._single_parts, self.ask)
        self._ask_pairs()
        patient = waits_end(tuple(self.acting), endless)
        found = (self._problem(o, patient=patient) for o in self.acting)
        return next((p for p in found if p is not None), None)

    def _goes_round(self, o: Operation, head: int) -> bool:
        """Tell whether one step can come from the head of a loop back to it."""
        cuts = self.checked.boundaries(o.name)
        if head in cuts:
            return False
        seen: set[int] = set()
        work = [head]
        while work:
            for to in successor_positions(o.code, work.pop()):
                if to == head:
                    return True
                if to not in cuts and to not in seen:
                    seen.add(to)
                    work.append(to)
        return False

    def _problem(self, o: Operation, *, patient: bool) -> StepProblem | None:
        """Go through the code, with whether a step may be past the point where it takes effect."""
        boundaries = self.checked.boundaries(o.name)
        past: dict[int, bool] = {0: False}
        work = [0]
        while work:
            at = work.pop()
            here = Position(o.name, at)
            before = past[at] and at not in boundaries
            if at in self.cuts[o.name]:
                right, left = self._right(here), self._left(here)
                if before and not left:
                    return StepProblem(here, "it does not move left past what others do")
                if isinstance(o.code[at], Acquire) and not patient and at not in boundaries:
                    return StepProblem(here, "it may wait for ever")
                before = before if right and left else not right
            for to in successor_positions(o.code, at):
                merged = before or past.get(to, False)
                if past.get(to) != merged:
                    past[to] = merged
                    work.append(to)
        return None

    def _right(self, p: Position) -> bool:
        return not any((p, q) in self.stays for q in self.accesses)

    def _left(self, p: Position) -> bool:
        return not any((q, p) in self.stays for q in self.accesses)

    # Pairs -----------------------------------------------------------------------------------

    def _ask_pairs(self) -> None:
        """Find the pairs of which the first cannot be put off until after the second."""
        pairs = [(p, q) for p in self.accesses for q in self.accesses if self._may_clash(p, q)]
        questions = [self._question(p, q) for p, q in pairs]
        answers = self.ask(self.script, questions)
        self.asked = len(questions)
        self.open = not set(answers) <= {"sat", "unsat"}
        found = zip(pairs, answers, strict=True)
        self.stays = {pair for pair, answer in found if answer != "unsat"}

    def _single_parts(self) -> Iterator[Part]:
        """Yield every part by itself, from any state to which no `step` handler objects."""
        for p in self.accesses:
            start = self.space.fresh("m:")
            number = self._number(p, "a")
            region = self._execute(p, "a", number, (number, COUNT), start)
            known = self._of_one(p, number, start, (number, COUNT))
            yield region, self._end(region), (*known, *region.assumed)

    def _may_clash(self, p: Position, q: Position) -> bool:
        roles = {self.operations[x.operation].role for x in (p, q)}
        if roles == {Role.FLUSH} and self.single:
            return False
        held = self.held[p.operation][p.at], self.held[q.operation][q.at]
        return self.accesses[p].overlap(self.accesses[q]) and not exclude_each_other(*held)

    def _question(self, p: Position, q: Position) -> ProofObligation:
        """Ask for a run of `p`, then `q`, that has no like with `q` first."""
        start = self.space.fresh("m:")
        number = {0: self._number(p, "a"), 1: self._number(q, "b")}
        seen = (number[0], number[1], COUNT)
        first = self._execute(p, "a", number[0], seen, start)
        second = self._execute(q, "b", number[1], seen, self._end(first))
        early = self._execute(q, "b", number[1], seen, start)
        late = self._execute(p, "a", number[0], seen, self._end(early))
        known = [
            t.negate_term(t.make_equality(number[0], number[1])),
            *self._of_one(p, number[0], start, seen),
            *self._of_one(q, number[1], start, seen),
            *self._guesses((first, second, early, late), seen),
        ]
        like = [
            _enabled(early),
            _enabled(late),
            *self._same_state(self._end(second), self._end(late)),
            *self._same_exits(first, late),
            *self._same_exits(second, early),
            *_same_failures((first, second), (early, late)),
        ]
        parts = (*known, _enabled(first), _enabled(second), t.negate_term(t.all_of(like)))
        return ProofObligation(
            "mover", f"{p.operation}:{p.at}, {q.operation}:{q.at}", t.all_of(parts)
        )

    def _number(self, p: Position, name: str) -> str:
        if self.operations[p.operation].role is Role.FLUSH and self.single:
            return COUNT
        return self.script.declare(name, t.sort_of(t.THREAD))

    def _execute(
        self, p: Position, name: str, number: str, seen: tuple[str, ...], before: StateTerms
    ) -> Region:
        o = self.operations[p.operation]
        actor = Actor(number, f"{name}/{o.name}:", own_number(o, number), seen)
        trusted = self.checked.trusted.get(o.name, frozenset())
        cuts = self.cuts[o.name]
        return execute_region(self.space, o, p.at, cuts, actor, before, trusted, past_faults=True)

    def _end(self, r: Region) -> StateTerms:
        """Return the state after a region, whichever way it ends."""
        if not r.exits:
            raise NotUnderstood("a part that does not end")
        last = r.exits[-1].state
        fields, reads = dict(last.fields), dict(last.reads)
        for e in reversed(r.exits[:-1]):
            for found, more in ((fields, e.state.fields), (reads, e.state.reads)):
                for name, value in more.items():
                    found[name] = t.make_choice(e.guard, value, found[name])
        for name, value in fields.items():
            sort = self.space.field_sort(self.space.fields[name])
            fields[name] = self.script.define(value, sort)
        reads = {name: self.script.define(value, READS_SORT) for name, value in reads.items()}
        return StateTerms(fields, reads)

    # What is known ---------------------------------------------------------------------------

    def _of_one(
        self, p: Position, number: str, start: StateTerms, seen: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield what is known where a thread is about to execute a part."""
        yield f"(bvsle {t.make_constant(1, INT)} {COUNT})"
        yield f"(bvsle {COUNT} {t.make_constant(MOST_VCPUS, INT)})"
        if self.operations[p.operation].role is Role.LOAD:
            yield t.in_range(number, COUNT)
        elif not self.single:
            yield t.all_of((f"(bvsge {number} {COUNT})", f"(bvsle {number} {_MOST_THREADS})"))
        for f in self.program.witnesses:
            if f.type == VCPU:
                yield t.in_range(self.space.rigid[f.name], COUNT)
        for h in sorted(self.held[p.operation][p.at]):
            yield from self.space.facts_of_held(start, h, number, seen)
        yield from self.handlers.no_objection(start, seen)

    def _guesses(self, regions: tuple[Region, ...], seen: tuple[str, ...]) -> Iterator[str]:
        guesses = [g for r in regions for g in r.guesses]
        vcpus = (
            *seen[:2],
            *(g.witness for g in guesses),
            *(i for r in regions for i in r.looked_at),
        )
        for r in regions:
            yield from r.assumed
        yield from instantiate_guesses(guesses, vcpus)

    # What has to be alike --------------------------------------------------------------------

    def _same_state(self, a: StateTerms, b: StateTerms) -> Iterator[str]:
        yield from (t.make_equality(x, b.fields[name]) for name, x in a.fields.items())
        yield from (t.make_equality(x, b.reads[name]) for name, x in a.reads.items())

    def _same_exits(self, old: Region, new: Region) -> Iterator[str]:
        """Yield that a part goes the same way, with the same values of locals that matter."""
        ways = {e.to: e for e in new.exits}
        live = self.live[old.operation.name]
        for e in old.exits:
            other = ways.pop(e.to, None)
            yield t.make_equality(e.guard, t.FALSE if other is None else other.guard)
            if other is not None and e.to is not None:
                for x in live[e.to] & (e.locals.keys() | other.locals.keys()):
                    unset = start_value(self.script, old, x)
                    same = t.make_equality(e.locals.get(x, unset), other.locals.get(x, unset))
                    yield t.make_implication(e.guard, same)
        yield from (t.negate_term(e.guard) for e in ways.values())


def _enabled(r: Region) -> str:
    return t.any_of(e.guard for e in r.exits)


def _failures(regions: tuple[Region, Region]) -> dict[str, str]:
    """Return when each claim fails in two parts, what is undefined ("") and each sum that wraps.

    One sum does not stand for another, nor for what is undefined: each is shown never to wrap.
    """
    found: dict[str, list[str]] = {}
    for r in regions:
        for o in r.obligations:
            found.setdefault("", []).append(o.fails)
        for o in r.exact:
            found.setdefault(f" {r.operation.name} {o.at}", []).append(o.fails)
        for f in r.failures:
            found.setdefault(f.claim, []).append(f.fails)
    return {claim: t.any_of(fails) for claim, fails in found.items()}


def _same_failures(old: tuple[Region, Region], new: tuple[Region, Region]) -> Iterator[str]:
    """Yield that what fails in the old order fails in the new one."""
    before, after = _failures(old), _failures(new)
    for claim in sorted(before):
        yield t.make_implication(before[claim], after.get(claim, t.FALSE))

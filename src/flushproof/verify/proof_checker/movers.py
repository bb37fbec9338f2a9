"""Whether steps may be taken for atomic: the mover conditions of Lipton's reduction.

A part is what lies between two places that other threads can notice, heads of loops included. Two
parts of different threads are asked to commute from any state in which each thread holds the locks
that it surely holds there. A step has to be right-movers, at most one part that moves neither way,
and left-movers.

Lemma L7, Lemma L8, Lemma L9 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import or_

from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.dataflow import flow_along, solve_backward, solve_forward
from flushproof.ir.analysis.def_use import (
    defined_local,
    fields_of,
    mentions_locks,
    operand_expressions,
    used_locals,
)
from flushproof.ir.code import Acquire, Local
from flushproof.ir.invariant import Position
from flushproof.ir.program import Operation, Role
from flushproof.support.record import Record
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.code_paths import (
    ONLY_READING,
    Code,
    NotUnderstood,
    is_visible,
    region_positions,
)
from flushproof.verify.proof_checker.execution import Actor, Manner, Region, instantiate_guesses
from flushproof.verify.proof_checker.lock_state import LockTerms
from flushproof.verify.proof_checker.locks import exclude_each_other, held_locks, waits_end
from flushproof.verify.proof_checker.machine_state import State, StateSpace, is_flusher
from flushproof.verify.proof_checker.script import ProofObligation, Script
from flushproof.verify.proof_checker.solve import Ask
from flushproof.verify.proof_checker.step_handlers import Part, StepHandlers


class StepProblem(Record, frozen=True):
    """A place at which a step would have to begin, and why."""

    at: Position
    text: str


class MoverConditions:
    """Decides whether the steps of a program are atomic, with one flusher or any number."""

    def __init__(self, checked: CheckedProgram, ask: Ask, *, flushers: int | None = 1) -> None:
        self.checked = checked
        self.ask = ask
        self.single = flushers == 1
        self.script = Script()
        self.space = StateSpace(checked.program, self.script)
        acting = [o for o in checked.program.operations if o.role in (Role.LOAD, Role.FLUSH)]
        self.operations = {o.name: o for o in acting}
        self.cuts = {o.name: self._cuts(o) for o in acting}
        self.parts = [Position(o.name, at) for o in acting for at in sorted(self.cuts[o.name])]
        self.held = held_locks(checked.program)
        self.live = {o.name: _live_locals(o.code) for o in acting}
        self.accesses = {p: self._accesses(p) for p in self.parts}
        self.handlers = StepHandlers(self.space)
        self.no_right: set[Position] = set()
        self.no_left: set[Position] = set()
        self.asked = 0
        self.open = False

    def _cuts(self, o: Operation) -> frozenset[int]:
        """Return where parts begin."""
        written = self.space.written
        visible = (at for at, i in enumerate(o.code) if is_visible(i, written))
        return frozenset({0, *visible}) | self.checked.heads(o.name)

    def _accesses(self, p: Position) -> tuple[frozenset[str], frozenset[str]]:
        """Name the fields that a part accesses, and those that it writes."""
        code, locks = self.operations[p.operation].code, {f.name for f in self.space.locks}
        named: set[str] = set()
        written: set[str] = set()
        for i in (code[at] for at in region_positions(code, p.at, self.cuts[p.operation])):
            fields = {f.name for f in fields_of(i)}
            named |= fields
            if not isinstance(i, ONLY_READING):
                written |= fields
            if any(map(mentions_locks, operand_expressions(i))):
                named |= locks
        return frozenset(named), frozenset(written)

    def find_problem(self) -> StepProblem | None:
        """Return a place where a step does not begin but has to; None if there is none.

        Raises:
            NotUnderstood: there is no rule for an instruction.
        """
        endless = {name: self.checked.endless(name) for name in self.operations}
        for name, o in self.operations.items():
            for head in sorted(endless[name] - self.checked.boundaries(name)):
                if head in reachable_positions(o.code, head, self.checked.boundaries(name)):
                    return StepProblem(Position(name, head), "a step may not end")
        self.handlers.rely_on(map(self._single_part, self.parts), self.ask)
        self._ask_pairs()
        patient = waits_end(tuple(self.operations.values()), endless)
        found = (p for o in self.operations.values() for p in self._problems(o, patient=patient))
        return next(found, None)

    def _problems(self, o: Operation, *, patient: bool) -> Iterator[StepProblem]:
        """Go through the code, with whether a step may be past the point where it takes effect."""
        boundaries = self.checked.boundaries(o.name)

        def pass_part(at: int, past: bool) -> bool:  # noqa: FBT001 - a fact of the analysis
            if Position(o.name, at) in self.no_left | self.no_right:
                return Position(o.name, at) in self.no_right
            return past and at not in boundaries

        past = solve_forward(False, flow_along(o.code, pass_part), or_)  # noqa: FBT003 - as above
        for at in sorted(past.keys() - boundaries):
            if past[at] and Position(o.name, at) in self.no_left:
                text = "it does not move left past what others do"
                yield StepProblem(Position(o.name, at), text)
            if isinstance(o.code[at], Acquire) and not patient:
                yield StepProblem(Position(o.name, at), "it may wait for ever")

    # Pairs -----------------------------------------------------------------------------------

    def _ask_pairs(self) -> None:
        """Find the pairs of which the first cannot be put off until after the second."""
        pairs = [(p, q) for p in self.parts for q in self.parts if self._may_clash(p, q)]
        questions = [self._question(p, q) for p, q in pairs]
        answers = self.ask(self.script, questions)
        self.asked = len(questions)
        self.open = not set(answers) <= {"sat", "unsat"}
        for (p, q), answer in zip(pairs, answers, strict=True):
            if answer != "unsat":
                self.no_right.add(p)
                self.no_left.add(q)

    def _may_clash(self, p: Position, q: Position) -> bool:
        if self.single and {self._role(p), self._role(q)} == {Role.FLUSH}:
            return False
        held = self.held[p.operation][p.at], self.held[q.operation][q.at]
        (named, written), (others_named, others_written) = self.accesses[p], self.accesses[q]
        overlap = written & others_named or others_written & named
        return bool(overlap) and not exclude_each_other(*held)

    def _role(self, p: Position) -> Role:
        return self.operations[p.operation].role

    def _single_part(self, p: Position) -> Part:
        """Return a part by itself, from any state to which no `step` handler objects."""
        start = self.space.fresh("m:")
        number = self._number(p, "a")
        region = self._execute(p, "a", (number, t.COUNT), start, number)
        known = self._known_of(p, number, start, (number, t.COUNT))
        return Part(region, self._end(region), (*known, *region.assumed))

    def _question(self, p: Position, q: Position) -> ProofObligation:
        """Ask for a run of `p`, then `q`, that has no like with `q` first."""
        start = self.space.fresh("m:")
        a, b = self._number(p, "a"), self._number(q, "b")
        seen = (a, b, t.COUNT)
        first = self._execute(p, "a", seen, start, a)
        second = self._execute(q, "b", seen, self._end(first), b)
        early = self._execute(q, "b", seen, start, b)
        late = self._execute(p, "a", seen, self._end(early), a)
        regions = (first, second, early, late)
        witnesses = (g.witness for r in regions for g in r.guesses)
        known = [
            t.make_difference(a, b),
            *self._known_of(p, a, start, seen),
            *self._known_of(q, b, start, seen),
            *instantiate_guesses(regions, (a, b, *witnesses)),
        ]
        same = zip(self._end(second).values(), self._end(late).values(), strict=True)
        like = [
            _ends(early),
            _ends(late),
            *(t.make_equality(x, y) for x, y in same),
            *self._same_exits(first, late),
            *self._same_exits(second, early),
            *_same_failures((first, second), (early, late)),
        ]
        parts = (*known, _ends(first), _ends(second), t.negate_term(t.all_of(like)))
        text = f"{p.operation}:{p.at}, {q.operation}:{q.at}"
        return ProofObligation("mover", text, t.all_of(parts))

    def _number(self, p: Position, name: str) -> str:
        one_flusher = self.single and self._role(p) is Role.FLUSH
        return t.COUNT if one_flusher else self.space.declare_thread(name)

    def _execute(
        self, p: Position, name: str, seen: tuple[str, ...], before: State, number: str
    ) -> Region:
        o, trusted = self.operations[p.operation], self.checked.exact(p.operation)
        actor = Actor(number, f"{name}/", seen)
        cuts = self.cuts[o.name]
        return Region(self.space, o, p.at, cuts, actor, before, trusted, Manner.PART)

    def _end(self, r: Region) -> State:
        """Return the state after a region, whichever way it ends."""
        if not r.exits:
            raise NotUnderstood("a part that does not end")
        return self.space.join([(e.guard, e.state) for e in r.exits])

    def _known_of(
        self, p: Position, number: str, start: State, seen: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield what is known where a thread is about to execute a part."""
        yield from self.space.threads_exist()
        if self._role(p) is Role.LOAD:
            yield t.is_vcpu(number)
        elif not self.single:
            yield is_flusher(number)
        for h in sorted(self.held[p.operation][p.at]):
            yield from LockTerms(self.space, seen).facts_of_held(start, h, number)
        yield from self.handlers.no_objection(start, seen)

    # What has to be alike --------------------------------------------------------------------

    def _same_exits(self, old: Region, new: Region) -> Iterator[str]:
        """Yield that a part goes the same way, with the same values of locals that matter."""
        ways = {e.at: e for e in new.exits}
        for e in old.exits:
            other = ways.pop(e.at, None)
            yield t.make_equality(e.guard, t.FALSE if other is None else other.guard)
            if other is not None and e.at is not None:
                matter = self.live[old.operation.name][e.at]
                for x in matter & (e.locals.keys() | other.locals.keys()):
                    a, b = (end.locals.get(x) or old.at_start(x) for end in (e, other))
                    yield t.make_implication(e.guard, t.make_equality(a, b))
        yield from (t.negate_term(e.guard) for e in ways.values())


def _ends(r: Region) -> str:
    return t.any_of(e.guard for e in r.exits)


def _failures(regions: tuple[Region, Region]) -> dict[str, str]:
    """Return when each claim fails in two parts, what is undefined ("") and each sum that wraps.

    One sum does not stand for another, nor for what is undefined: each is shown never to wrap.
    """
    found = [("", o.fails) for r in regions for o in r.obligations]
    found += [(f" {r.operation.name} {o.at}", o.fails) for r in regions for o in r.exact]
    found += [(f.text, f.fails) for r in regions for f in r.failures]
    return {what: t.any_of(fails for x, fails in found if x == what) for what, _ in found}


def _same_failures(old: tuple[Region, Region], new: tuple[Region, Region]) -> Iterator[str]:
    """Yield that what fails in the old order fails in the new one."""
    before, after = _failures(old), _failures(new)
    for what in sorted(before):
        yield t.make_implication(before[what], after.get(what, t.FALSE))


def _live_locals(code: Code) -> tuple[frozenset[Local], ...]:
    """Return before each position the locals whose values may be looked at later."""

    def look_back(at: int, after: frozenset[Local]) -> frozenset[Local]:
        return used_locals(code[at]) | (after - {defined_local(code[at])})

    return solve_backward(code, frozenset(), look_back, lambda facts: frozenset().union(*facts))

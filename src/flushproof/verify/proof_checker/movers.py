"""Whether steps may be taken for atomic: the mover conditions of Lipton's reduction.

A part is what lies between two places that other threads can notice, heads of loops included. Two
parts of different threads are asked to commute from any state in which each thread holds the locks
that it surely holds there. A step has to be right-movers, at most one part that moves neither way,
and left-movers.

A claim's `step` handler that objects to a state has failed where that state came about. So two
parts need commute only in states to which none objects (Lemma L12), if a handler takes no notes, is
of one mind in all threads, and no part leaves a state to which it objects without a failure.

Lemma L7, Lemma L8, Lemma L9, Lemma L12 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import or_

from flushproof.ir import code as ir
from flushproof.ir.analysis import def_use
from flushproof.ir.analysis.control_flow import reachable_positions
from flushproof.ir.analysis.dataflow import flow_along, solve_backward, solve_forward
from flushproof.ir.invariant import Position
from flushproof.ir.program import Operation, Role
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.checked_program import (
    ONLY_READING,
    CheckedProgram,
    Code,
    is_visible,
    region_positions,
    waits_for_value,
)
from flushproof.verify.proof_checker.execution import Manner, Region, instantiate_guesses
from flushproof.verify.proof_checker.locks import exclude_each_other, held_locks, waits_end
from flushproof.verify.proof_checker.machine_state import State, StateSpace, is_flusher
from flushproof.verify.proof_checker.solve import Ask
from flushproof.verify.proof_checker.terms import NotUnderstood, ProofObligation, Script


class MoverConditions:
    """Decides whether the steps of a program are atomic, with one flusher or any number."""

    def __init__(self, checked: CheckedProgram, ask: Ask, *, flushers: int | None = 1) -> None:
        self.checked = checked
        self.ask = ask
        self.single = flushers == 1
        self.script = Script()
        self.space = StateSpace(checked, self.script)
        self.space.seen = (*map(self.space.declare_thread, ("a", "b")), t.COUNT)
        acting = [o for o in checked.program.operations if o.role in (Role.LOAD, Role.FLUSH)]
        self.operations = {o.name: o for o in acting}
        self.observers = checked.program.of(Role.OBSERVE)
        self.cuts = {o.name: self._cuts(o) for o in acting}
        self.parts = [Position(o.name, at) for o in acting for at in sorted(self.cuts[o.name])]
        self.accesses = {p: self._accesses(p) for p in self.parts}
        self.held = held_locks(checked.program)
        self.live = {o.name: _live_locals(o.code) for o in acting}
        self.handlers_tell = False
        self.no_right: set[Position] = set()
        self.no_left: set[Position] = set()
        self.asked = 0
        self.open = False

    def _cuts(self, o: Operation) -> frozenset[int]:
        """Return where parts begin."""
        written = self.space.written
        visible = (at for at, i in enumerate(o.code) if is_visible(i, written))
        return frozenset({0, *visible}) | self.checked.heads[o.name] | self.checked.moments[o.name]

    def _accesses(self, p: Position) -> tuple[frozenset[str], frozenset[str]]:
        """Name the fields that a part accesses, and those that it writes."""
        code = self.operations[p.operation].code
        part = [code[at] for at in region_positions(code, p.at, self.cuts[p.operation])]
        named = {f.name for i in part for f in def_use.fields_of(i) if f.name in self.space.fields}
        if any(def_use.mentions_locks(e) for i in part for e in def_use.operand_expressions(i)):
            named |= {f.name for f in self.space.locks}
        writing = (i for i in part if not isinstance(i, ONLY_READING))
        written = {f.name for i in writing for f in def_use.fields_of(i)}
        return frozenset(named), frozenset(written & named)

    def find_problem(self) -> str | None:
        """Return where a step does not begin but has to, and why; None if there is no such place.

        Raises:
            NotUnderstood: there is no rule for an instruction.
        """
        self._ask_handlers()
        self._ask_pairs()
        endless = self.checked.endless
        patient = waits_end(self.operations.values(), endless)
        for name, o in self.operations.items():
            boundaries = self.checked.boundaries[name]
            for head in sorted(endless[name] - boundaries):
                if head in reachable_positions(o.code, head, boundaries):
                    return f"{head} of {name}(): a step may not end"
            for at, past in sorted(self._find_past(o).items()):
                if past and Position(name, at) in self.no_left and at not in boundaries:
                    return f"{at} of {name}(): it does not move left past what others do"
                waits = isinstance(o.code[at], ir.Acquire) and not patient
                if (waits or waits_for_value(o.code[at])) and at not in boundaries:
                    return f"{at} of {name}(): it may wait for ever"
        return None

    def _find_past(self, o: Operation) -> dict[int, bool]:
        """Return for each position whether a step may be past the point where it takes effect."""

        def pass_part(at: int, past: bool) -> bool:  # noqa: FBT001 - a fact of the analysis
            if Position(o.name, at) in self.no_left | self.no_right:
                return Position(o.name, at) in self.no_right
            return past and at not in self.checked.boundaries[o.name]

        return solve_forward(False, flow_along(o.code, pass_part), or_)  # noqa: FBT003 - as above

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

    def _role(self, p: Position) -> Role:
        return self.operations[p.operation].role

    def _may_clash(self, p: Position, q: Position) -> bool:
        if self.single and {self._role(p), self._role(q)} == {Role.FLUSH}:
            return False
        held = self.held[p.operation][p.at], self.held[q.operation][q.at]
        (named, written), (others_named, others_written) = self.accesses[p], self.accesses[q]
        overlap = written & others_named or others_written & named
        return bool(overlap) and not exclude_each_other(*held)

    def _question(self, p: Position, q: Position) -> ProofObligation:
        """Ask for a run of `p`, then `q`, that has no like with `q` first."""
        start = self.space.fresh("m:")
        numbers = self._number(p, "a"), self._number(q, "b")
        first = self._execute(p, "a", start)
        second = self._execute(q, "b", self._end(first))
        early = self._execute(q, "b", start)
        late = self._execute(p, "a", self._end(early))
        regions = (first, second, early, late)
        witnesses = (g.witness for r in regions for g in r.guesses)
        known = [
            t.make_difference(*numbers),
            *self._known_of(p, "a", start),
            *self._known_of(q, "b", start),
            *instantiate_guesses(regions, (*numbers, *witnesses)),
        ]
        same = zip(self._end(second).values(), self._end(late).values(), strict=True)
        like = [
            *(_ends(early), _ends(late)),
            *(t.make_equality(x, y) for x, y in same),
            *self._same_exits(first, late),
            *self._same_exits(second, early),
            *_same_failures((first, second), (early, late)),
        ]
        parts = (*known, _ends(first), _ends(second), t.negate_term(t.all_of(like)))
        text = f"{p.operation}:{p.at}, {q.operation}:{q.at}"
        return ProofObligation("mover", text, t.all_of(parts))

    def _number(self, p: Position, name: str) -> str:
        """Return the number of the first or the second of two threads, `a` and `b`."""
        one_flusher = self.single and self._role(p) is Role.FLUSH
        return t.COUNT if one_flusher else self.space.declare_thread(name)

    def _execute(self, p: Position, name: str, before: State) -> Region:
        o, number, manner = self.operations[p.operation], self._number(p, name), Manner.PART
        return Region(self.space, o, p.at, self.cuts[o.name], number, f"{name}/", before, manner)

    def _end(self, r: Region) -> State:
        """Return the state after a region, whichever way it ends."""
        if not r.exits:
            raise NotUnderstood("a part that does not end")
        return self.space.join([(e.guard, e.state) for e in r.exits])

    def _known_of(self, p: Position, name: str, start: State) -> Iterator[str]:
        """Yield what is known where a thread is about to execute a part."""
        number = self._number(p, name)
        yield from self.space.threads_exist()
        if self._role(p) is Role.LOAD:
            yield t.is_vcpu(number)
        elif not self.single:
            yield is_flusher(number)
        for h in sorted(self.held[p.operation][p.at]):
            yield from self.space.facts_of_held(start, h, number)
        if self.handlers_tell:
            yield from (t.negate_term(o) for _, o in self._objections(start))

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

    # Step handlers ---------------------------------------------------------------------------

    def _ask_handlers(self) -> None:
        """Rely on step handlers if they take no notes, agree, and every part tells."""
        notes = (ir.Write, ir.Every, ir.Havoc)
        if not self.observers or any(isinstance(i, notes) for o in self.observers for i in o.code):
            return
        self.handlers_tell = True
        state = self.space.fresh("m:")
        of_two = (self._objections(state, thread) for thread in ("o", "p"))
        pairs = zip(*of_two, strict=True)
        differ = t.any_of(t.make_difference(a, b) for (_, a), (_, b) in pairs)
        questions = [ProofObligation("step handlers", "threads", differ)]
        questions += [q for p in self.parts for q in self._ask_told(p)]
        answers = self.ask(self.script, questions)
        self.handlers_tell = all(a == "unsat" for a in answers)

    def _ask_told(self, p: Position) -> Iterator[ProofObligation]:
        """Ask whether a part leaves a state to which a handler objects without a failure."""
        start = self.space.fresh("m:")
        region = self._execute(p, "a", start)
        known = (*self._known_of(p, "a", start), *region.assumed, _ends(region))
        for claim, objects in self._objections(self._end(region)):
            told = t.any_of(f.fails for f in region.failures if f.text == claim)
            whole = t.all_of((*known, objects, t.negate_term(told)))
            yield ProofObligation("step handlers", f"{p.operation}:{p.at}", whole)

    def _objections(self, state: State, thread: str = "o") -> Iterator[tuple[str, str]]:
        """Yield each claim, and that its handler objects to a state."""
        number = self.space.declare_thread(thread)
        for o in self.observers:
            end = frozenset({0})
            region = Region(self.space, o, 0, end, number, f"{thread}/", state, Manner.PART)
            fails = t.any_of(f.fails for f in region.failures)
            for claim in dict.fromkeys(f.text for f in region.failures):
                yield claim, t.all_of((*region.assumed, fails))


def _ends(r: Region) -> str:
    return t.any_of(e.guard for e in r.exits)


def _failures(regions: Sequence[Region]) -> dict[str, str]:
    """Return when each claim fails in two parts, what is undefined ("") and each sum that wraps.

    One sum does not stand for another, nor for what is undefined: each is shown never to wrap.
    """
    found = [("", o.fails) for r in regions for o in r.obligations]
    found += [(f" {r.operation.name} {o.at}", o.fails) for r in regions for o in r.exact]
    found += [(f.text, f.fails) for r in regions for f in r.failures]
    return {what: t.any_of(fails for x, fails in found if x == what) for what, _ in found}


def _same_failures(old: Sequence[Region], new: Sequence[Region]) -> Iterator[str]:
    """Yield that what fails in the old order fails in the new one."""
    before, after = _failures(old), _failures(new)
    for what in sorted(before):
        yield t.make_implication(before[what], after.get(what, t.FALSE))


def _live_locals(code: Code) -> tuple[frozenset[ir.Local], ...]:
    """Return before each position the locals whose values may be looked at later."""

    def look_back(at: int, after: frozenset[ir.Local]) -> frozenset[ir.Local]:
        return def_use.used_locals(code[at]) | (after - {def_use.defined_local(code[at])})

    return solve_backward(code, frozenset(), look_back, lambda facts: frozenset().union(*facts))

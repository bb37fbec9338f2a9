"""What is known at a location of a case: the claimed facts, locks, and what always holds.

Threads are the flusher, the loads of tracked vCPUs, and the observer. Somebody else may be put in
the place of one of them, as the facts hold for whoever is there.

The history variable has the vCPU at which the flusher was when the claim first changed its record.
No code reads it, so it changes no run, whatever is put into it (Lemma L20 of docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from flushproof.ir.code import Field, FieldScope
from flushproof.ir.invariant import ANY, FLUSHER, OBSERVER, CaseInvariant, Fact, Location, Position
from flushproof.ir.program import MOST_THREADS, MOST_VCPUS, Role
from flushproof.ir.types import INT
from flushproof.support.record import Record, replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.execution import Reached
from flushproof.verify.proof_checker.facts import Typed, View, state_facts, value_facts
from flushproof.verify.proof_checker.locks import held_locks, unheld_locks
from flushproof.verify.proof_checker.machine_state import State, StateSpace, is_flusher
from flushproof.verify.proof_checker.terms import NotUnderstood, Script

LOAD = FLUSHER + 1
"""The load of the first tracked vCPU."""

NOTED = Field("noted:vcpu", "vCPU noted first", FieldScope.VM, INT, ghost=True)
"""The history variable."""


class Players(Record, frozen=True):
    """Who plays the threads of a location: their numbers, and what names of locals begin with.

    Where somebody else is in the place of one thread, the `prefix` tells their locals apart.
    """

    numbers: Mapping[int, str]
    other: int | None = None
    prefix: str = ""

    def prefix_of(self, thread: int) -> str:
        """Return what the names of a thread's locals begin with."""
        return f"{self.prefix}{thread}:" if thread == self.other else f"{thread}:"

    def put_in_place(self, thread: int, number: str, prefix: str) -> Players:
        """Return who plays once somebody else is in the place of a thread."""
        return Players({**self.numbers, thread: number}, thread, prefix)


class CaseLocations:
    """The threads of a case, and what is known of its state where they are."""

    def __init__(self, checked: CheckedProgram, case: CaseInvariant) -> None:
        self.checked = checked
        self.program = checked.program
        self.case = case
        self.script = Script()
        self.operations = {o.name: o for o in self.program.operations}
        self.held = held_locks(self.program)
        self.unheld = unheld_locks(self.program)
        self.space = StateSpace(checked, self.script, NOTED if case.history else None)
        self.facts: Mapping[Location, tuple[Fact, ...]] = dict(case.facts)
        self.state = self.space.fresh("m:")
        self.generic = case.tracked == (ANY,)
        self.tracked = tuple(map(self._find_tracked, case.tracked))
        flusher = self.space.declare_thread("f") if checked.many else t.COUNT
        observer = self.space.declare_thread("observer")
        loads = {LOAD + k: v for k, v in enumerate(self.tracked)}
        self.players = Players({FLUSHER: flusher, **loads, OBSERVER: observer})
        self.other_load = self.space.declare_thread("u")
        self.other_flusher = self.space.declare_thread("g")
        more = (self.other_flusher,) if checked.many else ()
        self.space.seen = (flusher, *self.tracked, self.other_load, *more)
        if case.history and not self.generic:
            raise NotUnderstood("what is noted is at a vCPU that is not any")
        if case.merged and not case.tracked:
            raise NotUnderstood("witnesses are the same vCPU, and none is tracked")

    def _find_tracked(self, witness: str) -> str:
        if witness == ANY:
            return self.space.declare_thread("v")
        if witness not in self.space.vcpu_witnesses:
            raise NotUnderstood(f"no witness `{witness}`")
        return self.space.vcpu_witnesses[witness]

    def position(self, where: Location, thread: int) -> Position | None:
        """Return where a thread is, None between calls."""
        if thread == OBSERVER:
            return where.observer
        return where.flusher if thread == FLUSHER else where.loads[thread - LOAD]

    def moved(self, where: Location, thread: int, to: Position | None) -> Location:
        """Return the location after a thread came to a position, or to the end of its call."""
        inside = to is not None and to.at not in self.checked.boundaries[to.operation]
        where = replace(where, running=thread if inside else None)
        if thread == OBSERVER:
            return replace(where, observer=to)
        if thread == FLUSHER:
            return replace(where, flusher=to)
        k = thread - LOAD
        return replace(where, loads=(*where.loads[:k], to, *where.loads[k + 1 :]))

    def view(
        self,
        where: Location,
        state: State,
        players: Players,
        moved: tuple[int, Reached] | None = None,
    ) -> View:
        """Return what facts at a location are about, to which a thread may have moved just now."""

        def local(thread: int, name: str) -> Typed | None:
            p = self.position(where, thread) if thread in players.numbers else None
            x = None if p is None else self.checked.locals[p.operation].get(name)
            if p is None or x is None:
                return None
            if moved is not None and thread == moved[0] and x in moved[1].locals:
                return moved[1].locals[x], x.type
            o = self.operations[p.operation]
            if o.role is Role.LOAD and x == o.parameters.vcpu:
                return players.numbers[thread], x.type
            symbol = f"{players.prefix_of(thread)}{o.name}:{name}"
            return self.script.declare(symbol, x.type), x.type

        return View(self.space, state, players.numbers, local)

    def claimed(self, where: Location, view: View) -> str:
        """Return the facts claimed at a location; where none are, nothing is to come there."""
        return state_facts(self.facts[where], view.find) if where in self.facts else t.FALSE

    def holds(self, where: Location, state: State, players: Players) -> str:
        """Return the facts at a location, and what is known of each thread where it is."""
        view = self.view(where, state, players)
        parts = [self.claimed(where, view)]
        for thread in players.numbers:
            parts += self.of_thread(thread, self.position(where, thread), view)
        return t.all_of(parts)

    def of_thread(self, thread: int, at: Position | None, view: View) -> Iterator[str]:
        """Yield what the code alone says of a thread: its locks, and facts about its locals."""
        number = view.numbers[thread]
        unheld = next(iter(self.unheld.values()))[0]
        if at is not None:
            unheld = self.unheld[at.operation][at.at]
            for held in sorted(self.held[at.operation][at.at]):
                yield from self.space.facts_of_held(view.state, held, number)
            point = self.checked.points[at.operation].get(at.at)
            if point is not None:
                yield state_facts(point.facts, view.of_locals(thread).find)
        for lock in sorted(unheld):
            yield from self.space.facts_of_unheld(view.state, lock, number)

    def always(self) -> Iterator[str]:
        """Yield what holds in each state: of how many vCPUs there are, of who they are, of words.

        The observer has some number beyond those of vCPUs and the flusher.
        """
        observer = self.players.numbers[OBSERVER]
        yield from self.space.threads_exist()
        yield f"(< {t.COUNT} {observer})"
        yield f"(<= {observer} {t.make_integer(MOST_VCPUS + 4)})"
        if self.checked.many:
            yield from self.may_flush(self.players.numbers[FLUSHER])
        yield from map(t.is_vcpu, self.tracked)
        yield from (t.make_difference(a, b) for a, b in combinations(self.tracked, 2))
        if self.case.merged:
            witnesses = self.space.vcpu_witnesses.values()
            yield from (t.make_equality(w, self.tracked[0]) for w in witnesses)
        most = t.make_integer(MOST_THREADS) if self.checked.many else t.COUNT
        yield from self.space.facts_of_words(self.state, self.tracked, most)
        for name in self.checked.values:
            scope = self.space.fields[name].scope
            for index in (None,) if scope is FieldScope.VM else self.tracked:
                yield self.value_holds(name, index)

    def may_flush(self, number: str) -> Iterator[str]:
        """Yield that a number may be that of a flusher where there are many."""
        yield is_flusher(number)
        yield t.make_difference(number, self.players.numbers[OBSERVER])

    def value_holds(self, name: str, index: str | None) -> str:
        """Return what always holds of a field."""
        f = self.space.fields[name]
        return value_facts(self.checked.values, f, self.space.read(self.state, f, index))

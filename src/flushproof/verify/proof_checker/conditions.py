"""The proof obligations of an invariant: it holds at boot, every step keeps it, nothing fails.

Threads are the flusher, the loads of tracked vCPUs, any other vCPU, any other flusher, and the
observer. A tracked vCPU that is any stands for each (Lemma L19 of docs/soundness.md): another vCPU
that acts, or that is looked at, satisfies the invariant as well. Where there are many flushers the
tracked one stands for each in the same way (Lemma L32 of docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations

from flushproof.ir.code import FieldScope
from flushproof.ir.invariant import (
    ANY,
    FLUSHER,
    OBSERVER,
    CaseInvariant,
    Fact,
    Location,
    Position,
)
from flushproof.ir.program import MOST_THREADS, MOST_VCPUS, Role
from flushproof.ir.types import INT
from flushproof.support.record import Record, replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.cases import failure_edges
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.code_paths import NotUnderstood, locals_by_name
from flushproof.verify.proof_checker.execution import (
    Actor,
    CanFail,
    Reached,
    Region,
    instantiate_guesses,
)
from flushproof.verify.proof_checker.facts import (
    Typed,
    View,
    no_local,
    state_facts,
    value_facts,
)
from flushproof.verify.proof_checker.history import NOTED, NOWHERE, update_history, with_history
from flushproof.verify.proof_checker.lock_state import LockTerms
from flushproof.verify.proof_checker.locks import (
    exclude_each_other,
    held_locks,
    unheld_locks,
)
from flushproof.verify.proof_checker.machine_state import State, StateSpace, is_flusher
from flushproof.verify.proof_checker.script import ProofObligation, Script

LOAD = FLUSHER + 1
"""The load of the first tracked vCPU; that of another vCPU stands in its place."""


class Cast(Record, frozen=True):
    """Who plays the threads of a location: their numbers, and what names of locals begin with.

    Where somebody else is in the place of one thread, the `prefix` tells their locals apart.
    """

    numbers: Mapping[int, str]
    other: int | None = None
    prefix: str = ""

    def prefix_of(self, thread: int) -> str:
        """Return what the names of a thread's locals begin with."""
        return f"{self.prefix}{thread}:" if thread == self.other else f"{thread}:"


class CaseConditions:
    """The obligations of one case."""

    def __init__(self, checked: CheckedProgram, case: CaseInvariant, script: Script) -> None:
        self.checked = checked
        self.program = checked.program
        self.case = case
        self.script = script
        self.operations = {o.name: o for o in self.program.operations}
        self.locals_of = {o.name: locals_by_name(o) for o in self.program.operations}
        self.held = held_locks(self.program)
        self.unheld = unheld_locks(self.program)
        extended = with_history(self.program) if case.history else self.program
        self.space = StateSpace(extended, script, NOTED.name if case.history else "")
        self.facts: Mapping[Location, tuple[Fact, ...]] = dict(case.facts)
        self.state = self.space.fresh("m:")
        self.generic = case.tracked == (ANY,)
        self.tracked = tuple(self._tracked(witness) for witness in case.tracked)
        flusher = self.space.declare_thread("f") if checked.many else t.COUNT
        observer = self.space.declare_thread("observer")
        loads = {LOAD + k: v for k, v in enumerate(self.tracked)}
        self.cast = Cast({FLUSHER: flusher, **loads, OBSERVER: observer})
        self.other = self.space.declare_thread("u")
        self.other_flusher = self.space.declare_thread("g")
        seen = (flusher, *self.tracked, self.other)
        self.seen = (*seen, self.other_flusher) if checked.many else seen
        self.locks = LockTerms(self.space, self.seen)
        self.regions: dict[tuple[Position, str], Region] = {}
        self.sums: list[tuple[Position, ProofObligation]] = []
        if case.history and not self.generic:
            raise NotUnderstood("what is noted is at a vCPU that is not any")
        if case.merged and not case.tracked:
            raise NotUnderstood("witnesses are the same vCPU, and none is tracked")

    def _tracked(self, witness: str) -> str:
        if witness == ANY:
            return self.space.declare_thread("v")
        if witness not in self.space.vcpu_witnesses:
            raise NotUnderstood(f"no witness `{witness}`")
        return self.space.vcpu_witnesses[witness]

    # Locations -------------------------------------------------------------------------------

    def _position(self, where: Location, thread: int) -> Position | None:
        if thread == OBSERVER:
            return where.observer
        return where.flusher if thread == FLUSHER else where.loads[thread - LOAD]

    def _moved(self, where: Location, thread: int, to: Position | None) -> Location:
        """Return the location after a thread came to a position, or to the end of its call."""
        inside = to is not None and to.at not in self.checked.boundaries(to.operation)
        where = replace(where, running=thread if inside else None)
        if thread == OBSERVER:
            return replace(where, observer=to)
        if thread == FLUSHER:
            return replace(where, flusher=to)
        k = thread - LOAD
        return replace(where, loads=(*where.loads[:k], to, *where.loads[k + 1 :]))

    def _possible(self, where: Location, *more: Position) -> bool:
        """Tell whether no two threads there hold one lock."""
        places = (*(self._position(where, k) for k in self.cast.numbers), *more)
        held = [self.held[p.operation][p.at] for p in places if p is not None]
        return not any(exclude_each_other(a, b) for a, b in combinations(held, 2))

    # What is known ---------------------------------------------------------------------------

    def _view(
        self, where: Location, state: State, cast: Cast, moved: tuple[int, Reached] | None = None
    ) -> View:
        """Return what facts at a location are about, to which a thread may have moved just now."""

        def local(thread: int, name: str) -> Typed:
            p = self._position(where, thread) if thread in cast.numbers else None
            x = None if p is None else self.locals_of[p.operation].get(name)
            if p is None or x is None:
                return no_local(thread, name)
            if moved is not None and thread == moved[0] and x in moved[1].locals:
                return moved[1].locals[x], x.type
            o = self.operations[p.operation]
            if o.role is Role.LOAD and x == o.parameters.vcpu:
                return cast.numbers[thread], x.type
            symbol = f"{cast.prefix_of(thread)}{o.name}:{name}"
            return self.script.declare(symbol, t.sort_of(x.type)), x.type

        return View(self.space, state, cast.numbers, local)

    def _claimed(self, where: Location, view: View) -> str:
        """Return the facts claimed at a location; where none are, nothing is to come there."""
        return state_facts(self.facts[where], view.find) if where in self.facts else t.FALSE

    def _holds(self, where: Location, state: State, cast: Cast) -> str:
        """Return the facts at a location, and what is known of each thread where it is."""
        view = self._view(where, state, cast)
        parts = [self._claimed(where, view)]
        for thread in cast.numbers:
            parts += self._of_thread(thread, self._position(where, thread), view)
        return t.all_of(parts)

    def _of_thread(self, thread: int, at: Position | None, view: View) -> Iterator[str]:
        """Yield what the code alone says of a thread: its locks, and facts about its locals."""
        number = view.numbers[thread]
        unheld = next(iter(self.unheld.values()))[0]
        if at is not None:
            unheld = self.unheld[at.operation][at.at]
            for held in sorted(self.held[at.operation][at.at]):
                yield from self.locks.facts_of_held(view.state, held, number)
        for lock in sorted(unheld):
            yield from self.locks.facts_of_unheld(view.state, lock, number)
        if at is not None and (point := self.checked.points[at.operation].get(at.at)) is not None:
            own = partial(view.local, thread)
            alone = View(
                self.space, {}, {}, lambda k, x: own(x) if k == FLUSHER else no_local(k, x)
            )
            yield state_facts(point.facts, alone.find)

    def _always(self) -> Iterator[str]:
        """Yield what holds in each state: of how many vCPUs there are, of who they are, of words.

        The observer has some number beyond those of vCPUs and the flusher.
        """
        flusher, observer = self.cast.numbers[FLUSHER], self.cast.numbers[OBSERVER]
        yield from self.space.threads_exist()
        yield f"(bvslt {t.COUNT} {observer})"
        yield f"(bvsle {observer} {t.make_number(MOST_VCPUS + 4)})"
        if self.checked.many:
            yield from self._is_flusher(flusher)
        yield from map(t.is_vcpu, self.tracked)
        yield from (t.make_difference(a, b) for a, b in combinations(self.tracked, 2))
        if self.case.merged:
            witnesses = self.space.vcpu_witnesses.values()
            yield from (t.make_equality(w, self.tracked[0]) for w in witnesses)
        most = t.make_number(MOST_THREADS) if self.checked.many else t.COUNT
        yield from self.locks.facts_of_words(self.state, self.tracked, most)
        for name in self.checked.values:
            scope = self.space.fields[name].scope
            for index in (None,) if scope is FieldScope.VM else self.tracked:
                yield self._value_holds(name, index)

    def _is_flusher(self, number: str) -> Iterator[str]:
        yield is_flusher(number)
        yield t.make_difference(number, self.cast.numbers[OBSERVER])

    def _value_holds(self, name: str, index: str | None) -> str:
        """Return what always holds of a field."""
        f = self.space.fields[name]
        return value_facts(f, self.checked.facts_of(f), self.space.read(self.state, f, index))

    def _known(self, region: Region) -> Iterator[str]:
        """Yield what holds in every execution of a region: of arguments, values, and guesses."""
        for index, names in region.looked_at.items():
            for name in sorted(names & self.checked.values.keys()):
                yield self._value_holds(name, index)
        yield from instantiate_guesses([region], (*self.tracked, self.other))
        yield from region.argument_facts()

    def _looked_at(self, where: Location, region: Region) -> Iterator[str]:
        """Yield that vCPUs at which the flusher looks satisfy the invariant, where one is any."""
        for k, index in enumerate(region.looked_at):
            exists = t.all_of((t.is_vcpu(index), t.make_difference(index, self.tracked[0])))
            if exists != t.FALSE:
                cast = self._recast(LOAD, index, f"{k}/")
                places = (replace(where, loads=(p,)) for p in self._load_positions(where))
                alike = t.any_of(self._holds(place, self.state, cast) for place in places)
                yield t.make_implication(exists, alike)

    def _recast(self, thread: int, number: str, prefix: str) -> Cast:
        """Return who plays once somebody else is in the place of a thread."""
        return Cast({**self.cast.numbers, thread: number}, thread, prefix)

    def _load_positions(self, where: Location) -> Iterator[Position | None]:
        yield None
        for o in self.program.of(Role.LOAD):
            for at in sorted(self.checked.boundaries(o.name) - {0}):
                position = Position(o.name, at)
                if self._possible(replace(where, loads=(position,))):
                    yield position

    # Questions -------------------------------------------------------------------------------

    def ask_all(self) -> None:
        """Ask everything, from the first location on.

        Raises:
            NotUnderstood: there is no rule for something.
        """
        always = self.script.define(t.all_of(self._always()), "Bool")
        waiting = [self._ask_boot(always)]
        seen = set(waiting)
        while waiting:
            where = waiting.pop()
            if where not in self.facts:
                continue  # that nobody comes there was asked
            known = t.all_of((always, self._holds(where, self.state, self.cast)))
            hypothesis = self.script.define(known, "Bool")
            targets = dict.fromkeys(self._ask_own(where, hypothesis))
            if where.running is None:
                self._ask_others(where, hypothesis)
            waiting += [target for target in targets if target not in seen]
            seen |= targets.keys()

    def _ask_boot(self, always: str) -> Location:
        """Ask that the facts hold at boot; an observer looks before anybody acts."""
        where = Location(None, tuple(None for _ in self.tracked))
        for o in self.program.of(Role.OBSERVE):
            where = replace(where, observer=Position(o.name, 0), running=OBSERVER)
        facts = self._claimed(where, self._view(where, self.state, self.cast))
        known = (always, *self._first_values(), t.negate_term(facts))
        self.script.ask("initiation", "boot", known)
        return where

    def _first_values(self) -> Iterator[str]:
        for f in self.space.fields.values():
            if f.name in self.state and f not in self.program.witnesses:
                for index in (None,) if f.scope is FieldScope.VM else self.tracked:
                    held = self.space.read(self.state, f, index)
                    yield t.make_equality(held, self.space.first_value(f, index))
            for thread in self.cast.numbers.values():
                zero = t.make_number(0)
                yield t.make_equality(self.locks.reader_count(self.state, f, thread), zero)

    def _ask_own(self, where: Location, hypothesis: str) -> Iterator[Location]:
        """Ask about the steps of tracked threads; yield where they lead."""
        for thread in self._running(where):
            for position in self._starts(where, thread):
                region = self._region(position, thread, self.cast)
                text = f"{self._who(thread)}, {self._line(position)}"
                known = [hypothesis, *self._known(region)]
                if self.generic and thread != LOAD:
                    known += self._looked_at(where, region)
                whole = self.script.define(t.all_of(known), "Bool")
                self._ask_failures(region, whole, text, thread)
                for end in region.exits:
                    if end.at is None and region.operation.role is Role.END:
                        continue
                    to = None if end.at is None else Position(position.operation, end.at)
                    target = self._moved(where, thread, to)
                    if self._possible(target):
                        yield target
                        self._ask_kept(target, thread, region, end, (whole, text))

    def _ask_kept(
        self, target: Location, thread: int, region: Region, end: Reached, asked: tuple[str, str]
    ) -> None:
        whole, text = asked
        state = self._noted(region, end.state) if thread == FLUSHER else end.state
        facts = self._claimed(target, self._view(target, state, self.cast, (thread, end)))
        self.script.ask("consecution", text, (whole, end.guard, t.negate_term(facts)))

    def _noted(self, region: Region, after: State) -> State:
        """Return the state after a step of the flusher, with what its history then says."""
        if not self.case.history:
            return after
        name = region.operation.name
        walker = dict(self.case.walkers).get(Position(name, region.start), "")
        old = at = t.make_number(NOWHERE)
        if region.start != 0:
            old = self.state[NOTED.name]
        if walker in self.locals_of[name]:
            x = self.locals_of[name][walker]
            at = t.convert_value(region.at_start(x), x.type, INT)
        return update_history(self.program, old, at, self.state, after)

    def _running(self, where: Location) -> tuple[int, ...]:
        """Return the threads that may take a step; the observer looks at the end, too."""
        if where.running is not None:
            return (where.running,)
        over = where.flusher is None and not any(where.loads)
        return tuple(k for k in self.cast.numbers if k != OBSERVER or over)

    def _starts(self, where: Location, thread: int) -> list[Position]:
        at = self._position(where, thread)
        role = {FLUSHER: Role.FLUSH, OBSERVER: Role.END}.get(thread, Role.LOAD)
        return [Position(o.name, 0) for o in self.program.of(role)] if at is None else [at]

    def _region(self, position: Position, thread: int, cast: Cast) -> Region:
        prefix = cast.prefix_of(thread)
        if (position, prefix) not in self.regions:
            operation = self.operations[position.operation]
            cuts = self.checked.cuts(operation.name)
            actor = Actor(cast.numbers[thread], prefix, self.seen)
            trusted = self.checked.exact(operation.name)
            region = Region(self.space, operation, position.at, cuts, actor, self.state, trusted)
            self.regions[position, prefix] = region
        return self.regions[position, prefix]

    # Others ----------------------------------------------------------------------------------

    def _ask_others(self, where: Location, hypothesis: str) -> None:
        """Ask about the steps of a vCPU and of a flusher that are not tracked, from every cut."""
        others = [(Role.LOAD, LOAD), *([(Role.FLUSH, FLUSHER)] if self.checked.many else [])]
        for role, thread in others:
            for o in self.program.of(role):
                for at in sorted(self.checked.cuts(o.name)):
                    position = Position(o.name, at)
                    if self._possible(where, position):
                        self._ask_other(where, hypothesis, position, thread)

    def _ask_other(self, where: Location, hypothesis: str, position: Position, thread: int) -> None:
        """Ask that the step of one in the place of a thread keeps the facts.

        Where a flusher's fails, the tracked one, which is any, fails in its own step.
        """
        flushes = thread == FLUSHER
        number, prefix = (self.other_flusher, "g/") if flushes else (self.other, "u/")
        cast = self._recast(thread, number, prefix)
        region = self._region(position, thread, cast)
        known = [hypothesis, *self._known(region)]
        if flushes:
            known += self._is_flusher(number)
            known.append(t.make_difference(number, self.cast.numbers[FLUSHER]))
        else:
            known.append(t.is_vcpu(number))
            known += [t.make_difference(number, v) for v in self.tracked]
        place = None if position.at == 0 else position
        if flushes or self.generic:
            state = self._with_own_history() if flushes else self.state
            known.append(self._holds(self._moved(where, thread, place), state, cast))
        else:
            alone = Location(None, (position,))
            known += self._of_thread(thread, position, self._view(alone, self.state, cast))
        whole = self.script.define(t.all_of(known), "Bool")
        who = "another flusher" if flushes else "another vCPU"
        text = f"{who}, {self._line(position)}"
        if not flushes:
            self._ask_failures(region, whole, text, None)
        for end in region.exits:
            facts = self._claimed(where, self._view(where, end.state, self.cast))
            self.script.ask("interference", text, (whole, end.guard, t.negate_term(facts)))

    def _with_own_history(self) -> State:
        """Return the state with what another flusher noted, which is its own."""
        if not self.case.history:
            return self.state
        noted = self.script.declare(f"g/{NOTED.name}", t.sort_of(NOTED.type))
        return {**self.state, NOTED.name: noted}

    # Failures --------------------------------------------------------------------------------

    def _ask_failures(self, region: Region, whole: str, text: str, thread: int | None) -> None:
        looked_at = t.all_of(self._failing(thread))
        for f in region.failures:
            found = (whole, looked_at, f.fails, *self._not_excluded(region, f))
            self.script.ask("safety", f"{f.text}: {text}", found)
        if not self.checked.defined:
            for s in region.exact:
                formula = t.all_of((whole, s.fails))
                question = ProofObligation("sums", f"{s.text}: {text}", formula)
                self.sums.append((Position(region.operation.name, s.at), question))
        for o in region.obligations:
            if not (o.proper and self.checked.defined):
                found = (whole, t.TRUE if o.proper else looked_at, o.fails)
                self.script.ask("definedness", f"{o.text}: {text}", found)

    def _failing(self, thread: int | None) -> Iterator[str]:
        """Yield where failures are to be looked at, as one case has them if any has."""
        witnesses = [*self.space.vcpu_witnesses.values()]
        if self.case.history and thread == FLUSHER:
            noted = self.state[NOTED.name]
            nowhere = t.negate_term(t.is_vcpu(noted))
            yield t.any_of((t.make_equality(noted, self.tracked[0]), nowhere))
        if not self.case.history and self.generic and len(witnesses) == 1:
            yield t.make_equality(self.tracked[0], witnesses[0])

    def _not_excluded(self, region: Region, failure: CanFail) -> Iterator[str]:
        edges = failure_edges(region.operation.code, failure.at)
        for p in self.case.excluded:
            if p.operation == region.operation.name:
                if p.at == failure.at:
                    yield t.FALSE
                for to in edges.get(p.at, ()):
                    yield t.negate_term(region.edges.get((p.at, to), t.FALSE))

    def _who(self, thread: int) -> str:
        if thread in (FLUSHER, OBSERVER):
            return "flusher" if thread == FLUSHER else "observer"
        return f"vCPU {self.case.tracked[thread - LOAD] or 'v'}"

    def _line(self, position: Position) -> str:
        span = self.operations[position.operation].code[position.at].span
        line = f" line {span.line}" if span is not None else ""
        return f"{position.operation}() from {position.at}{line}"

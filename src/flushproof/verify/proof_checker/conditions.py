"""The proof obligations of an invariant: it holds at boot, every step keeps it, nothing fails.

Threads are the flusher, the loads of tracked vCPUs, any other vCPU, any other flusher, and the
observer. A tracked vCPU that is any stands for each (Lemma L19 of docs/soundness.md): another vCPU
that acts, or that is looked at, satisfies the invariant as well. Where there are many flushers the
tracked one stands for each in the same way (Lemma L32 of
docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from flushproof.ir.code import Assert, Assign, Branch, Const, Local, Var
from flushproof.ir.invariant import (
    ANY,
    FLUSHER,
    OBSERVER,
    CaseInvariant,
    Fact,
    Location,
    Position,
)
from flushproof.ir.program import MOST_VCPUS, Operation, Role
from flushproof.ir.types import INT, VCPU
from flushproof.support.record import replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.accesses import locals_of, set_local
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.code_paths import Code, NotUnderstood, successor_positions
from flushproof.verify.proof_checker.execution import (
    Actor,
    Region,
    RegionExit,
    arguments_of,
    execute_region,
    instantiate_guesses,
    own_number,
    start_value,
)
from flushproof.verify.proof_checker.facts import FactTranslation, View, value_holds
from flushproof.verify.proof_checker.history import NOTED, update_history, with_history
from flushproof.verify.proof_checker.locks import (
    LockSet,
    exclude_each_other,
    held_locks,
    unheld_locks,
)
from flushproof.verify.proof_checker.machine_state import COUNT, StateSpace, StateTerms
from flushproof.verify.proof_checker.script import ProofObligation, Script

OTHER = "another vCPU"
OTHER_FLUSHER = "another flusher"
OTHER_PREFIX = "g/"
"""Begins the names of the locals of another flusher."""
MOST_THREADS = t.make_constant(MOST_VCPUS + 2, INT)
"""The largest number of a flusher where there are many."""


class CaseConditions:
    """The obligations of one case."""

    def __init__(self, checked: CheckedProgram, case: CaseInvariant, script: Script) -> None:
        self.checked = checked
        self.program = checked.program
        self.case = case
        self.script = script
        self.operations = {o.name: o for o in self.program.operations}
        self.locals_of = {o.name: locals_of(o) for o in self.program.operations}
        self.held = held_locks(self.program)
        self.unheld = unheld_locks(self.program)
        self.walkers = dict(case.walkers)
        if case.history:
            self.space = StateSpace(with_history(self.program), script, NOTED.name)
        else:
            self.space = StateSpace(self.program, script)
        self.facts: Mapping[Location, tuple[Fact, ...]] = dict(case.facts)
        self.translation = FactTranslation(self.space)
        self.state = self.space.fresh("m:")
        self.tracked = tuple(self._tracked(k) for k in range(len(case.tracked)))
        self.generic = case.tracked == (ANY,)
        self.flusher = self._declare_thread("f") if checked.many else COUNT
        self.seen = (self.flusher, *self.tracked)
        self.other = self._declare_thread("u")
        self.other_flusher = self._declare_thread("g")
        self.all_seen = (*self.seen, self.other, *((self.other_flusher,) if checked.many else ()))
        self.regions: dict[tuple[Position, int], Region] = {}
        self.sums: list[tuple[Position, ProofObligation]] = []
        if case.history and case.tracked != (ANY,):
            raise NotUnderstood("what is noted is at a vCPU that is not any")
        if case.merged and not case.tracked:
            raise NotUnderstood("witnesses are the same vCPU, and none is tracked")
        self._require_loads_know_their_vcpu()
        self.around = t.all_of(self._always())

    def _require_loads_know_their_vcpu(self) -> None:
        for o in self.program.of(Role.LOAD):
            own = o.parameters.vcpu
            if own is not None and own in map(set_local, o.code):
                raise NotUnderstood(f"{o.name}() assigns the vCPU that it is for")

    def _declare_thread(self, name: str) -> str:
        return self.script.declare(name, t.sort_of(t.THREAD))

    # What is tracked -------------------------------------------------------------------------

    def _tracked(self, k: int) -> str:
        witness = self.case.tracked[k]
        if witness == ANY:
            return self.script.declare("v", t.sort_of(t.THREAD))
        names = [f.name for f in self.program.witnesses if f.type == VCPU]
        if witness not in names or witness in self.space.written:
            raise NotUnderstood(f"no witness `{witness}`")
        return self.space.rigid[witness]

    def _always(self) -> Iterator[str]:
        """Yield what holds at any time: of the number of vCPUs, the tracked ones, witnesses."""
        yield f"(bvsle {t.make_constant(1, INT)} {COUNT})"
        yield f"(bvsle {COUNT} {t.make_constant(MOST_VCPUS, INT)})"
        observer = self.number(OBSERVER)  # some number beyond those of vCPUs and the flusher
        yield f"(bvslt {COUNT} {observer})"
        yield f"(bvsle {observer} {t.make_constant(MOST_VCPUS + 4, INT)})"
        if self.checked.many:
            yield from self._is_flusher(self.flusher)
        witnesses = [self.space.rigid[f.name] for f in self.program.witnesses if f.type == VCPU]
        for v in dict.fromkeys((*self.tracked, *witnesses)):
            yield t.in_range(v, COUNT)
        for a, b in combinations(self.tracked, 2):
            yield t.negate_term(t.make_equality(a, b))
        if self.case.merged:
            yield from (t.make_equality(w, self.tracked[0]) for w in witnesses)

    def _is_flusher(self, number: str) -> Iterator[str]:
        """Yield that a number may be that of a flusher where there are many."""
        yield f"(bvsle {COUNT} {number})"
        yield f"(bvsle {number} {MOST_THREADS})"
        yield t.negate_term(t.make_equality(number, self.number(OBSERVER)))

    def number(self, thread: int) -> str:
        """Return the number of a thread."""
        if thread == FLUSHER:
            return self.flusher
        if thread == OBSERVER:
            return self.script.declare("observer", t.sort_of(t.THREAD))
        return self.tracked[thread - 1]

    # Locations -------------------------------------------------------------------------------

    def position(self, where: Location, thread: int) -> Position | None:
        """Return where a thread is."""
        if thread == OBSERVER:
            return where.observer
        return where.flusher if thread == FLUSHER else where.loads[thread - 1]

    def moved(self, where: Location, thread: int, to: Position | None) -> Location:
        """Return the location after a thread came to a position, or to the end of its call."""
        inside = to is not None and to.at not in self.checked.boundaries(to.operation)
        where = replace(where, running=thread if inside else None)
        if thread == OBSERVER:
            return replace(where, observer=to)
        if thread == FLUSHER:
            return replace(where, flusher=to)
        loads = (*where.loads[: thread - 1], to, *where.loads[thread:])
        return replace(where, loads=loads)

    def _locks_at(self, where: Location) -> list[tuple[int, LockSet]]:
        threads = (FLUSHER, *range(1, 1 + len(self.tracked)), OBSERVER)
        at = ((k, self.position(where, k)) for k in threads)
        return [(k, self.held[p.operation][p.at]) for k, p in at if p is not None]

    def possible(self, where: Location, *more: LockSet) -> bool:
        """Tell whether no two threads there hold one lock."""
        held = [*(h for _, h in self._locks_at(where)), *more]
        return not any(exclude_each_other(a, b) for a, b in combinations(held, 2))

    def view(
        self,
        where: Location,
        state: StateTerms,
        tracked: tuple[str, ...],
        actor: int | None = None,
        given: Mapping[Local, str] | None = None,
        prefix: str = "",
        flusher: str = "",
    ) -> View:
        """Return what facts at a location are about; `actor` has the locals `given`.

        `flusher` is the one that is in the place of the tracked one, if any.
        """
        known = {
            k: self.locals_of[p.operation]
            for k in (FLUSHER, *range(1, 1 + len(tracked)), OBSERVER)
            if (p := self.position(where, k)) is not None
        }

        def local(thread: int, x: Local) -> str:
            if thread == actor and given is not None and x in given:
                return given[x]
            own = OTHER_PREFIX if thread == FLUSHER and flusher else prefix
            return self._local(where, thread, x, tracked, own)

        threads = {FLUSHER: flusher or self.flusher} | {k + 1: v for k, v in enumerate(tracked)}
        return View(state, tracked, threads, local, known)

    def _local(
        self, where: Location, thread: int, x: Local, tracked: tuple[str, ...], prefix: str
    ) -> str:
        position = self.position(where, thread)
        assert position is not None
        operation = self.operations[position.operation]
        if operation.role is Role.LOAD and x == operation.parameters.vcpu:
            return tracked[thread - 1]
        own = prefix if thread > FLUSHER or prefix == OTHER_PREFIX else ""
        return self.script.declare(f"{own}{_prefix(thread, operation)}{x.name}", t.sort_of(x.type))

    def holds(self, where: Location, view: View) -> str:
        """Return the facts at a location, and what the locks that are held there imply."""
        if where not in self.facts:
            return t.FALSE
        parts = [self._facts_at(where, view)]
        for thread in (FLUSHER, *range(1, 1 + len(view.tracked)), OBSERVER):
            number = view.threads.get(thread, self.number(OBSERVER))
            at = self.position(where, thread)
            parts += self._of_locks(view.state, at, number)
            if at is not None:
                parts.append(self._of_locals(at, thread, view))
        parts += self._known_values(view.state)
        return t.all_of(parts)

    def _facts_at(self, where: Location, view: View) -> str:
        """Return the facts claimed at a location; where none are, nothing is to come there."""
        return self.translation.hold(self.facts[where], view) if where in self.facts else t.FALSE

    def _of_locks(self, state: StateTerms, at: Position | None, number: str) -> Iterator[str]:
        """Yield what the code alone says of the locks that a thread holds and does not hold."""
        if at is not None:
            yield from self._of_held(state, self.held[at.operation][at.at], number)
        first = next(iter(self.unheld.values()))[0]
        for lock in sorted(first if at is None else self.unheld[at.operation][at.at]):
            yield from self.space.facts_of_unheld(state, lock, number)

    def _of_held(self, state: StateTerms, held: LockSet, number: str) -> Iterator[str]:
        for h in sorted(held):
            yield from self.space.facts_of_held(state, h, number, self.all_seen)

    # Questions -------------------------------------------------------------------------------

    def ask_all(self) -> None:
        """Ask everything, from the first location on.

        Raises:
            NotUnderstood: there is no rule for something.
        """
        waiting = [self._boot()]
        seen = set(waiting)
        while waiting:
            where = waiting.pop()
            if where not in self.facts:
                continue  # that nobody comes there was asked
            before = self.holds(where, self.view(where, self.state, self.tracked))
            hypothesis = self.script.define(t.all_of((self.around, before)), "Bool")
            targets = list(self._ask_own(where, hypothesis))
            if where.running is None:
                self._ask_others(where, hypothesis)
                self._ask_other_flushers(where, hypothesis)
            for target in targets:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)

    def _boot(self) -> Location:
        """Ask that the facts hold at boot; an observer looks before anybody acts."""
        where = Location(None, tuple(None for _ in self.tracked))
        for o in self.program.of(Role.OBSERVE):
            where = self.moved(where, OBSERVER, Position(o.name, 0))
            where = replace(where, running=OBSERVER)
        known = [self.around, *self._first_values()]
        view = self.view(where, self.state, self.tracked)
        after = self._facts_at(where, view)
        self.script.ask("initiation", "boot", (*known, t.negate_term(after)))
        return where

    def _first_values(self) -> Iterator[str]:
        witnesses = {f.name for f in self.program.witnesses}
        for f in self.space.changing:
            if f.name in witnesses:
                continue
            if f.scope == "vm":
                yield t.make_equality(self.state.fields[f.name], self.space.first_value(f, None))
                continue
            for v in self.tracked:
                held = self.space.read(self.state, f, v)
                yield t.make_equality(held, self.space.first_value(f, v))
        zero = t.make_constant(0, t.THREAD)
        for lock in self.state.reads:
            for thread in (*self.seen, self.number(OBSERVER)):
                yield t.make_equality(self.space.reader_count(self.state, lock, thread), zero)

    def _ask_own(self, where: Location, hypothesis: str) -> Iterator[Location]:
        """Ask about the steps of tracked threads; yield where they lead."""
        for thread in self._running(where):
            for position in self._starts(where, thread):
                region = self._region(position, thread)
                text = f"{self._who(thread)}, {self._line(position)}"
                known = (hypothesis, *self._known(region), *self._looked_at(where, thread, region))
                whole = self.script.define(t.all_of(known), "Bool")
                self._ask_failures(region, whole, text, thread)
                for end in region.exits:
                    target = self._target(where, thread, region, end)
                    if target is not None:
                        yield target
                        self._ask_kept(target, thread, region, end, whole, text)

    def _target(
        self, where: Location, thread: int, region: Region, end: RegionExit
    ) -> Location | None:
        """Return where an exit leads, None where nothing is to be shown."""
        if end.to is None and region.operation.role is Role.END:
            return None
        to = None if end.to is None else Position(region.operation.name, end.to)
        target = self.moved(where, thread, to)
        return target if self.possible(target) else None

    def _ask_kept(
        self, target: Location, thread: int, region: Region, end: RegionExit, whole: str, text: str
    ) -> None:
        state = end.state
        if self.case.history and thread == FLUSHER:
            known = self._start_locals(region)
            state = update_history(self.program, self.walkers, region, self.state, state, known)
        view = self.view(target, state, self.tracked, thread, end.locals)
        facts = self._facts_at(target, view)
        self.script.ask("consecution", text, (whole, end.guard, t.negate_term(facts)))

    def _start_locals(self, region: Region) -> dict[str, tuple[Local, str]]:
        return {
            x.name: (x, start_value(self.script, region, x))
            for x in self.locals_of[region.operation.name].values()
        }

    def _running(self, where: Location) -> tuple[int, ...]:
        if where.running is not None:
            return (where.running,)
        ends = (OBSERVER,) if where.flusher is None and not any(where.loads) else ()
        return (FLUSHER, *range(1, 1 + len(self.tracked)), *ends)

    def _starts(self, where: Location, thread: int) -> list[Position]:
        at = self.position(where, thread)
        if at is not None:
            return [at]
        role = {FLUSHER: Role.FLUSH, OBSERVER: Role.END}.get(thread, Role.LOAD)
        return [Position(o.name, 0) for o in self.program.of(role)]

    def _region(self, position: Position, thread: int) -> Region:
        if (position, thread) not in self.regions:
            operation = self.operations[position.operation]
            self.regions[position, thread] = self._execute(
                position, self.number(thread), _prefix(thread, operation)
            )
        return self.regions[position, thread]

    def _execute(self, position: Position, number: str, prefix: str) -> Region:
        operation = self.operations[position.operation]
        actor = Actor(number, prefix, own_number(operation, number), self.all_seen)
        trusted = self.checked.trusted.get(operation.name, frozenset())
        cuts = self.checked.cuts(operation.name)
        return execute_region(self.space, operation, position.at, cuts, actor, self.state, trusted)

    def _known(self, region: Region) -> Iterator[str]:
        """Yield what holds in every execution of a region: of arguments, of guesses."""
        yield from region.assumed
        yield from self._of_values(region)
        vcpus = (*self.tracked, self.other, *region.looked_at)
        yield from instantiate_guesses(region.guesses, vcpus)
        if region.start == 0:
            yield from arguments_of(self.script, region)

    def _of_values(self, region: Region) -> Iterator[str]:
        """Yield what holds of the fields of every vCPU, of those that are looked at."""
        for index, names in region.looked_at.items():
            for name in sorted(names & self.checked.values.keys()):
                yield self._value_holds(self.state, name, index)

    def _value_holds(self, state: StateTerms, name: str, index: str | None) -> str:
        value = self.space.read(state, self.space.fields[name], index)
        return value_holds(self.translation, name, self.checked.values[name], value)

    def _known_values(self, state: StateTerms) -> Iterator[str]:
        """Yield what always holds of the fields that there are terms for."""
        two = t.make_constant(2, t.THREAD)
        most = f"(bvadd {MOST_THREADS if self.checked.many else COUNT} {two})"
        yield from self.space.facts_of_words(state, self.tracked, most)
        for name in self.checked.values:
            if self.space.fields[name].scope == "vm":
                yield self._value_holds(state, name, None)
            else:
                yield from (self._value_holds(state, name, v) for v in self.tracked)

    def _of_locals(self, position: Position, thread: int, view: View) -> str:
        """Return what holds of a thread's locals at a position, whatever others do."""
        point = self.checked.points[position.operation].get(position.at)
        own = {FLUSHER: view.known[thread]}
        one = replace(view, threads={}, known=own, local=lambda _, x: view.local(thread, x))
        return t.TRUE if point is None else self.translation.hold(point.facts, one)

    def _looked_at(self, where: Location, thread: int, region: Region) -> Iterator[str]:
        """Yield that vCPUs at which the flusher looks satisfy the invariant, where one is any."""
        if not self.generic or thread == 1:
            return
        for k, index in enumerate(region.looked_at):
            exists = t.all_of(
                (t.in_range(index, COUNT), t.negate_term(t.make_equality(index, self.tracked[0])))
            )
            if exists == t.FALSE:
                continue
            places = [
                self._alike(replace(where, loads=(p,)), index, f"{k}/")
                for p in self._load_positions(where)
            ]
            yield t.make_implication(exists, t.any_of(places))

    def _alike(self, where: Location, vcpu: str, prefix: str) -> str:
        """Return that a vCPU is where the tracked one would be at a location, with its facts."""
        view = self.view(where, self.state, (vcpu,), prefix=prefix)
        return self.holds(where, view)

    def _load_positions(self, where: Location) -> Iterator[Position | None]:
        yield None
        for o in self.program.of(Role.LOAD):
            for at in sorted(self.checked.boundaries(o.name) - {0}):
                position = Position(o.name, at)
                if self.possible(replace(where, loads=(position,))):
                    yield position

    # Another vCPU ----------------------------------------------------------------------------

    def _ask_others(self, where: Location, hypothesis: str) -> None:
        for o in self.program.of(Role.LOAD):
            for at in sorted(self.checked.cuts(o.name)):
                if self.possible(where, self.held[o.name][at]):
                    self._ask_other(where, hypothesis, Position(o.name, at))

    def _ask_other(self, where: Location, hypothesis: str, position: Position) -> None:
        region = self._other_region(position)
        text = f"{OTHER}, {self._line(position)}"
        known = [hypothesis, *self._known(region), t.in_range(self.other, COUNT)]
        known += [t.negate_term(t.make_equality(self.other, v)) for v in self.tracked]
        known += self._of_locks(self.state, position, self.other)
        known.append(self._other_locals(position))
        if self.generic:
            place = None if position.at == 0 else position
            alike = self.moved(where, 1, place)
            known.append(self._alike(alike, self.other, "u/"))
        whole = self.script.define(t.all_of(known), "Bool")
        self._ask_failures(region, whole, text, None)
        for end in region.exits:
            view = self.view(where, end.state, self.tracked)
            facts = self._facts_at(where, view)
            self.script.ask("interference", text, (whole, end.guard, t.negate_term(facts)))

    def _other_locals(self, position: Position) -> str:
        where = Location(None, (position,))
        view = self.view(where, self.state, (self.other,), prefix="u/")
        return self._of_locals(position, 1, view)

    def _other_region(self, position: Position) -> Region:
        if (position, -2) not in self.regions:
            operation = self.operations[position.operation]
            prefix = f"u/{_prefix(1, operation)}"
            self.regions[position, -2] = self._execute(position, self.other, prefix)
        return self.regions[position, -2]

    # Another flusher -------------------------------------------------------------------------

    def _ask_other_flushers(self, where: Location, hypothesis: str) -> None:
        for o in self.program.of(Role.FLUSH) if self.checked.many else ():
            for at in sorted(self.checked.cuts(o.name)):
                if self.possible(where, self.held[o.name][at]):
                    self._ask_other_flusher(where, hypothesis, Position(o.name, at))

    def _ask_other_flusher(self, where: Location, hypothesis: str, position: Position) -> None:
        """Ask that the step of a flusher in a state in which the tracked one can be keeps facts.

        Where it fails the tracked one, which is any, fails in its own step.
        """
        number = self.other_flusher
        region = self._other_flush(position)
        like = self.moved(where, FLUSHER, None if position.at == 0 else position)
        view = self.view(like, self._with_own_history(), self.tracked, flusher=number)
        known = [hypothesis, *self._known(region), *self._is_flusher(number)]
        known.append(t.negate_term(t.make_equality(number, self.flusher)))
        known.append(self.holds(like, view))
        whole = self.script.define(t.all_of(known), "Bool")
        text = f"{OTHER_FLUSHER}, {self._line(position)}"
        for end in region.exits:
            facts = self._facts_at(where, self.view(where, end.state, self.tracked))
            self.script.ask("interference", text, (whole, end.guard, t.negate_term(facts)))

    def _with_own_history(self) -> StateTerms:
        """Return the state with what another flusher noted, which is its own."""
        if not self.case.history:
            return self.state
        noted = self.script.declare(f"{OTHER_PREFIX}{NOTED.name}", t.sort_of(NOTED.type))
        return self.state.with_field(NOTED.name, noted)

    def _other_flush(self, position: Position) -> Region:
        if (position, -3) not in self.regions:
            operation = self.operations[position.operation]
            prefix = f"{OTHER_PREFIX}{_prefix(FLUSHER, operation)}"
            self.regions[position, -3] = self._execute(position, self.other_flusher, prefix)
        return self.regions[position, -3]

    # Failures --------------------------------------------------------------------------------

    def _ask_failures(self, region: Region, whole: str, text: str, thread: int | None) -> None:
        looked_at = t.all_of(self._failing(thread))
        for f in region.failures:
            found = (whole, looked_at, f.fails, *self._not_excluded(region, f.at))
            self.script.ask("safety", f"{f.claim}: {text}", found)
        for s in region.exact:
            where = Position(region.operation.name, s.at)
            formula = t.all_of((whole, s.fails))
            if not self.checked.defined:
                self.sums.append((where, ProofObligation("sums", f"{s.text}: {text}", formula)))
        for o in region.obligations:
            if not (o.proper and self.checked.defined):
                found = (whole, looked_at if not o.proper else t.TRUE, o.fails)
                self.script.ask("definedness", f"{o.text}: {text}", found)

    def _failing(self, thread: int | None) -> Iterator[str]:
        """Yield where failures are to be looked at, as one case has them if any has."""
        witnesses = [self.space.rigid[f.name] for f in self.program.witnesses if f.type == VCPU]
        if self.case.history:
            if thread == FLUSHER:
                noted = self.state.fields[NOTED.name]
                outside = t.negate_term(t.in_range(noted, COUNT))
                yield t.any_of((t.make_equality(noted, self.tracked[-1]), outside))
        elif self.generic and len(witnesses) == 1:
            yield t.make_equality(self.tracked[0], witnesses[0])

    def _not_excluded(self, region: Region, at: int) -> Iterator[str]:
        for p in self.case.excluded:
            if p.operation != region.operation.name:
                continue
            if p.at == at:
                yield t.FALSE
            for to in failure_edges(region.operation.code, at).get(p.at, ()):
                if (p.at, to) in region.edges:
                    yield t.negate_term(region.edges[p.at, to])

    def _who(self, thread: int) -> str:
        if thread in (FLUSHER, OBSERVER):
            return "flusher" if thread == FLUSHER else "observer"
        return f"vCPU {self.case.tracked[thread - 1] or 'v'}"

    def _line(self, position: Position) -> str:
        span = self.operations[position.operation].code[position.at].span
        line = f" line {span.line}" if span is not None else ""
        return f"{position.operation}() from {position.at}{line}"


def _prefix(thread: int, operation: Operation) -> str:
    return f"{thread}:{operation.name}:"


def failure_edges(code: Code, at: int) -> Mapping[int, tuple[int, ...]]:
    """Return the branches after which only an assertion follows, which then fails, and where to.

    The value asserted is a local that is set to 0 there and to 1 elsewhere.
    """
    asserted = code[at]
    if not isinstance(asserted, Assert) or not isinstance(asserted.condition, Var):
        return {}
    local = asserted.condition.local
    false = [
        k
        for k, i in enumerate(code)
        if isinstance(i, Assign)
        and i.target == local
        and i.value == Const(0, local.type)
        and _leads_to(code, k, at)
    ]
    branches = (k for k, i in enumerate(code) if isinstance(i, Branch))
    found = {k: tuple(to for to in successor_positions(code, k) if to in false) for k in branches}
    return {k: to for k, to in found.items() if to}


def _leads_to(code: Code, start: int, at: int) -> bool:
    (to,) = successor_positions(code, start)
    following = successor_positions(code, to)
    return to == at or (len(following) == 1 and following[0] == at and _is_jump(code, to))


def _is_jump(code: Code, at: int) -> bool:
    return code[at].__class__.__name__ == "Jump"

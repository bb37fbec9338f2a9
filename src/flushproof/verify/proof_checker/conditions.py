"""The proof obligations of an invariant: it holds at boot, every step keeps it, nothing fails.

Threads are the flusher, the loads of tracked vCPUs, any other vCPU, any other flusher, and the
observer. A tracked vCPU that is any stands for each (Lemma L19 of docs/soundness.md): another vCPU
that acts, or that is looked at, satisfies the invariant as well. Where there are many flushers the
tracked one stands for each in the same way (Lemma L32 of docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.code import FieldScope
from flushproof.ir.invariant import FLUSHER, OBSERVER, CaseInvariant, Location, Position
from flushproof.ir.program import Role
from flushproof.ir.types import INT
from flushproof.support.record import replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.cases import failure_edges
from flushproof.verify.proof_checker.checked_program import CheckedProgram
from flushproof.verify.proof_checker.execution import CanFail, Reached, Region, instantiate_guesses
from flushproof.verify.proof_checker.locations import LOAD, NOTED, CaseLocations, Players
from flushproof.verify.proof_checker.machine_integers import convert_value
from flushproof.verify.proof_checker.machine_state import State
from flushproof.verify.proof_checker.terms import ProofObligation


class CaseConditions(CaseLocations):
    """The obligations of one case."""

    def __init__(self, checked: CheckedProgram, case: CaseInvariant) -> None:
        super().__init__(checked, case)
        self.regions: dict[tuple[Position, str], Region] = {}
        self.sums: list[tuple[Position, ProofObligation]] = []

    def ask_all(self) -> None:
        """Ask everything, from the first location on.

        Raises:
            NotUnderstood: there is no rule for something.
        """
        always = self.script.define(t.all_of(self.always()), "Bool")
        waiting = [self._ask_boot(always)]
        seen = set(waiting)
        while waiting:
            where = waiting.pop()
            if where not in self.facts:
                continue  # that nobody comes there was asked
            known = t.all_of((always, self.holds(where, self.state, self.players)))
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
        facts = self.claimed(where, self.view(where, self.state, self.players))
        known = (always, *self._first_values(), t.negate_term(facts))
        self.script.ask("initiation", "boot", known)
        return where

    def _first_values(self) -> Iterator[str]:
        for f in self.space.fields.values():
            if f.name in self.space.written and f not in (*self.program.witnesses, NOTED):
                for index in (None,) if f.scope is FieldScope.VM else self.tracked:
                    held = self.space.read(self.state, f, index)
                    yield t.make_equality(held, self.space.first_value(f, index))
            for thread in self.players.numbers.values():
                yield self.space.reads_not(self.state, f, thread)
        if self.case.history:
            yield t.make_equality(self.state[NOTED.name], t.make_integer(-1))

    def _ask_own(self, where: Location, hypothesis: str) -> Iterator[Location]:
        """Ask about the steps of tracked threads; yield where they lead."""
        for thread in self._running(where):
            for position in self._starts(where, thread):
                region = self._region(position, thread, self.players)
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
                    target = self.moved(where, thread, to)
                    yield target
                    self._ask_kept(target, thread, region, end, (whole, text))

    def _ask_kept(
        self, target: Location, thread: int, region: Region, end: Reached, asked: tuple[str, str]
    ) -> None:
        whole, text = asked
        state = self._noted(region, end.state) if thread == FLUSHER else end.state
        facts = self.claimed(target, self.view(target, state, self.players, (thread, end)))
        self.script.ask("consecution", text, (whole, end.guard, t.negate_term(facts)))

    def _noted(self, region: Region, after: State) -> State:
        """Return the state after a step of the flusher, with what its history then says."""
        if not self.case.history:
            return after
        name, nowhere = region.operation.name, t.make_integer(-1)
        old = nowhere if region.start == 0 else self.state[NOTED.name]
        walker = dict(self.case.walkers).get(Position(name, region.start), "")
        x = self.checked.locals[name].get(walker)
        at = nowhere if x is None else convert_value(region.at_start(x), x.type, INT)
        record = [f.name for f in self.program.fields if f.ghost and f.scope is FieldScope.VM]
        changed = [t.make_difference(after[n], self.state[n]) for n in record if n in after]
        first = t.all_of((t.any_of(changed), t.make_equality(old, nowhere)))
        return {**after, NOTED.name: t.make_choice(first, at, old)}

    def _running(self, where: Location) -> tuple[int, ...]:
        """Return the threads that may take a step; the observer looks at the end, too."""
        if where.running is not None:
            return (where.running,)
        over = where.flusher is None and not any(where.loads)
        return tuple(k for k in self.players.numbers if k != OBSERVER or over)

    def _starts(self, where: Location, thread: int) -> list[Position]:
        at = self.position(where, thread)
        role = {FLUSHER: Role.FLUSH, OBSERVER: Role.END}.get(thread, Role.LOAD)
        return [Position(o.name, 0) for o in self.program.of(role)] if at is None else [at]

    def _region(self, position: Position, thread: int, players: Players) -> Region:
        prefix = players.prefix_of(thread)
        if (position, prefix) not in self.regions:
            operation = self.operations[position.operation]
            cuts, number = self.checked.cuts[operation.name], players.numbers[thread]
            self.regions[position, prefix] = Region(
                self.space, operation, position.at, cuts, number, prefix, self.state
            )
        return self.regions[position, prefix]

    # Others ----------------------------------------------------------------------------------

    def _ask_others(self, where: Location, hypothesis: str) -> None:
        """Ask about the steps of a vCPU and of a flusher that are not tracked, from every cut."""
        others = [(Role.LOAD, LOAD), *([(Role.FLUSH, FLUSHER)] if self.checked.many else [])]
        for role, thread in others:
            for o in self.program.of(role):
                for at in sorted(self.checked.cuts[o.name]):
                    self._ask_other(where, hypothesis, Position(o.name, at), thread)

    def _ask_other(self, where: Location, hypothesis: str, position: Position, thread: int) -> None:
        """Ask that the step of one in the place of a thread keeps the facts.

        Where a flusher's fails, the tracked one, which is any, fails in its own step.
        """
        flushes = thread == FLUSHER
        number, prefix = (self.other_flusher, "g/") if flushes else (self.other_load, "u/")
        players = self.players.put_in_place(thread, number, prefix)
        region = self._region(position, thread, players)
        known = [hypothesis, *self._known(region)]
        if flushes:
            known += self.may_flush(number)
            known.append(t.make_difference(number, self.players.numbers[FLUSHER]))
        else:
            known.append(t.is_vcpu(number))
            known += [t.make_difference(number, v) for v in self.tracked]
        place = None if position.at == 0 else position
        if flushes or self.generic:
            state = self._with_own_history() if flushes else self.state
            known.append(self.holds(self.moved(where, thread, place), state, players))
        else:
            alone = Location(None, (position,))
            known += self.of_thread(thread, position, self.view(alone, self.state, players))
        whole = self.script.define(t.all_of(known), "Bool")
        who = "another flusher" if flushes else "another vCPU"
        text = f"{who}, {self._line(position)}"
        if not flushes:
            self._ask_failures(region, whole, text, None)
        for end in region.exits:
            facts = self.claimed(where, self.view(where, end.state, self.players))
            self.script.ask("interference", text, (whole, end.guard, t.negate_term(facts)))

    def _with_own_history(self) -> State:
        """Return the state with what another flusher noted, which is its own."""
        if not self.case.history:
            return self.state
        noted = self.script.declare(f"g/{NOTED.name}", NOTED.type)
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

    # What is known ---------------------------------------------------------------------------

    def _known(self, region: Region) -> Iterator[str]:
        """Yield what holds in every execution of a region: of arguments, values, and guesses."""
        for index, names in region.looked_at.items():
            for name in sorted(names & self.checked.values.keys()):
                yield self.value_holds(name, index)
        yield from instantiate_guesses([region], (*self.tracked, self.other_load))
        yield from region.argument_facts()

    def _looked_at(self, where: Location, region: Region) -> Iterator[str]:
        """Yield that vCPUs at which the flusher looks satisfy the invariant, where one is any."""
        for k, index in enumerate(region.looked_at):
            exists = t.all_of((t.is_vcpu(index), t.make_difference(index, self.tracked[0])))
            if exists != t.FALSE:
                players = self.players.put_in_place(LOAD, index, f"{k}/")
                places = (replace(where, loads=(p,)) for p in self._load_positions())
                alike = t.any_of(self.holds(place, self.state, players) for place in places)
                yield t.make_implication(exists, alike)

    def _load_positions(self) -> Iterator[Position | None]:
        yield None
        for o in self.program.of(Role.LOAD):
            starts = self.checked.boundaries[o.name] - {0}
            yield from (Position(o.name, at) for at in sorted(starts))

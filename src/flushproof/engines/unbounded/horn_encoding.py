"""From a program to clauses: every step of every thread, from every control that can be reached.

Threads are the flusher, the loads of each tracked vCPU, the loads of any other vCPU, and where
there are many any other flusher. The last two have no control of their own: each of their steps may
happen at any time, from any locals, as long as the locks are held that are surely held there. Where
the tracked vCPU is any, what is known of it is known of each, and a step that looks at another vCPU
may assume that. Of another flusher is known what is known of the tracked one.

Lemma L13, Lemma L18, Lemma L19, Lemma L32 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import assert_never

import z3

from flushproof.engines.reduction.commutativity import Site
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.locations import (
    BY_FLUSHER,
    SHARED,
    Cell,
    Location,
    OwnCell,
    is_shared,
)
from flushproof.engines.symbolic.locks import facts_of_held_lock
from flushproof.engines.symbolic.step import World
from flushproof.engines.symbolic.values import Value
from flushproof.engines.unbounded.control_locations import Frames, Locals, relocate_load
from flushproof.engines.unbounded.history_variable import HISTORY, NOWHERE, find_walker
from flushproof.engines.unbounded.horn_clauses import (
    BYSTANDER,
    FLUSHER,
    Atom,
    BystanderThread,
    Clause,
    Control,
    FlusherThread,
    LoadThread,
    Located,
    System,
)
from flushproof.engines.unbounded.state_space import Space
from flushproof.engines.unbounded.transitions import UNFIT, Taken, TransitionExecutor
from flushproof.ir.program import Role
from flushproof.support.record import replace

Body = tuple[tuple[Atom, ...], t.Bool]
"""Predicates that hold before a step, and a condition."""


class Builder:
    """Builds the clauses of one program.

    `Frames` and `TransitionExecutor` say what the parameters mean.
    """

    def __init__(
        self,
        space: Space,
        boundaries: Mapping[str, frozenset[int]],
        *,
        claims_only: bool,
    ) -> None:
        self.space = space
        self.frames = Frames(space, boundaries)
        self.steps = TransitionExecutor(space, self.frames, claims_only=claims_only)
        self.last = LoadThread(len(space.tracked) - 1)
        self.clauses: list[Clause] = []

    def run(self) -> System:
        """Explore every control from the first."""
        self._boot(Control(None, tuple(None for _ in self.space.tracked)))
        while self.frames.waiting:
            control = self.frames.waiting.pop()
            for thread in self.frames.running(control):
                for site in self.frames.sites(control, thread):
                    self._own_step(control, thread, site)
            if control.running is None:
                self._others(control)
                self._other_flushers(control)
                self._end(control)
        return System(
            tuple(self.clauses),
            self.frames.parameters,
            tuple(self.space.algebra.axioms()),
            (*self.space.known, *self.frames.unset),
            self.frames.ranges(),
            frozenset(self.frames.counters),
            frozenset(
                x.get_id() for x in (self.space.count, self.space.flusher, *self.space.tracked)
            ),
            self.frames.variables,
            (self.space.count,),
        )

    def _clause(
        self,
        head: Atom | None,
        body: tuple[Atom, ...],
        constraint: t.Bool,
        why: str,
        shown: z3.BoolRef | None = None,
    ) -> None:
        if head is None:
            constraint = t.and_(constraint, *self.space.failing)
        if constraint is not False:
            self.clauses.append(Clause(head, body, t.z3_bool(constraint), why, shown))

    def _boot(self, idle: Control) -> None:
        """Add the first state; where a claim observes it, nobody steps before that is done."""
        for unfit in self.space.unfit:
            self._clause(None, (), unfit.doubtful, f"{UNFIT} at boot")
        for o in self.space.program.of(Role.OBSERVE):
            idle = replace(idle, bystander=Site(o.name, 0), running=BYSTANDER)
        self.frames.of(idle)
        head = Atom(idle, self.frames.arguments(idle, self.space.boot, {}))
        self._clause(head, (), True, "boot")  # noqa: FBT003

    def _end(self, control: Control) -> None:
        """Whatever is asserted at the end is asserted while every tracked thread is between calls.

        Threads that are not tracked may be anywhere, which is more than can be at the end.
        """
        if control.flusher is not None or any(control.loads):
            return
        for o in self.space.program.of(Role.END):
            self._own_step(control, BYSTANDER, Site(o.name, 0))

    # Tracked threads -------------------------------------------------------------------------

    def _own_step(self, control: Control, thread: Located, site: Site) -> None:
        taken = self.steps.own(site, thread)
        why = f"{_name_thread(thread)} {site.operation}:{site.at}"
        noted = self._noted(taken) if self.space.case.history and thread == FLUSHER else {}
        for body, extra in self._bodies(control, taken, thread):
            constraint = t.and_(taken.constraint, extra)
            self._errors(taken, body, t.and_(constraint, self._noticed(thread)), why)
            for end in taken.exits:
                if end.to is None and taken.role is Role.END:
                    continue
                target = self.frames.moved(control, thread, site.operation, end.to)
                if self.frames.possible(target):
                    self.frames.of(target)
                    after = {**self.space.state, **taken.step.outputs, **noted}
                    given = {thread: dict(end.locals)}
                    head = Atom(target, self.frames.arguments(target, after, given))
                    self._clause(head, body, t.and_(constraint, end.guard), why, taken.shown)

    def _noted(self, taken: Taken) -> dict[Location, Value]:
        """Return where the flusher is, if a claim first takes note of something in a step."""
        where: Location = (HISTORY.name, SHARED)
        operation = self.frames.operations[taken.site.operation]
        walker = find_walker(operation, taken.locals, self.space.algebra.kinds)
        at = NOWHERE if walker is None else taken.locals[walker]
        equal = self.space.algebra.equal
        changed = (t.not_(equal(x, self.space.state[w])) for w, x in self._recorded(taken).items())
        before = NOWHERE if taken.site.at == 0 else self.space.state[where]
        first = t.and_(t.or_(*changed), t.compare_numbers("==", before, NOWHERE))
        return {where: self.space.algebra.ite(first, at, before)}

    def _recorded(self, taken: Taken) -> dict[Location, Value]:
        """Return what a step writes into the record of a claim."""
        outputs = taken.step.outputs.items()
        return {w: x for w, x in outputs if is_shared(w[1]) and self.steps.fields[w[0]].ghost}

    def _noticed(self, thread: Located) -> t.Bool:
        """Return that what was noted first was at the vCPU that is tracked for it, or at none."""
        if not self.space.case.history or thread != FLUSHER:
            return True
        noted = self.space.state[HISTORY.name, SHARED]
        assert isinstance(noted, z3.ArithRef)
        # Where nothing was noted the failure is looked at for whatever vCPU is tracked: to ask for
        # the noted one alone would lose failures before the first note (L20).
        outside = z3.Or(noted < 0, noted >= self.space.count)
        return z3.Or(noted == self.space.tracked[-1], outside)

    def _errors(self, taken: Taken, body: tuple[Atom, ...], constraint: t.Bool, why: str) -> None:
        for text, broken in taken.errors:
            whole = t.and_(constraint, broken)
            self._clause(None, body, whole, f"{text} in {why}", taken.shown)

    def _bodies(self, control: Control, taken: Taken, thread: Located) -> Iterator[Body]:
        """Yield the cases of a step: what is known of each other vCPU that it looks at.

        Of a claim's witness nothing is assumed: where it matters it is the tracked vCPU.
        """
        mine = self.frames.atom(control)
        named = [x for x in self.space.rigid if z3.is_int(x)]
        indices: list[t.Number] = []
        for _, index in taken.step.others:
            if not any(t.compare_numbers("==", index, i) is True for i in (*named, *indices)):
                indices.append(index)
        if not self.space.case.generic or thread == self.last or not indices:
            yield (mine,), True
            return
        places = self.frames.loading(control, self.last)
        # Where a vCPU that is looked at is in its own load is not known, so all places are gone
        # through: the invariant of one place alone would be assumed of vCPUs that are at another
        # (L19).
        for chosen in product((None, *range(len(places))), repeat=len(indices)):
            body = [mine]
            conditions: list[t.Bool] = []
            for index, choice in zip(indices, chosen, strict=True):
                # An index that may be the tracked vCPU, or none, has its value from elsewhere: to
                # assume the invariant of a vCPU that does not exist could make the step impossible.
                free = self._no_other(index)
                if choice is None:
                    conditions.append(free)
                else:
                    conditions.append(t.not_(free))
                    like = relocate_load(control, self.last, places[choice])
                    body.append(self._like(like, index, self._seen(taken, index), {}))
            condition = t.and_(*conditions)
            if condition is not False:
                yield tuple(body), condition

    def _no_other(self, index: t.Number) -> t.Bool:
        """Return that a number is no vCPU, or one that is tracked, so that nothing tells of it."""
        inside = t.and_(
            t.compare_numbers("<=", 0, index), t.compare_numbers("<", index, self.space.count)
        )
        return t.or_(t.not_(inside), t.compare_numbers("==", index, self.space.tracked[-1]))

    def _seen(self, taken: Taken, index: t.Number) -> dict[Location, Value]:
        """Return what a step reads of another vCPU, as cells of the one that tells of it."""
        return {
            (where[0], OwnCell(0)): taken.step.inputs[where]
            for where, i in taken.step.others
            if t.compare_numbers("==", index, i) is True
        }

    # Other vCPUs -----------------------------------------------------------------------------

    def _others(self, control: Control) -> None:
        """Any step of a load of any other vCPU."""
        for site in self._outside(control, Role.LOAD):
            self._other_step(control, site)

    def _other_step(self, control: Control, site: Site) -> None:
        number = z3.Int("other:vcpu")
        taken = self.steps.other(site, number)
        constraint = t.and_(taken.constraint, *self._another(number, taken))
        why = f"another vCPU {site.operation}:{site.at}"
        body: tuple[Atom, ...] = (self.frames.atom(control),)
        if self.space.case.generic:
            seen = self._own_cells(taken, OwnCell(0))
            # The actor satisfies the invariant itself, with its own locals and cells (L19). Without
            # that it could be in a load that it never comes to with such values.
            place = self._in_load(control, site)
            body = (*body, self._like(place, number, seen, taken.locals))
        self._errors(taken, body, constraint, why)
        self._interfere(control, taken, body, constraint, why)

    def _outside(self, control: Control, role: Role) -> Iterator[Site]:
        """Yield where a thread that is not tracked may step from."""
        for o in self.space.program.of(role):
            for at in sorted(self.frames.layouts[o.name].boundaries):
                site = Site(o.name, at)
                # At a place where it would hold a lock that a tracked thread holds, it cannot be.
                if self.frames.possible(Control(control.flusher, (*control.loads, site))):
                    yield site

    def _interfere(
        self,
        control: Control,
        taken: Taken,
        body: tuple[Atom, ...],
        constraint: t.Bool,
        why: str,
    ) -> None:
        """Add that a step of a thread that is not tracked changes the state, if it does."""
        after = {k: v for k, v in taken.step.outputs.items() if k in self.space.state}
        if after:
            changed = {**self.space.state, **after}
            head = Atom(control, self.frames.arguments(control, changed, {}))
            self._clause(head, body, constraint, why, taken.shown)

    def _other_flushers(self, control: Control) -> None:
        """Any step of a flusher that is not tracked, where there may be one."""
        for site in self._outside(control, Role.FLUSH) if self.space.many else ():
            self._other_flush(control, site)

    def _other_flush(self, control: Control, site: Site) -> None:
        """Add one step, of a flusher in whose place the tracked one could be.

        Where it fails nothing is added, as the tracked one then fails as well.
        """
        number = z3.Int("other:flusher")
        taken = self.steps.other_flusher(site, number)
        holds = self._held_locks(taken, self.space.world(flusher=number), number)
        apart = (self.space.is_flusher(number), number != self.space.flusher)
        constraint = t.and_(taken.constraint, *apart, *holds)
        body = (self.frames.atom(control), self._as_flusher(control, site, number, taken))
        why = f"another flusher {site.operation}:{site.at}"
        self._interfere(control, taken, body, constraint, why)

    def _as_flusher(self, control: Control, site: Site, number: z3.ArithRef, taken: Taken) -> Atom:
        """Return that another flusher is in a state in which the tracked one can be.

        What a history variable holds is the tracked one's own.
        """
        like = replace(control, flusher=None)
        if site.at:
            like = self.frames.moved(control, FLUSHER, site.operation, site.at)
        self.frames.of(like)
        state = self._state_of(
            self._own_cells(taken, BY_FLUSHER),
            lambda where: where[0] == HISTORY.name or where[1] == BY_FLUSHER,
        )
        arguments = self.frames.arguments(like, state, {FLUSHER: taken.locals})
        return self._in_place_of(self.space.flusher, number, like, arguments)

    def _own_cells(self, taken: Taken, cell: Cell) -> dict[Location, Value]:
        """Return what a thread that is not tracked reads of its own, as another's cells."""
        other = OwnCell(len(self.space.tracked))
        return {(name, cell): x for (name, c), x in taken.step.inputs.items() if c == other}

    def _state_of(
        self, seen: Mapping[Location, Value], is_own: Callable[[Location], bool]
    ) -> dict[Location, Value]:
        """Return the state as a thread has it: what is its own is as `seen`, or any value."""
        return {
            where: seen[where]
            if where in seen
            else self._unknown(where)
            if is_own(where)
            else value
            for where, value in self.space.state.items()
        }

    def _in_place_of(
        self, own: z3.ArithRef, number: t.Number, like: Control, arguments: tuple[z3.ExprRef, ...]
    ) -> Atom:
        """Return that facts hold with another thread in the place of a tracked one."""
        rigid = [t.z3_number(number) if x.eq(own) else x for x in self.space.rigid]
        return Atom(like, (*rigid, *arguments[len(rigid) :]))

    def _held_locks(self, taken: Taken, world: World, number: z3.ArithRef) -> Iterator[t.Bool]:
        """Yield that a thread holds the locks that it surely holds before a step."""
        state = {**taken.step.inputs, **self.space.state}
        for hold in sorted(self.frames.held[taken.site.operation][taken.site.at]):
            yield from facts_of_held_lock(world, state.get, hold, number)

    def _another(self, number: z3.ArithRef, taken: Taken) -> Iterator[t.Bool]:
        """Yield that a vCPU is none of the tracked ones and holds the locks it surely holds."""
        yield from (number >= 0, number < self.space.count)
        yield from (number != v for v in self.space.tracked)
        yield from self._held_locks(taken, self.space.world(number), number)

    def _in_load(self, control: Control, site: Site) -> Control:
        """Return where another vCPU is when it is about to step from a position of a load.

        At the head of a loop within a step it is the one that runs.
        """
        if site.at == 0:
            return relocate_load(control, self.last, None)
        return self.frames.moved(control, self.last, site.operation, site.at)

    def _like(
        self,
        like: Control,
        number: t.Number,
        seen: Mapping[Location, Value],
        locals_: Locals,
    ) -> Atom:
        """Return that a vCPU is in a state in which the one that tells of it can be.

        `like` is where that one is then; `seen` are the cells of it that are known of the vCPU, and
        `locals_` those of its locals.
        """
        self.frames.of(like)
        state = self._state_of(seen, lambda where: not is_shared(where[1]))
        arguments = self.frames.arguments(like, state, {self.last: locals_})
        # The other vCPU takes the place of the one that is any; shared state stays that of now.
        (own,) = self.space.tracked
        return self._in_place_of(own, number, like, arguments)

    def _unknown(self, where: Location) -> Value:
        """Return any value for a location."""
        f = self.steps.fields[where[0]]
        kind = self.space.algebra.kinds.field(f)
        return self.space.algebra.fresh(f"like:{f.name}.{self.frames.fresh()}", f.type, kind)


def _name_thread(thread: Located) -> str:
    match thread:
        case FlusherThread():
            return "flusher"
        case LoadThread(vcpu):
            return f"vcpu {vcpu}"
        case BystanderThread():
            return "observer"
        case other:
            assert_never(other)

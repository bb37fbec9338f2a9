"""From a program to clauses: every step of every thread, from every control that can be reached.

Threads are the flusher, the loads of each tracked vCPU, and the loads of any other vCPU. The last
have no control of their own: each of their steps may happen at any time, from any locals, as long
as the locks are held that are surely held there. With a generic tracked vCPU, whatever holds of it
holds of each other one too; a step that looks at another vCPU may then assume that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product

import z3

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.cells import Location
from flushproof.engines.symbolic.execute import Executor, Exit
from flushproof.engines.symbolic.layout import Layout, layout
from flushproof.engines.symbolic.moves import Site
from flushproof.engines.symbolic.steps import Step
from flushproof.engines.symbolic.values import Value
from flushproof.engines.unbounded.clauses import NOBODY, Atom, Clause, Control, System
from flushproof.engines.unbounded.state import Space, flat
from flushproof.ir.code import Field, Havoc, Hypercall, Local
from flushproof.ir.held import exclude, surely_held
from flushproof.ir.program import Operation, Role
from flushproof.ir.types import Int

FLUSHER = 0
Locals = dict[Local, Value]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step from a site: what it does, where it ends, and what its unknowns satisfy."""

    site: Site
    step: Step
    exits: tuple[Exit, ...]
    constraint: z3.BoolRef
    locals: Locals


class Builder:
    """Builds the clauses of one program.

    `boundaries` are the positions at which other threads may step in between; `generic` says that
    the last tracked vCPU is any vCPU, so that all others are like it.
    """

    def __init__(
        self, space: Space, boundaries: Mapping[str, frozenset[int]], *, generic: bool
    ) -> None:
        self.space = space
        self.program = space.program
        self.algebra = space.algebra
        self.generic = generic
        self.operations = {o.name: o for o in self.program.operations}
        self.fields: dict[str, Field] = {f.name: f for f in self.program.fields}
        self.boundaries = boundaries
        self.layouts = {n: _with_heads(o, boundaries[n]) for n, o in self.operations.items()}
        self.held = surely_held(self.program.operations)
        self.clauses: list[Clause] = []
        self.parameters: dict[Control, tuple[z3.ExprRef, ...]] = {}
        self.waiting: list[Control] = []
        self.taken: dict[tuple[Site, int], _Taken] = {}
        self.names = 0
        self.owners = {v.get_id(): k for k, v in enumerate(space.tracked)}
        for (_, k), value in space.state.items():
            if k >= 0:
                self.owners |= {x.get_id(): k for x in flat(self.algebra, value)}
        self.counters = {
            x.get_id()
            for (name, _), value in space.state.items()
            if isinstance(self.fields[name].type, Int)
            for x in flat(self.algebra, value)
        }

    def run(self) -> System:
        """Explore every control from the first."""
        idle = Control(None, tuple(None for _ in self.space.tracked))
        self._boot(idle)
        while self.waiting:
            control = self.waiting.pop()
            for thread in self._threads(control):
                for site in self._sites(control, thread):
                    self._own_step(control, thread, site)
            if control.running == NOBODY:
                self._others(control)
                self._end(control)
        axioms = tuple(self.algebra.axioms())
        counters = frozenset(self.counters)
        indices = frozenset(x.get_id() for x in (self.space.count, *self.space.tracked))
        return System(
            tuple(self.clauses),
            self.parameters,
            axioms,
            self.space.known,
            counters,
            indices,
            (self.space.count,),
            self.owners,
        )

    # Controls --------------------------------------------------------------------------------

    def _threads(self, control: Control) -> list[int]:
        if control.running != NOBODY:
            return [control.running]
        return list(range(1 + len(self.space.tracked)))

    def _position(self, control: Control, thread: int) -> Site | None:
        return control.flusher if thread == FLUSHER else control.loads[thread - 1]

    def _sites(self, control: Control, thread: int) -> list[Site]:
        at = self._position(control, thread)
        if at is not None:
            return [at]
        role = Role.FLUSH if thread == FLUSHER else Role.LOAD
        return [Site(o.name, 0) for o in self.program.of(role)]

    def _moved(self, control: Control, thread: int, operation: str, to: int | None) -> Control:
        site = None if to is None else Site(operation, to)
        inside = to is not None and to not in self.boundaries[operation]
        running = thread if inside else NOBODY
        if thread == FLUSHER:
            return Control(site, control.loads, running)
        loads = list(control.loads)
        loads[thread - 1] = site
        return Control(control.flusher, tuple(loads), running)

    def _possible(self, control: Control) -> bool:
        """Two threads never hold one lock."""
        sites = [s for s in (control.flusher, *control.loads) if s is not None]
        held = [self.held[s.operation][s.at] for s in sites]
        return not any(exclude(a, b) for a, b in combinations(held, 2))

    def _parameters(self, control: Control) -> tuple[z3.ExprRef, ...]:
        """Return the variables of a control's predicate, and have it explored if it is new."""
        if control not in self.parameters:
            out = [*self.space.rigid, *self._flat(self.space.state)]
            for thread in range(1 + len(self.space.tracked)):
                out += self._local_terms(control, thread)
            self.parameters[control] = tuple(out)
            self.waiting.append(control)
        return self.parameters[control]

    def _flat(self, values: Mapping[Location, Value]) -> list[z3.ExprRef]:
        return [x for where in self.space.state for x in flat(self.algebra, values[where])]

    def _local_terms(self, control: Control, thread: int) -> list[z3.ExprRef]:
        site = self._position(control, thread)
        if site is None:
            return []
        given = self._locals(site, thread)
        return [x for local in self._live(site) for x in flat(self.algebra, given[local])]

    def _live(self, site: Site) -> list[Local]:
        """Return the locals that a predicate speaks of: not the vCPU of a load, which is known."""
        operation = self.operations[site.operation]
        live = self.layouts[site.operation].live[site.at]
        own = operation.parameters.vcpu if operation.role is Role.LOAD else None
        return sorted((x for x in live if x != own), key=lambda x: x.name)

    def _locals(self, site: Site, thread: int, tag: str = "") -> Locals:
        kinds = self.algebra.kinds
        out: Locals = {}
        for x in self._live(site):
            name = f"{tag}{thread}:{site.operation}.{site.at}:{x.name}"
            out[x] = self.algebra.fresh(name, x.type, kinds.local(site.operation, x))
            if thread > FLUSHER and not tag:
                self.owners |= {term.get_id(): thread - 1 for term in flat(self.algebra, out[x])}
            if isinstance(x.type, Int):
                self.counters |= {term.get_id() for term in flat(self.algebra, out[x])}
        return out

    def _limits(self, values: Locals) -> list[z3.BoolRef]:
        count = self.space.count
        return [c for x in values for c in self.algebra.limits(values[x], x.type, count)]

    # Clauses ---------------------------------------------------------------------------------

    def _clause(
        self, head: Atom | None, body: tuple[Atom, ...], constraint: t.Bool, why: str
    ) -> None:
        if constraint is False:
            return
        self.clauses.append(Clause(head, body, t.z3_bool(constraint), why))

    def _atom(self, control: Control) -> Atom:
        return Atom(control, self._parameters(control))

    def _boot(self, idle: Control) -> None:
        self._parameters(idle)
        head = Atom(idle, (*self.space.rigid, *self._flat(self.space.boot)))
        self._clause(head, (), z3.BoolVal(val=True), "boot")
        for o in self.program.of(Role.OBSERVE):
            executor = self._executor(self.space.count + 1, self.space.boot)
            step = executor.alone(self.layouts[o.name], 0, {}, "boot")
            for claimed in step.claimed:
                broken = t.and_(claimed.broken, *executor.constraints)
                self._clause(None, (), broken, f"{claimed.claim} at boot")

    def _executor(
        self, thread: t.Number, start: Mapping[Location, Value], *more: z3.ArithRef
    ) -> Executor:
        return Executor(self.space.world(*more), thread, lambda _: True, start)

    def _number(self, thread: int) -> z3.ArithRef:
        return self.space.count if thread == FLUSHER else self.space.tracked[thread - 1]

    def _take(self, site: Site, thread: int) -> _Taken:
        if (site, thread) not in self.taken:
            executor = self._executor(self._number(thread), self.space.state)
            self.taken[site, thread] = self._run(executor, site, thread, self._number(thread))
        return self.taken[site, thread]

    def _run(
        self, executor: Executor, site: Site, thread: int, number: z3.ArithRef, tag: str = ""
    ) -> _Taken:
        operation = self.operations[site.operation]
        locals_ = self._locals(site, thread, tag)
        limits = self._limits(locals_)
        given = dict(locals_)
        if site.at == 0:
            limits += self._proper(operation, given)
        if operation.role is Role.LOAD and operation.parameters.vcpu is not None:
            given[operation.parameters.vcpu] = number
        shape = self.layouts[site.operation]
        step, exits = executor.alone_to(shape, site.at, given, f"{tag}{thread}")
        unknown = [
            c
            for (name, _), value in step.inputs.items()
            for c in self.algebra.limits(value, self.fields[name].type, self.space.count)
        ]
        constraint = t.z3_bool(t.and_(step.enabled, *limits, *unknown, *executor.constraints))
        return _Taken(site, step, tuple(exits), constraint, locals_)

    def _proper(self, operation: Operation, given: Locals) -> list[z3.BoolRef]:
        """Return what holds of the root that a load is given."""
        root = operation.parameters.root
        if root is None or root not in given:
            return []
        if self.algebra.kinds.exact_roots:
            fresh = self.algebra.fresh_root(f"root:{operation.name}")
            given[root] = fresh
            return self.algebra.proper(fresh)
        value = given[root]
        assert isinstance(value, z3.BitVecRef)
        return [value != 0, value != (1 << 64) - 1, z3.Extract(11, 0, value) == 0]

    def _own_step(self, control: Control, thread: int, site: Site) -> None:
        taken = self._take(site, thread)
        why = f"{'flusher' if thread == FLUSHER else f'vcpu {thread}'} {site.operation}:{site.at}"
        for body, extra in self._bodies(control, taken, thread):
            constraint = t.and_(taken.constraint, extra)
            for claimed in taken.step.claimed:
                broken = t.and_(constraint, claimed.broken)
                self._clause(None, body, broken, f"{claimed.claim} in {why}")
            for end in taken.exits:
                target = self._moved(control, thread, site.operation, end.to)
                if self._possible(target):
                    head = self._head(control, target, thread, taken.step, end.locals)
                    self._clause(head, body, t.and_(constraint, end.guard), why)

    def _head(
        self,
        control: Control,
        target: Control,
        thread: int,
        step: Step,
        locals_: Mapping[Local, Value],
    ) -> Atom:
        self._parameters(target)
        after = {**self.space.state, **step.outputs}
        arguments = [*self.space.rigid, *self._flat(after)]
        for other in range(1 + len(self.space.tracked)):
            if other != thread:
                arguments += self._local_terms(control, other)
                continue
            site = self._position(target, thread)
            if site is not None:
                for local in self._live(site):
                    arguments += flat(self.algebra, self._known(locals_, local, site))
        return Atom(target, tuple(arguments))

    def _known(self, locals_: Mapping[Local, Value], local: Local, site: Site) -> Value:
        """Return a local's value, anything where it has none."""
        if local in locals_:
            return locals_[local]
        self.names += 1
        kind = self.algebra.kinds.local(site.operation, local)
        return self.algebra.fresh(f"unset:{local.name}.{self.names}", local.type, kind)

    # Other vCPUs -----------------------------------------------------------------------------

    def _others(self, control: Control) -> None:
        """Any step of a load of any other vCPU."""
        for o in self.program.of(Role.LOAD):
            for at in sorted(self.layouts[o.name].boundaries):
                self._other_step(control, Site(o.name, at))

    def _other_step(self, control: Control, site: Site) -> None:
        number = z3.Int("@other")
        mine = Control(control.flusher, (*control.loads, site))
        if not self._possible(mine):
            return
        executor = self._executor(number, self.space.state, number)
        thread = len(self.space.tracked) + 1
        taken = self._run(executor, site, thread, number, "other:")
        cells = len(self.space.tracked)
        where = [number >= 0, number < self.space.count]
        where += [number != v for v in self.space.tracked]
        for hold in sorted(self.held[site.operation][site.at]):
            word = self.space.state[hold.lock, -1]
            where.append(t.z3_bool(self.algebra.equal(word, number + 1)))
        constraint = t.and_(taken.constraint, *where)
        why = f"another vCPU {site.operation}:{site.at}"
        body: tuple[Atom, ...] = (self._atom(control),)
        if self.generic:
            start = None if site.at == 0 else site
            own = {
                w: taken.step.inputs[w[0], cells]
                for w in self.space.state
                if (w[0], cells) in taken.step.inputs
            }
            body = (*body, self._like(control, start, number, own, taken.locals))
        else:
            for claimed in taken.step.claimed:
                broken = t.and_(constraint, claimed.broken)
                self._clause(None, body, broken, f"{claimed.claim} in {why}")
        after = {k: v for k, v in taken.step.outputs.items() if k in self.space.state}
        if after:
            arguments = [*self.space.rigid, *self._flat({**self.space.state, **after})]
            for other in range(1 + len(self.space.tracked)):
                arguments += self._local_terms(control, other)
            self._clause(Atom(control, tuple(arguments)), body, constraint, why)

    def _like(
        self,
        control: Control,
        at: Site | None,
        number: z3.ArithRef,
        own: Mapping[Location, Value],
        locals_: Locals,
    ) -> Atom:
        """Return that a vCPU is in a state in which the generic one can be.

        `at` is where its load is; `own` are the cells of the generic vCPU that are known of it, and
        `locals_` those of its locals.
        """
        generic = len(self.space.tracked) - 1
        like = replace(control, loads=(*control.loads[:-1], at))
        self._parameters(like)
        self.names += 1
        cells = {
            w: own[w] if w in own else self._unknown(w) if w[1] == generic else value
            for w, value in self.space.state.items()
        }
        rigid = [number if x.eq(self.space.tracked[generic]) else x for x in self.space.rigid]
        arguments = [*rigid, *self._flat(cells)]
        for thread in range(1 + generic):
            arguments += self._local_terms(like, thread)
        if at is not None:
            for local in self._live(at):
                arguments += flat(self.algebra, self._known(locals_, local, at))
        return Atom(like, tuple(arguments))

    def _unknown(self, where: Location) -> Value:
        f = self.fields[where[0]]
        kind = self.algebra.kinds.field(f)
        return self.algebra.fresh(f"like:{where[0]}.{self.names}", f.type, kind)

    def _bodies(
        self, control: Control, taken: _Taken, thread: int
    ) -> Iterator[tuple[tuple[Atom, ...], t.Bool]]:
        """Yield the cases of a step: what is known of each other vCPU that it looks at."""
        mine = self._atom(control)
        indices: list[t.Number] = []
        for _, index in taken.step.others:
            if not any(t.compare("==", index, i) is True for i in indices):
                indices.append(index)
        last = len(self.space.tracked)
        if not self.generic or thread == last or not indices:
            yield (mine,), True
            return
        named = self.space.tracked[:-1]
        places = sorted(self._generic_sites(control), key=str)
        for case in product((NOBODY, *range(len(places))), repeat=len(indices)):
            body = [mine]
            conditions: list[t.Bool] = []
            for index, choice in zip(indices, case, strict=True):
                inside = t.and_(t.compare("<=", 0, index), t.compare("<", index, self.space.count))
                told = t.or_(*(t.compare("==", index, w) for w in named))
                free = t.or_(t.not_(inside), told)
                if choice == NOBODY:
                    conditions.append(free)
                    continue
                conditions.append(t.not_(free))
                own = {
                    (where[0], last - 1): taken.step.inputs[where]
                    for where, i in taken.step.others
                    if t.compare("==", index, i) is True
                }
                body.append(self._like(control, places[choice], t.z3_number(index), own, {}))
            condition = t.and_(*conditions)
            if condition is not False:
                yield tuple(body), condition

    def _generic_sites(self, control: Control) -> set[Site | None]:
        """Return where the load of another vCPU can be."""
        loads = [
            Site(o.name, at)
            for o in self.program.of(Role.LOAD)
            for at in self.boundaries[o.name]
            if at > 0
        ]
        out: set[Site | None] = {None}
        for site in loads:
            if self._possible(replace(control, loads=(*control.loads[:-1], site))):
                out.add(site)
        return out

    # The end ---------------------------------------------------------------------------------

    def _end(self, control: Control) -> None:
        """Whatever is asserted at the end is asserted at every moment."""
        for o in self.program.of(Role.END):
            executor = self._executor(self.space.count + 1, self.space.state)
            step = executor.alone(self.layouts[o.name], 0, {}, "end")
            for claimed in step.claimed:
                broken = t.and_(claimed.broken, *executor.constraints)
                self._clause(None, (self._atom(control),), broken, f"{claimed.claim} at the end")


def _with_heads(operation: Operation, boundaries: frozenset[int]) -> Layout:
    operation = _without_ranges(operation)
    shape = layout(operation, boundaries)
    heads = {at for at in range(len(operation.code)) if shape.order.is_head(at)}
    return layout(operation, boundaries | heads)


def _without_ranges(operation: Operation) -> Operation:
    """Make hypercalls free choices: what they are given matters to claims' handlers alone."""
    code = (Havoc(i.target, i.span) if isinstance(i, Hypercall) else i for i in operation.code)
    return replace(operation, code=tuple(code))

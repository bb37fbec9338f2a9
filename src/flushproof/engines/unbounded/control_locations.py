"""Where the tracked threads can be, and which variables a predicate has there.

Lemma L18 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import assert_never

import z3

from flushproof.engines.reduction.commutativity import Site
from flushproof.engines.symbolic.locations import SHARED, Location
from flushproof.engines.symbolic.unroll_layout import UnrollLayout, layout_operation
from flushproof.engines.symbolic.values import Value
from flushproof.engines.unbounded.history_variable import HISTORY
from flushproof.engines.unbounded.horn_clauses import (
    BYSTANDER,
    FLUSHER,
    Atom,
    BystanderThread,
    ClaimNotes,
    Control,
    FlusherThread,
    LoadThread,
    LocalVariable,
    Located,
    Untracked,
    Variable,
    thread_label,
)
from flushproof.engines.unbounded.state_space import Space, flatten_value
from flushproof.ir.analysis.held_locks import are_exclusive, surely_held
from flushproof.ir.analysis.weak_topological_order import loop_heads
from flushproof.ir.code import Havoc, Hypercall, Local
from flushproof.ir.program import Operation, Role
from flushproof.ir.types import Int, LockWord
from flushproof.support.record import replace

Locals = dict[Local, Value]


class Frames:
    """The controls of one program, and the parameters of their predicates.

    `boundaries` are the positions at which other threads may step in between; steps are cut at
    heads of loops, too, where nobody steps in.
    """

    def __init__(self, space: Space, boundaries: Mapping[str, frozenset[int]]) -> None:
        self.space = space
        self.algebra = space.algebra
        self.boundaries = boundaries
        self.operations = {o.name: o for o in space.program.operations}
        self.layouts = {
            n: _layout_without_ranges(o, boundaries[n]) for n, o in self.operations.items()
        }
        self.held = surely_held(space.program.operations)
        loads = map(LoadThread, range(len(space.tracked)))
        self.threads: tuple[Located, ...] = (FLUSHER, *loads)
        self.parameters: dict[Control, tuple[z3.ExprRef, ...]] = {}
        self.waiting: list[Control] = []
        self.names = 0
        self.unset: list[z3.BoolRef] = []
        fields = {f.name: f for f in space.program.fields}
        self.counters = {
            x.get_id()
            for (name, cell), value in space.state.items()
            # Who reads a lock, or holds that of a vCPU, is not told by where threads are.
            if isinstance(fields[name].type, Int)
            or (isinstance(fields[name].type, LockWord) and cell != SHARED)
            for x in flatten_value(self.algebra, value)
        }
        self.variables: dict[int, Variable] = {
            x.get_id(): ClaimNotes()
            for (name, _), value in space.state.items()
            if fields[name].ghost and fields[name] != HISTORY
            for x in flatten_value(self.algebra, value)
        }

    # Controls --------------------------------------------------------------------------------

    def position(self, control: Control, thread: Located) -> Site | None:
        """Return where a thread is; None between calls."""
        match thread:
            case FlusherThread():
                return control.flusher
            case LoadThread(vcpu):
                return control.loads[vcpu]
            case BystanderThread():
                return control.bystander
            case other:
                assert_never(other)

    def sites(self, control: Control, thread: Located) -> list[Site]:
        """Return where a thread's next step may begin."""
        at = self.position(control, thread)
        if at is not None:
            return [at]
        role = Role.FLUSH if thread == FLUSHER else Role.LOAD
        return [Site(o.name, 0) for o in self.space.program.of(role)]

    def running(self, control: Control) -> tuple[Located, ...]:
        """Return the threads that may step."""
        return self.threads if control.running is None else (control.running,)

    def moved(self, control: Control, thread: Located, operation: str, to: int | None) -> Control:
        """Return the control after a thread's step."""
        site = None if to is None else Site(operation, to)
        inside = to is not None and to not in self.boundaries[operation]
        running = thread if inside else None
        match thread:
            case FlusherThread():
                return replace(control, flusher=site, running=running)
            case LoadThread():
                return replace(relocate_load(control, thread, site), running=running)
            case BystanderThread():
                return replace(control, bystander=site, running=running)
            case other:
                assert_never(other)

    def possible(self, control: Control) -> bool:
        """Two threads never hold one lock."""
        sites = [s for s in (control.flusher, *control.loads) if s is not None]
        held = [self.held[s.operation][s.at] for s in sites]
        return not any(are_exclusive(a, b) for a, b in combinations(held, 2))

    def loading(self, control: Control, thread: LoadThread) -> list[Site | None]:
        """Return where the load of one tracked vCPU can be, the others being where they are."""
        loads = [
            Site(o.name, at)
            for o in self.space.program.of(Role.LOAD)
            for at in sorted(self.boundaries[o.name])
            if at > 0
        ]
        fits = (s for s in loads if self.possible(self.moved(control, thread, s.operation, s.at)))
        return [None, *fits]

    # Parameters ------------------------------------------------------------------------------

    def atom(self, control: Control) -> Atom:
        """Return a control's predicate, applied to its variables."""
        return Atom(control, self.of(control))

    def of(self, control: Control) -> tuple[z3.ExprRef, ...]:
        """Return the variables of a control's predicate, and have it explored if it is new."""
        if control not in self.parameters:
            self.parameters[control] = self.arguments(control, self.space.state, {})
            self.waiting.append(control)
        return self.parameters[control]

    def arguments(
        self, control: Control, state: Mapping[Location, Value], given: Mapping[Located, Locals]
    ) -> tuple[z3.ExprRef, ...]:
        """Return arguments for a predicate: a state, and the locals of some of the threads.

        Other threads' locals are the variables themselves; a local without a value has any.
        """
        out = [*self.space.rigid]
        out += [x for where in self.space.state for x in flatten_value(self.algebra, state[where])]
        for thread in (*self.threads, BYSTANDER):
            site = self.position(control, thread)
            if site is not None:
                own = given.get(thread, self.locals(site, thread))
                for local in self.live(site):
                    out += flatten_value(self.algebra, self._known(own, local, site))
        return tuple(out)

    def live(self, site: Site) -> list[Local]:
        """Return the locals that a predicate speaks of: not the vCPU of a load, which is known."""
        operation = self.operations[site.operation]
        live = self.layouts[site.operation].live[site.at]
        own = operation.parameters.vcpu if operation.role is Role.LOAD else None
        return sorted((x for x in live if x != own), key=lambda x: x.name)

    def locals(self, site: Site, thread: Located | Untracked) -> Locals:
        """Return the variables that stand for a thread's locals."""
        out: Locals = {}
        for x in self.live(site):
            name = f"{thread_label(thread)}:{site.operation}.{site.at}:{x.name}"
            out[x] = self.algebra.fresh(name, x.type, self.algebra.kinds.local(site.operation, x))
            if isinstance(x.type, Int):
                terms = [term.get_id() for term in flatten_value(self.algebra, out[x])]
                variable = LocalVariable(thread, site.operation, x.name)
                self.counters.update(terms)
                self.variables |= dict.fromkeys(terms, variable)
        return out

    def limits(self, values: Locals) -> Iterator[z3.BoolRef]:
        """Yield what holds of locals because of their types."""
        for x in values:
            yield from self.algebra.limits(values[x], x.type, self.space.count)

    def ranges(self) -> dict[Control, tuple[z3.BoolRef, ...]]:
        """Return for each control what the types of its variables allow them to be."""
        return {control: tuple(self._ranges(control)) for control in self.parameters}

    def _ranges(self, control: Control) -> Iterator[z3.BoolRef]:
        yield from self.space.ranges
        for thread in (*self.threads, BYSTANDER):
            site = self.position(control, thread)
            if site is not None:
                yield from self.limits(self.locals(site, thread))

    def _known(self, locals_: Mapping[Local, Value], local: Local, site: Site) -> Value:
        if local in locals_:
            return locals_[local]
        kind = self.algebra.kinds.local(site.operation, local)
        # A local that nothing has set holds anything: a value of one's own choice would be a
        # promise.
        value = self.algebra.fresh(f"unset:{local.name}.{self.fresh()}", local.type, kind)
        self.unset += self.algebra.limits(value, local.type, self.space.count)
        return value

    def fresh(self) -> int:
        """Return a number that makes a name new."""
        self.names += 1
        return self.names


def relocate_load(control: Control, thread: LoadThread, site: Site | None) -> Control:
    """Return a control with another place for the load of one tracked vCPU."""
    loads = list(control.loads)
    loads[thread.vcpu] = site
    return replace(control, loads=tuple(loads))


def _layout_without_ranges(operation: Operation, boundaries: frozenset[int]) -> UnrollLayout:
    operation = _without_ranges(operation)
    return layout_operation(operation, boundaries | loop_heads(operation.code))


def _without_ranges(operation: Operation) -> Operation:
    """Make hypercalls free choices: what they are given matters to claims' handlers alone."""
    code = (Havoc(i.target, i.span) if isinstance(i, Hypercall) else i for i in operation.code)
    return replace(operation, code=tuple(code))

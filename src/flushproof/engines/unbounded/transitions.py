"""Single steps of threads, executed from the unknowns of a control.

Lemma L4 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import z3

from flushproof.engines.reduction.commutativity import Site
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.execute import Executor, Exit
from flushproof.engines.symbolic.root_domain import any_root, any_vcpu
from flushproof.engines.symbolic.step import SymbolicStep, World
from flushproof.engines.unbounded.control_locations import Frames, Locals
from flushproof.engines.unbounded.horn_clauses import (
    BystanderThread,
    FlusherThread,
    LoadThread,
    Located,
    OtherFlusherThread,
    OtherThread,
    Untracked,
    thread_label,
)
from flushproof.engines.unbounded.state_space import Space
from flushproof.ir.code import Instr
from flushproof.ir.program import Operation, Role
from flushproof.support.record import Record

UNFIT = "a number leaves its type"


class Taken(Record, frozen=True):
    """A step from a site: what it does, where it ends, and what its unknowns satisfy.

    `errors` are what may go wrong in it, and when; `shown` says that what is known not to go wrong
    in it does not.
    """

    role: Role
    site: Site
    step: SymbolicStep
    exits: tuple[Exit, ...]
    constraint: z3.BoolRef
    locals: Locals
    errors: tuple[tuple[str, t.Bool], ...]
    shown: z3.BoolRef


class TransitionExecutor:
    """Executes the steps of one program.

    What goes wrong is a claim that fails, a sum that leaves its type, and undefined behaviour; with
    `claims_only` the latter two only in what was woven in for claims, as the code proper is looked
    at by itself.
    """

    def __init__(self, space: Space, frames: Frames, *, claims_only: bool) -> None:
        self.space = space
        self.frames = frames
        self.claims_only = claims_only
        self.fields = {f.name: f for f in space.program.fields}
        self.taken: dict[tuple[Site, Located], Taken] = {}

    def own(self, site: Site, thread: Located) -> Taken:
        """Return the step of a tracked thread."""
        if (site, thread) not in self.taken:
            number = self._number(thread)
            self.taken[site, thread] = self._run(site, thread, number, self.space.world())
        return self.taken[site, thread]

    def other(self, site: Site, number: z3.ArithRef) -> Taken:
        """Return the step of the load of a vCPU that is not tracked, for which there are cells."""
        world = self.space.world(number)
        return self._run(site, OtherThread(len(self.space.tracked)), number, world)

    def other_flusher(self, site: Site, number: z3.ArithRef) -> Taken:
        """Return the step of a flusher that is not tracked."""
        return self._run(site, OtherFlusherThread(), number, self.space.world(flusher=number))

    def _number(self, thread: Located) -> z3.ArithRef:
        match thread:
            case FlusherThread():
                return self.space.flusher
            case LoadThread(vcpu):
                return self.space.tracked[vcpu]
            case BystanderThread():
                return self.space.count + 1
            case other:
                assert_never(other)

    def _run(
        self, site: Site, thread: Located | Untracked, number: z3.ArithRef, world: World
    ) -> Taken:
        operation = self.frames.operations[site.operation]
        executor = Executor(world, number, lambda _: True, self.space.state)
        label = thread_label(thread)
        locals_ = self.frames.locals(site, thread)
        limits = [*self.frames.limits(locals_)]
        given = dict(locals_)
        if site.at == 0 and operation.parameters.root in given:
            root, proper = any_root(self.space.algebra, f"root:{operation.name}")
            given[operation.parameters.root] = root
            limits += proper
        others = operation.parameters.others
        if operation.role is Role.LOAD and operation.parameters.vcpu is not None:
            given[operation.parameters.vcpu] = number
        elif operation.parameters.vcpu is not None:
            others = (operation.parameters.vcpu, *others)
        for x in others:
            if site.at == 0 and x in given:
                name = f"{label}:vcpu:{operation.name}:{x.name}"
                given[x], exists = any_vcpu(name, self.space.count)
                limits += exists
        shape = self.frames.layouts[site.operation]
        step, exits = executor.alone_to(shape, site.at, given, label)
        constraint = t.and_(step.enabled, *limits, *self._inputs(step), *executor.constraints)
        return Taken(
            operation.role,
            site,
            step,
            tuple(exits),
            t.z3_bool(constraint),
            locals_,
            tuple(self._errors(operation, step)),
            self._shown(operation, step),
        )

    def _inputs(self, step: SymbolicStep) -> Iterator[z3.BoolRef]:
        for (name, _), value in step.inputs.items():
            f = self.fields[name]
            yield from self.space.algebra.limits(value, f.type, self.space.count)

    def _errors(self, operation: Operation, step: SymbolicStep) -> Iterator[tuple[str, t.Bool]]:
        yield from ((c.claim, c.broken) for c in step.claimed)
        for at, unfit in step.overflows:
            if self._matters(operation.code[at]):
                yield UNFIT, unfit.doubtful
        yield from ((f.text, f.broken) for f in step.faults if self._matters(f.instr))

    def _shown(self, operation: Operation, step: SymbolicStep) -> z3.BoolRef:
        # `leaves`, not `doubtful`: taken for granted is only that no sum leaves its type, as was
        # proved of the code by itself (L4).
        sums = (x for at, x in step.overflows if not self._matters(operation.code[at]))
        return t.z3_bool(t.not_(t.or_(*(x.leaves for x in sums))))

    def _matters(self, i: Instr) -> bool:
        return i.from_claim or not self.claims_only

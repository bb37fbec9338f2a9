"""Single steps of threads, executed from the unknowns of a control."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from flushproof.engines.symbolic import terms as t
from flushproof.engines.symbolic.execute import Executor, Exit
from flushproof.engines.symbolic.moves import Site
from flushproof.engines.symbolic.roots import any_root
from flushproof.engines.symbolic.steps import Step
from flushproof.engines.unbounded.frames import FLUSHER, Frames, Locals
from flushproof.engines.unbounded.state import Space
from flushproof.ir.code import Instr
from flushproof.ir.program import Operation, Role
from flushproof.ir.uses import defined
from flushproof.record import Record


class Taken(Record, frozen=True):
    """A step from a site: what it does, where it ends, and what its unknowns satisfy.

    `errors` are what may go wrong in it, and when.
    """

    site: Site
    step: Step
    exits: tuple[Exit, ...]
    constraint: z3.BoolRef
    locals: Locals
    errors: tuple[tuple[str, t.Bool], ...]


class Steps:
    """Executes the steps of one program.

    What goes wrong is a claim that fails, and a sum of a claim's handlers that leaves its type; the
    code proper stands in `code` and is looked at elsewhere. Without `code` it is any sum and any
    undefined behaviour.
    """

    def __init__(self, space: Space, frames: Frames, code: frozenset[str] | None) -> None:
        self.space = space
        self.frames = frames
        self.code = code
        self.fields = {f.name: f for f in space.program.fields}
        self.taken: dict[tuple[Site, int], Taken] = {}

    def own(self, site: Site, thread: int) -> Taken:
        """Return the step of a tracked thread."""
        if (site, thread) not in self.taken:
            self.taken[site, thread] = self._run(site, thread, self._number(thread), "")
        return self.taken[site, thread]

    def other(self, site: Site, number: z3.ArithRef) -> Taken:
        """Return the step of the load of a vCPU that is not tracked, for which there are cells."""
        return self._run(site, len(self.space.tracked) + 1, number, "other:", number)

    def check(self, operation: Operation, *, boot: bool) -> Iterator[tuple[str, t.Bool]]:
        """Yield what a pseudo-operation finds wrong, at boot or at any time."""
        start = self.space.boot if boot else self.space.state
        thread = self.space.count + 1
        executor = Executor(self.space.world(), thread, lambda _: True, start)
        step = executor.alone(self.frames.layouts[operation.name], 0, {}, operation.name)
        for claimed in step.claimed:
            yield claimed.claim, t.and_(claimed.broken, *executor.constraints)

    def _proper(self, i: Instr) -> bool:
        """Tell whether an instruction surely belongs to the code proper."""
        target = defined(i)
        named = target is not None and (":" in target.name or target.name.startswith("%c"))
        return (
            not named and self.code is not None and i.span is not None and i.span.file in self.code
        )

    def _number(self, thread: int) -> z3.ArithRef:
        return self.space.count if thread == FLUSHER else self.space.tracked[thread - 1]

    def _run(
        self, site: Site, thread: int, number: z3.ArithRef, tag: str, *more: z3.ArithRef
    ) -> Taken:
        operation = self.frames.operations[site.operation]
        executor = Executor(self.space.world(*more), number, lambda _: True, self.space.state)
        locals_ = self.frames.locals(site, thread, tag)
        limits = [*self.frames.limits(locals_)]
        given = dict(locals_)
        if site.at == 0 and operation.parameters.root in given:
            root, proper = any_root(self.space.algebra, f"root:{operation.name}")
            given[operation.parameters.root] = root
            limits += proper
        if operation.role is Role.LOAD and operation.parameters.vcpu is not None:
            given[operation.parameters.vcpu] = number
        shape = self.frames.layouts[site.operation]
        step, exits = executor.alone_to(shape, site.at, given, f"{tag}{thread}")
        constraint = t.and_(step.enabled, *limits, *self._inputs(step), *executor.constraints)
        errors = tuple(self._errors(operation, step))
        return Taken(site, step, tuple(exits), t.z3_bool(constraint), locals_, errors)

    def _inputs(self, step: Step) -> Iterator[z3.BoolRef]:
        for (name, _), value in step.inputs.items():
            f = self.fields[name]
            yield from self.space.algebra.limits(value, f.type, self.space.count)

    def _errors(self, operation: Operation, step: Step) -> Iterator[tuple[str, t.Bool]]:
        yield from ((c.claim, c.broken) for c in step.claimed)
        for at, broken in step.overflows:
            if self.code is None or not self._proper(operation.code[at]):
                yield "a sum leaves its type", broken
        if self.code is None:
            yield from ((f.text, f.broken) for f in step.faults)

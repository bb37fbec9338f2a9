"""The threads of a bounded run: each vCPU's loads, each flusher's flushes, unrolled into steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.execute import Executor, Feasible
from flushproof.engines.symbolic.root_domain import any_root, any_vcpu
from flushproof.engines.symbolic.step import SymbolicStep, ThreadSteps, World
from flushproof.engines.symbolic.unroll_layout import layout_operation
from flushproof.engines.symbolic.values import Value
from flushproof.ir.code import Acquire, Exchange, Local, Release, TryAcquire, Write
from flushproof.ir.program import BYSTANDERS, Operation, Program, Role
from flushproof.support.record import Record

Boundaries = Callable[[Operation], frozenset[int]]


class Counts(Record, frozen=True):
    """How many vCPUs, loads a vCPU, flushes a flusher, and flushers.

    Only the first `active` vCPUs load; None: all may.
    """

    vcpus: int
    loads: int
    flushes: int
    flushers: int
    active: int | None = None

    @property
    def loading(self) -> range:
        """The vCPUs that load."""
        return range(self.vcpus if self.active is None else self.active)


def argument_key(operation: str, parameter: Local) -> str:
    """Return under which key the arguments of a thread's calls have that for a parameter."""
    return f"{operation}/{parameter.name}"


class Unroller:
    """Builds every thread's steps."""

    def __init__(
        self,
        world: World,
        counts: Counts,
        boundaries: Mapping[str, frozenset[int]],
        feasible: Feasible,
    ) -> None:
        world.program.require(counts.loads, counts.flushes, counts.flushers)
        self.world = world
        self.program = world.program
        self.algebra = world.algebra
        self.counts = counts
        self.feasible = feasible
        self.layouts = {
            o.name: layout_operation(o, boundaries[o.name]) for o in world.program.operations
        }

    def threads(self) -> tuple[ThreadSteps, ...]:
        """All threads: those of vCPUs that load first, in order, then flushers."""
        n = self.counts.vcpus
        flushing = range(self.counts.flushers) if self.program.of(Role.FLUSH) else ()
        loads = [
            self._thread(v, f"vcpu{v}", Role.LOAD, self.counts.loads) for v in self.counts.loading
        ]
        flushes = [
            self._thread(n + k, f"flusher{k}", Role.FLUSH, self.counts.flushes) for k in flushing
        ]
        return (*loads, *flushes, *self._bystanders(n + self.counts.flushers))

    def _bystanders(self, number: int) -> tuple[ThreadSteps, ...]:
        roles = [r for r in BYSTANDERS if self.program.of(r)]
        return tuple(self._thread(number + k, str(r), r, 1) for k, r in enumerate(roles))

    def _thread(self, number: int, name: str, role: Role, calls: int) -> ThreadSteps:
        executor = Executor(self.world, number, self.feasible)
        steps: list[SymbolicStep] = []
        arguments: list[dict[str, Value]] = []
        operations = self.program.of(role)
        selectors: list[tuple[t.Bool, ...]] = []
        for call in range(calls):
            chosen = _selectors(f"{name}.{call}", len(operations))
            selectors.append(chosen)
            given: dict[str, Value] = {}
            for operation, entry in zip(operations, chosen, strict=True):
                values = self._arguments(operation, f"{name}.{call}", number, executor)
                given |= {argument_key(operation.name, x): v for x, v in values.items()}
                steps += executor.call(self.layouts[operation.name], call, values, entry)
            arguments.append(given)
        return ThreadSteps(
            number,
            name,
            role,
            tuple(steps),
            tuple(arguments),
            tuple(o.name for o in operations),
            tuple(selectors),
            tuple(executor.constraints),
            tuple(executor.cut),
        )

    def _arguments(
        self, operation: Operation, prefix: str, number: int, executor: Executor
    ) -> dict[Local, Value]:
        p = operation.parameters
        values: dict[Local, Value] = {}
        for local in p.all:
            name = f"{prefix}.{local.name}"
            if local is p.root:
                root = self._root(name, executor)
                values[local] = root
            elif local is p.vcpu and operation.role is Role.LOAD:
                values[local] = number
            elif local is p.vcpu or local in p.others:
                values[local] = self._any_vcpu(name, executor)
            else:
                values[local] = self._fresh(operation, name, local, executor)
        return values

    def _root(self, name: str, executor: Executor) -> Value:
        root, proper = any_root(self.algebra, name)
        executor.constraints += proper
        return root

    def _any_vcpu(self, name: str, executor: Executor) -> Value:
        vcpu, exists = any_vcpu(name, self.counts.vcpus)
        executor.constraints += exists
        return vcpu

    def _fresh(self, operation: Operation, name: str, local: Local, executor: Executor) -> Value:
        kind = self.algebra.kinds.local(operation.name, local)
        value = self.algebra.fresh(name, local.type, kind)
        executor.constraints += self.algebra.limits(value, local.type, self.counts.vcpus)
        return value


def _selectors(name: str, count: int) -> tuple[t.Bool, ...]:
    """Mutually exclusive conditions, one for each alternative."""
    out: list[t.Bool] = []
    none_before: t.Bool = True
    for k in range(count - 1):
        pick = z3.Bool(f"{name}.is{k}")
        out.append(t.and_(none_before, pick))
        none_before = t.and_(none_before, t.not_(pick))
    return (*out, none_before)


def written_fields(program: Program) -> frozenset[str]:
    """Return the names of fields that some operation may write."""
    found = set()
    for operation in program.operations:
        for instr in operation.code:
            if isinstance(instr, (Write, Exchange, Acquire, TryAcquire, Release)):
                found.add(instr.field.name)
    return frozenset(found)

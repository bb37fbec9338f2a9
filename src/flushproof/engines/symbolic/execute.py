"""Symbolic execution of a call: unrolling in weak topological order, cut into steps.

Each instance of a position carries the iteration counts of the loops around it. Instances are taken
in the lexicographic order of their paths through the loop nest, so every path that can reach an
instance has been explored before it, and all of them are merged there.

Lemma L16 of docs/soundness.md.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from functools import cached_property

import z3

from flushproof.engines.reduction.ranking import unranked_heads
from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.evaluate import Evaluator, MachineValues
from flushproof.engines.symbolic.locations import SHARED, Location
from flushproof.engines.symbolic.locks import Index, Locks
from flushproof.engines.symbolic.memory import PathMemory
from flushproof.engines.symbolic.paths import Path, Paths
from flushproof.engines.symbolic.step import (
    AssertionFailure,
    Fault,
    FreeChoice,
    LoopCut,
    SymbolicStep,
    World,
)
from flushproof.engines.symbolic.unroll_layout import Instance, UnrollLayout
from flushproof.engines.symbolic.values import Value
from flushproof.frontend.c.type_errors import Unbounded, UnsupportedConstruct
from flushproof.ir.analysis.counting import claim_heads
from flushproof.ir.analysis.def_use import may_wait, mentions_locks
from flushproof.ir.analysis.representation import Representation
from flushproof.ir.code import (
    LOCKS,
    Access,
    Acquire,
    Assert,
    Assign,
    Available,
    BeginAtomic,
    Branch,
    Check,
    Drain,
    EndAtomic,
    Enter,
    Every,
    Exchange,
    Expr,
    Fence,
    Freeing,
    Havoc,
    Holds,
    Hypercall,
    Instr,
    Jump,
    Local,
    Read,
    Release,
    Return,
    Stop,
    StoreFence,
    TryAcquire,
    Uninit,
    Until,
    Write,
)
from flushproof.ir.program import BYSTANDERS, Role
from flushproof.ir.types import VCPU
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record

SHORT = 2
"""Rounds of a loop beyond the number of vCPUs after which it is asked whether there are more."""


class Exit(Record, frozen=True):
    """One end of a step: at which position (None: the call is over), when, with which locals."""

    to: int | None
    guard: t.Bool
    locals: Mapping[Local, Value]


Feasible = Callable[[t.Bool], bool | None]
"""Tells whether a condition can hold; None where the solver gave up."""

PATIENCE = 3
"""Questions about long loops that the solver may give up on before such loops are cut."""


class Executor:
    """Executes the calls of one thread."""

    def __init__(
        self,
        world: World,
        thread: t.Number,
        feasible: Feasible,
        start: Mapping[Location, Value] | None = None,
    ) -> None:
        self.world = world
        self.start = start or {}
        self.algebra = world.algebra
        self.vcpus = world.vcpus
        self.count = world.count
        self.thread = thread
        self.feasible = feasible
        self.constraints: list[z3.BoolRef] = []
        self.paths = Paths(world.algebra)
        self.fields = {f.name: f for f in world.program.fields}
        self.chosen = _chosen(world)
        self.limit = 4 * world.vcpus + 32
        self.cut: list[LoopCut] = []
        self.given_up = 0

    @cached_property
    def after(self) -> t.Number:
        """What tells the thread where 0 is nobody, as in the word of a lock."""
        return self.thread + 1

    def alone(
        self, shape: UnrollLayout, at: int, locals_: dict[Local, Value], tag: str
    ) -> SymbolicStep:
        """Execute the step from one position, from the given locals; nothing is iterated."""
        start: Instance = (at, tuple(0 for _ in shape.order.loops[at]))
        region = _Region(self, shape, 0, start, [(True, locals_)], tag)
        region.run()
        return region.step

    def alone_to(
        self, shape: UnrollLayout, at: int, locals_: dict[Local, Value], tag: str
    ) -> tuple[SymbolicStep, list[Exit]]:
        """Execute such a step; return also where it ends."""
        start: Instance = (at, tuple(0 for _ in shape.order.loops[at]))
        region = _Region(self, shape, 0, start, [(True, locals_)], tag)
        exits = [Exit(to[0], guard, known) for to, guard, known in region.run()]
        stops = [self.paths.guard(path.cubes) for to, path in region.exits if to is None]
        if stops:
            exits.append(Exit(None, t.or_(*stops), {}))
        return region.step, exits

    def call(
        self, shape: UnrollLayout, number: int, arguments: dict[Local, Value], entry: t.Bool
    ) -> list[SymbolicStep]:
        """Unroll one call into steps; `entry` says whether this operation is the one called."""
        start: Instance = (0, tuple(0 for _ in shape.order.loops[0]))
        waiting: dict[Instance, list[tuple[t.Bool, dict[Local, Value]]]] = {
            start: [(entry, arguments)]
        }
        steps: list[SymbolicStep] = []
        while waiting:
            # In weak topological order: all paths to this instance have come by now, so it is
            # executed once with all of them merged, and no step exists twice (L16).
            instance = min(waiting, key=shape.key)
            arrivals = waiting.pop(instance)
            region = _Region(self, shape, number, instance, arrivals)
            steps.append(region.step)
            for target, guard, locals_ in region.run():
                waiting.setdefault(target, []).append((guard, locals_))
        return steps


def _chosen(world: World) -> tuple[t.Number, ...]:
    """Return the witnesses that are vCPUs, which all exist."""
    names = [f.name for f in world.program.witnesses if f.type == VCPU]
    found = (world.fixed.get((name, SHARED)) for name in names)
    return tuple(w for w in found if isinstance(w, (int, z3.ArithRef)))


class _Region:
    """One step being executed."""

    def __init__(
        self,
        owner: Executor,
        shape: UnrollLayout,
        call: int,
        instance: Instance,
        arrivals: list[tuple[t.Bool, dict[Local, Value]]],
        tag: str = "",
    ) -> None:
        self.owner = owner
        self.shape = shape
        self.start = instance
        self.algebra = owner.algebra
        self.evaluator = Evaluator(owner.algebra, shape.operation.name)
        guard, self.entry = self._enter(arrivals, shape.live[instance[0]])
        name = shape.operation.name
        at = instance[0]
        waits = may_wait(shape.operation.code[at])
        self.step = SymbolicStep(call, name, at, guard, at == 0, waits)
        counts = ".".join(map(str, instance[1]))
        self.label = f"{tag or owner.thread}.{call}.{name}.{instance[0]}.{counts}"
        self.memory = PathMemory(owner.world, self.step, self.label, owner.start, owner.constraints)
        own = (owner.thread,) if shape.operation.role is Role.LOAD else ()
        self.existing = (*owner.chosen, *own)
        self.locks = Locks(owner.world, owner.thread, self.memory)
        self.arrivals: dict[Instance, list[Path]] = {}
        self.heap: list[tuple[tuple[int, ...], Instance]] = []
        self.exits: list[tuple[Instance | None, Path]] = []
        self.at = instance[0]

    def _enter(
        self, arrivals: list[tuple[t.Bool, dict[Local, Value]]], live: frozenset[Local]
    ) -> tuple[t.Bool, dict[Local, Value]]:
        guard, locals_ = arrivals[0]
        merged = {x: v for x, v in locals_.items() if x in live}
        for other, values in arrivals[1:]:
            for x in (x for x in values if x in live):
                old = merged.get(x, values[x])
                merged[x] = self.owner.algebra.ite(other, values[x], old)
            guard = t.or_(guard, other)
        return guard, merged

    def run(self) -> list[tuple[Instance, t.Bool, dict[Local, Value]]]:
        """Execute to the next boundaries; return where control goes, and under which guard."""
        self._instr(self.start, Path(((),), dict(self.entry), {}))
        while self.heap:
            _, instance = heapq.heappop(self.heap)
            paths = self.arrivals.pop(instance)
            for path in paths[1:]:
                self._complete(path, paths)
            self._complete(paths[0], paths)
            live = self.shape.live[instance[0]]
            self._instr(instance, self.owner.paths.merge(paths, live))
        return self._finish()

    def _complete(self, path: Path, paths: list[Path]) -> None:
        """Give a path the unchanged value of every location that others touched."""
        for other in paths:
            for where in other.memory:
                if where not in path.memory:
                    path.memory[where] = self.memory.input(where)

    def _finish(self) -> list[tuple[Instance, t.Bool, dict[Local, Value]]]:
        ends = [path for _, path in self.exits]
        for path in ends:
            self._complete(path, ends)
        targets = dict.fromkeys(target for target, _ in self.exits if target is not None)
        out = [self._exit(target) for target in targets]
        self.step.exits = [(guard, locals_) for _, guard, locals_ in out]
        if ends:
            copies = [Path(p.cubes, {}, dict(p.memory)) for p in ends]
            memory = self.owner.paths.merge(copies, frozenset()).memory
            # A location that a path was only completed with is no output: as one it would be a
            # write, and conflict with all who read it when it is asked whether steps commute.
            self.step.outputs = {
                k: v
                for k, v in memory.items()
                if k not in self.owner.world.fixed
                and v is not self.step.inputs.get(k)
                and v is not self.owner.start.get(k)
            }
        return out

    def _exit(self, target: Instance) -> tuple[Instance, t.Bool, dict[Local, Value]]:
        """All the paths to one boundary as one."""
        paths = [Path(p.cubes, dict(p.locals), {}) for at, p in self.exits if at == target]
        merged = self.owner.paths.merge(paths, self.shape.live[target[0]])
        guard = t.and_(self.step.guard, self.owner.paths.guard(merged.cubes))
        return target, guard, merged.locals

    def _leave(self, instance: Instance, to: int, path: Path) -> None:
        target = self.shape.go(instance, to)
        if self._idle(target, path):
            return
        if to in self.shape.boundaries:
            self.exits.append((target, path))
            return
        if target not in self.arrivals:
            self.arrivals[target] = []
            heapq.heappush(self.heap, (self.shape.key(target), target))
        self.arrivals[target].append(path)

    def _idle(self, target: Instance, path: Path) -> bool:
        """Tell whether another round of a loop cannot happen, or is not looked at.

        It is asked only of long loops. That a round was left out is noted.
        """
        at, counts = target
        long = counts and counts[-1] > self.owner.vcpus + SHORT
        if not long or not self.shape.order.is_head(at):
            return False
        # Only "impossible" ends a loop. A solver that gives up has not said so (L16).
        feasible = self.owner.feasible(t.and_(*self.owner.constraints, self._guard(path)))
        if feasible is False:
            return True
        self.owner.given_up += feasible is None
        code = self.shape.operation.code
        endless = at in unranked_heads(code)
        atomic = self.shape.operation.role in BYSTANDERS or at in claim_heads(code)
        tired = self.owner.given_up > PATIENCE and not atomic
        if not endless and not tired and counts[-1] <= self.owner.limit:
            return False
        if atomic:
            raise InputError(Unbounded(span=code[at].span, limit=counts[-1]))
        self.owner.cut.append(LoopCut(code[at].span, counts[-1]))
        # A thread that is left there is in its call for good: it must not seem to begin another.
        elsewhere = t.not_(self.owner.paths.guard(path.cubes))
        self.step.enabled = t.and_(self.step.enabled, elsewhere)
        return True

    # Memory ----------------------------------------------------------------------------------

    def _index(self, path: Path, index: Expr | None, instr: Instr) -> Index:
        if index is None:
            return None
        number = self._value(index, path)
        assert isinstance(number, (int, z3.ArithRef))
        n = self.owner.count
        if isinstance(number, int) and isinstance(n, int) and 0 <= number < n:
            return number
        # Witnesses and the vCPU of a load exist: a check that cannot fail would be one more path.
        if any(t.is_same_number(number, w) for w in self.existing):
            return number
        inside = t.and_(t.compare_numbers("<=", 0, number), t.compare_numbers("<", number, n))
        self._fault("a vCPU that does not exist is accessed", inside, instr, path)
        return number

    # Values ----------------------------------------------------------------------------------

    def _machine(self, path: Path, e: Expr) -> MachineValues:
        locks = self.locks.states(path) if mentions_locks(e) else ()
        if len(locks) > LOCKS:
            span = self.shape.operation.span
            raise InputError(UnsupportedConstruct(span=span, construct=f"more than {LOCKS} locks"))
        return MachineValues(self.owner.count, self.owner.after, locks)

    def _value(self, e: Expr, path: Path, kind: Representation | None = None) -> Value:
        value = self.evaluator.value(e, path.locals, self._machine(path, e), kind)
        self._overflow(path)
        return value

    def _condition(self, e: Expr, path: Path) -> t.Bool:
        condition = self.evaluator.condition(e, path.locals, self._machine(path, e))
        self._overflow(path)
        return condition

    def _overflow(self, path: Path) -> None:
        """Note sums that leave their type, where these do not wrap around."""
        while self.algebra.overflows:
            unfit = self.algebra.overflows.pop().where(self._guard(path))
            if unfit.doubtful is not False:
                self.step.overflows.append((self.at, unfit))

    def _guard(self, path: Path) -> t.Bool:
        return t.and_(self.step.guard, self.owner.paths.guard(path.cubes))

    def _fault(self, text: str, fine: t.Bool, instr: Instr, path: Path) -> None:
        broken = t.and_(self._guard(path), t.not_(fine))
        if broken is not False:
            self.step.faults.append(Fault(text, broken, instr))

    def _assign(self, path: Path, target: Local, value: Value) -> None:
        path.locals[target] = value

    def _target_kind(self, target: Local) -> Representation:
        return self.evaluator.local_kind(target)

    # Instructions ----------------------------------------------------------------------------

    def _instr(self, instance: Instance, path: Path) -> None:
        at = instance[0]
        instr = self.shape.operation.code[at]
        self.at = at
        match instr:
            case Jump(target):
                self._leave(instance, target, path)
                return
            case Branch(condition, then, otherwise):
                self._branch(instance, path, condition, then, otherwise)
                return
            case Stop():
                self.exits.append((None, path))
                return
            case Acquire():
                if not self._acquire(path, instr):
                    return
            case _:
                self._plain(path, instr, at)
                self._overflow(path)
        self._leave(instance, at + 1, path)

    def _branch(
        self, instance: Instance, path: Path, condition: Expr, then: int, otherwise: int
    ) -> None:
        c = self._condition(condition, path)
        if isinstance(c, bool):
            self._leave(instance, then if c else otherwise, path)
            return
        self._leave(instance, then, self.owner.paths.branch(path, c, positive=True))
        self._leave(instance, otherwise, self.owner.paths.branch(path, c, positive=False))

    def _plain(  # noqa: C901, PLR0912 - a table of all instructions that do not jump
        self, path: Path, instr: Instr, at: int
    ) -> None:
        match instr:
            case Assign(target, value):
                self._assign(path, target, self._value(value, path, self._target_kind(target)))
            case Read(target, f, index):
                number = self._index(path, index, instr)
                found = self.memory.load(path, f, number)
                self._wait(path, instr.until, found)
                self._assign(path, target, found)
            case Write(f, index, value):
                number = self._index(path, index, instr)
                kind = self.owner.algebra.kinds.field(f)
                self.memory.save(path, f, number, self._value(value, path, kind))
            case Exchange():
                self._exchange(path, instr)
            case TryAcquire() | Available() | Release() | Holds():
                self._lock(path, instr)
            case Access(_, index):
                self._index(path, index, instr)
            case Hypercall(target):
                self._hypercall(path, target)
            case Havoc(target):
                self._havoc(path, target, hypercall=False)
            case Every():
                self._assign(path, instr.target, self._every(path, instr))
            case Check(condition, text):
                self._fault(text, self._condition(condition, path), instr, path)
            case Assert(claim, condition):
                broken = t.and_(self._guard(path), t.not_(self._condition(condition, path)))
                if broken is not False:
                    self.step.claimed.append(AssertionFailure(claim, broken, at, instr.span))
            case (
                StoreFence()
                | Enter()
                | Return()
                | Drain()
                | Fence()
                | Uninit()
                | BeginAtomic()
                | EndAtomic()
            ):
                pass
            case _:
                raise TypeError(f"no instruction at {at}: {instr!r}")

    def _acquire(self, path: Path, instr: Acquire) -> bool:
        """Take a lock; False where the path ends because the lock is never free."""
        number = self._index(path, instr.index, instr)
        free = self.locks.available(path, instr.field, number, shared=instr.shared)
        self._enable(path, free)
        self.locks.take(path, instr.field, number, True, shared=instr.shared)  # noqa: FBT003
        return free is not False

    def _enable(self, path: Path, condition: t.Bool) -> None:
        """Let the step be possible on a path only where a condition holds."""
        local = self.owner.paths.guard(path.cubes)
        self.step.enabled = t.and_(self.step.enabled, t.implies(local, condition))

    def _wait(self, path: Path, until: Until | None, value: Value) -> None:
        """Let an access happen only once it finds a value that it waits for."""
        if until is not None:
            known = {**path.locals, until.seen: value}
            machine = self._machine(path, until.condition)
            self._enable(path, self.evaluator.condition(until.condition, known, machine))

    def _lock(self, path: Path, instr: TryAcquire | Available | Release | Holds) -> None:
        number = self._index(path, instr.index, instr)
        f = instr.field
        match instr:
            case TryAcquire(target, shared=shared):
                got = self.locks.available(path, f, number, shared=shared)
                self.locks.take(path, f, number, got, shared=shared)
                self._assign(path, target, got)
            case Available(target, shared=shared):
                free = self.locks.available(path, f, number, shared=shared)
                self._assign(path, target, free)
            case Release(freeing=Freeing.ISSUED):
                self.locks.issue(path, f, number)
            case Release(freeing=Freeing.DRAINED):
                self.locks.drain(path, f, number)
            case Release(shared=shared):
                self.locks.free(path, f, number, shared=shared)
            case Holds(target, sole=sole):
                state = self.locks.state(path, f, number)
                held = state.sole if sole else t.or_(state.sole, state.reads)
                self._assign(path, target, held)

    def _exchange(self, path: Path, instr: Exchange) -> None:
        number = self._index(path, instr.index, instr)
        kind = self.owner.algebra.kinds.field(instr.field)
        old = self.memory.load(path, instr.field, number)
        self._wait(path, instr.until, old)
        if instr.old is not None:
            path.locals[instr.old] = old
        new = self._value(instr.value, path, kind)
        if instr.compare is not None:
            same = self.owner.algebra.equal(old, self._value(instr.compare, path, kind))
            new = self.owner.algebra.ite(same, new, old)
        self.memory.save(path, instr.field, number, new)
        self._assign(path, instr.target, old)

    def _hypercall(self, path: Path, target: Local) -> None:
        self._havoc(path, target, hypercall=True)

    def _havoc(self, path: Path, target: Local, *, hypercall: bool) -> None:
        kind = self._target_kind(target)
        name = f"{target.name}@{self.label}.{len(self.step.choices)}"
        value = self.owner.algebra.fresh(name, target.type, kind)
        self.owner.constraints += self.owner.algebra.limits(value, target.type, self.owner.count)
        self._assign(path, target, value)
        self.step.choices.append(FreeChoice(self._guard(path), value, target.type, hypercall))

    def _every(self, path: Path, instr: Every) -> t.Bool:
        m = self._machine(path, instr.condition)

        def holds(given: dict[Local, Value], v: t.Number) -> t.Bool:
            env = {**path.locals, instr.bound: v, **given}
            condition = self.evaluator.condition(instr.condition, env, m)
            self._overflow(path)
            return condition

        return self.memory.every(path, instr.reads, holds)

"""Assembly of a program from a setup: operations, the chosen claims' monitors, boot state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Global
from flushproof.frontend.c.terminals import ANY_VALUE
from flushproof.frontend.c.type_errors import NotConstant, UnsupportedConstruct
from flushproof.frontend.c.types import INT_T
from flushproof.frontend.c.walk import walk
from flushproof.frontend.setup import Bounds, Setup
from flushproof.frontend.spec.syntax import CacheDecl, ClaimSpec
from flushproof.ir.analysis.counting import counting_local, loops_of
from flushproof.ir.analysis.def_use import fields_of, map_expr
from flushproof.ir.analysis.held_locks import waits_end
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.candidate import Candidate
from flushproof.ir.code import (
    Assign,
    BeginAtomic,
    Cast,
    Const,
    Expr,
    Field,
    FieldScope,
    Hypercall,
    Jump,
    Local,
    Read,
    Stop,
    StoreFence,
    Var,
    Write,
)
from flushproof.ir.passes.cleanup import clean_code
from flushproof.ir.program import BOOT_VCPU, BYSTANDERS, CallLimits, Operation, Program, Role
from flushproof.ir.types import INT, NO_VCPU, NONE, ROOT, U64, VCPU, Int
from flushproof.lower import convert
from flushproof.lower.calls import inline_call
from flushproof.lower.context import BoundName, Context, ProgramContext
from flushproof.lower.expressions import global_place, lower_expression
from flushproof.lower.initialise import lower_initialiser
from flushproof.lower.statements import lower_statement
from flushproof.lower.values import Scalar
from flushproof.machine.boot_values import (
    ANY_T,
    ANYTHING,
    NotAnyThere,
    is_any_value,
    mentions_any,
)
from flushproof.machine.candidates import lower_candidates
from flushproof.machine.environment import make_context, make_environment
from flushproof.machine.instrument import Instrumenter
from flushproof.machine.lock_order import waits_for_value
from flushproof.machine.monitors import (
    CACHE_NAMES,
    RUNS_ON,
    VCPU_POINTER,
    Monitor,
    NoCache,
    machine_names,
    make_monitor,
)
from flushproof.machine.operations import lower_operation
from flushproof.machine.store_buffers.apply import Buffered, add_store_buffers
from flushproof.machine.store_buffers.checks import beside_free_locks, claim_view
from flushproof.machine.store_buffers.unlocks import wait_for_idle
from flushproof.machine.value_waits import sees_failures, wait_for_values
from flushproof.support.diagnostics import InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

INVALID = Const((1 << 64) - 1, U64)
BARE = 2
"""How long the code of a pseudo-operation is for which there is no handler: its two ends."""

NO_CACHE = "no cache named: add a clause `cache when ... is ...` to the spec"

CAPACITY = 2
"""How many stores a store buffer holds."""


class Machine(Record, frozen=True):
    """A setup made executable: the plain program, and what claims need to be added to it.

    `cache` is the clause in force, None where none is; `fields` are the shared fields by name;
    `candidates` are what proofs may be made of beside what is found. In `loops` no loop has become
    a wait for a value.
    """

    setup: Setup
    env: ProgramContext
    base: Program
    loops: Program
    cache: CacheDecl | None
    fields: dict[str, Field]
    candidates: tuple[Candidate, ...] = ()

    @property
    def places(self) -> tuple[Field, ...]:
        """The shared fields of the variant itself; the race claim numbers them in this order."""
        return tuple(f for f in self.base.fields if not f.ghost)

    @property
    def calls_end(self) -> bool:
        """Whether every call that is begun surely ends, as far as a look at the code tells.

        No wait for a lock is in vain, each loop counts, and no store buffer keeps an unlock back.
        """
        operations = self.base.operations
        loops = (loop for o in operations for loop in loops_of(o.code))
        sequential = self.setup.memory is MemoryModel.SC
        return (
            sequential
            and waits_end(operations)
            and not waits_for_value(self.base)
            and all(counting_local(x) is not None for x in loops)
        )

    @property
    def sequential(self) -> Machine:
        """The same code on a machine without store buffers, with all its loops."""
        setup = replace(self.setup, memory=MemoryModel.SC)
        return replace(self, setup=setup, base=self.loops)

    def statable(self, name: str) -> bool:
        """Tell whether a claim can be stated: what it speaks of must be there."""
        return not self.why_unstatable(name)

    def why_unstatable(self, name: str) -> str:
        """Say what a claim speaks of that is not there, "" if it can be stated."""
        claim = self.setup.claim(name)
        if claim is None:
            return ""
        roles = {o.role for o in self.setup.operations}
        if any(w.kind == "call" for w in claim.witnesses) and "flush" not in roles:
            return "it is about the calls of a `flush` operation, and the spec has none"
        if "load" not in roles and _names(claim, (RUNS_ON.name,)):
            return "it is about what vCPUs run on, and the spec has no `load` operation"
        if self.cache is None and _speaks_of_cache(claim):
            return NO_CACHE
        code = tuple(i for o in self.base.operations for i in o.code)
        if _looks_at_accesses(claim) and any(isinstance(i, BeginAtomic) for i in code):
            return "it is about single accesses, and the code has an `atomic` block"
        issues = "flush" in roles or any(isinstance(i, Hypercall) for i in code)
        if not issues and all(h.event == "hypercall" for h in claim.handlers):
            return "it is about hypercalls, and no operation issues one"
        return ""

    def looks_at_state(self, name: str) -> bool:
        """Tell whether a claim looks at the state itself: at the cache, or at each access."""
        claim = self.setup.claim(name)
        accesses = claim is not None and any(h.event == "access" for h in claim.handlers)
        return claim is not None and (accesses or _speaks_of_cache(claim))

    def chooses_calls(self, name: str) -> bool:
        """Tell whether a claim has a call witness, so that it matters whether it names a thread."""
        claim = self.setup.claim(name)
        return claim is None or any(w.kind == "call" for w in claim.witnesses)

    def with_claims(self, names: tuple[str, ...], *, named_callers: bool = False) -> Program:
        """Return the program with the monitors of the named claims.

        With `named_callers` a call witness is one of a thread that is chosen beforehand, so that
        what one flusher chooses is nothing that another has to know.

        Raises:
            InputError: a claim has an error, or speaks of a cache where none is known.
        """
        monitors = tuple(self._monitor(x, named_callers=named_callers) for x in names)
        buffers = self.buffers(names)
        if buffers is None:
            return self._instrumented(self._seen(names).operations, monitors)
        woven = self._instrumented(buffers.operations, monitors, buffers.unlocks)
        return replace(woven, limits=self._limits())

    def _seen(self, names: tuple[str, ...]) -> Program:
        """Return the program as some claims see it."""
        claims = (self.setup.claim(name) for name in names)
        loops = any(sees_failures(x, self.cache) for x in claims if x is not None)
        return self.loops if loops else self.base

    def for_claim(self, name: str) -> Machine:
        """Return the machine whose code is what a claim sees, without it, too."""
        return replace(self, base=self._seen((name,)))

    def with_claim(self, name: str) -> Program:
        """Return the program with one claim, as it is decided within the bounds.

        Among several flushers a chosen call names its thread.

        Raises:
            InputError: as `with_claims`.
        """
        return self.with_claims((name,), named_callers=self.setup.bounds.flushers > 1)

    def buffers(self, names: tuple[str, ...]) -> Buffered | None:
        """Return the operations with store buffers, as the named claims need them; None without.

        Raises:
            InputError: as `with_claims`.
        """
        match self.setup.memory:
            case MemoryModel.SC:
                return None
            case MemoryModel.TSO | MemoryModel.PSO:
                return self._buffered(names)
            case other:
                assert_never(other)

    def _buffered(self, names: tuple[str, ...]) -> Buffered:
        monitors = map(self._monitor, names)
        looking = tuple(replace(m, claim=beside_free_locks(m.claim)) for m in monitors)
        plain = self._instrumented(self.base.operations, looking)
        events = frozenset(h.event for m in looking for h in m.claim.handlers)
        view, unordered = claim_view(plain, events), self.setup.memory.unordered
        return add_store_buffers(self.base, view, self._limits(), CAPACITY, unordered=unordered)

    def within(self, bounds: Bounds) -> Machine:
        """Return the machine for other bounds."""
        return replace(self, setup=replace(self.setup, bounds=bounds))

    def _limits(self) -> CallLimits:
        own = self.setup.bounds
        return CallLimits(own.loads, own.flushes, own.flushers)

    def _instrumented(
        self,
        code: tuple[Operation, ...],
        monitors: tuple[Monitor, ...],
        unlocks: tuple[Field, ...] = (),
    ) -> Program:
        """Return operations with claims; `unlocks` tell whether unlocks wait in store buffers."""
        inserter = Instrumenter(
            self.env, monitors, dict(self.fields), self.places, self.setup.exempt
        )
        span = self.setup.operations[0].span
        extra = (
            inserter.bystander(
                role, wait_for_idle(span, unlocks if role is Role.DEADLOCK else ()), span
            )
            for role in BYSTANDERS
        )
        operations = (
            *(inserter.run(o) for o in code),
            *(o for o in extra if len(o.code) > BARE),
        )
        boot, anything = self._boot_seen(operations)
        witnesses = (*anything, *(f for m in monitors for f in m.witnesses))
        ghosts = {f: e for m in monitors for f, e in self._ghost_boot(m)}
        return replace(
            _program(operations, {**boot, **ghosts}, witnesses),
            accesses=tuple(parts for m in monitors for parts in m.accesses),
            threads=tuple(f for m in monitors for f in m.threads),
            callers=tuple(f for m in monitors for f in m.callers),
        )

    def _boot_seen(
        self, operations: tuple[Operation, ...]
    ) -> tuple[dict[Field, Expr], tuple[Field, ...]]:
        """Return what fields hold at boot, and which hold anything; some only claims look at."""
        new = {f for f in _used(operations) - set(self.base.fields) if not f.ghost}
        if not new:
            return dict(self.base.boot), self.base.witnesses
        boot = _boot(self.setup, self.env, self.fields | {f.name: f for f in new})
        anything = _any_at_boot(self.env, operations, boot)
        found = _with_roots(self.setup, _program(operations, boot, anything)).boot
        return {f: e for f, e in found if f in new} | dict(self.base.boot), anything

    def _monitor(self, name: str, *, named_callers: bool = False) -> Monitor:
        claim = self.setup.claim(name)
        assert claim is not None
        if self.cache is None and _speaks_of_cache(claim):
            raise InputError(NoCache(span=claim.span, claim=name))
        return make_monitor(
            self.setup, claim, self.cache, calls_end=self.calls_end, named_callers=named_callers
        )

    def _ghost_boot(self, m: Monitor) -> list[tuple[Field, Expr]]:
        out: list[tuple[Field, Expr]] = []
        env = replace(self.env, machine=machine_names(self.setup, self.cache))
        for field, initialiser in m.ghosts:
            if initialiser is None:
                continue
            ctx = make_context(env, m.claim.name, m.claim.span, {})
            value, t = convert.require_integer(lower_expression(ctx, initialiser), initialiser.span)
            if not isinstance(value, Const) or not isinstance(field.type, Int):
                raise InputError(NotConstant(span=initialiser.span))
            out.append((field, Const(field.type.wrap(t.wrap(value.value)), field.type)))
        return out


def _speaks_of_cache(claim: ClaimSpec) -> bool:
    return _names(claim, CACHE_NAMES)


def _looks_at_accesses(claim: ClaimSpec) -> bool:
    return any(h.event == "access" for h in claim.handlers)


def _names(claim: ClaimSpec, wanted: tuple[str, ...]) -> bool:
    """Tell whether the code of a claim has one of some names in it."""
    nodes = (node for handler in claim.handlers for node in walk(handler.body))
    return any(isinstance(n, c.Name) and n.id in wanted for n in nodes)


def build_machine(setup: Setup) -> Machine:
    """Lower a setup's operations and boot state.

    Raises:
        InputError: anything in the variant or the spec that is not accepted.
    """
    env = make_environment(setup.declarations)
    fields: dict[str, Field] = {}
    operations = tuple(lower_operation(env, o, fields) for o in setup.operations)
    if not setup.memory.unordered:
        operations = tuple(map(_without_store_fences, operations))
    boot = _boot(setup, env, fields)
    base = _program(operations, boot, _any_at_boot(env, operations, boot))
    loops = _with_roots(setup, base)
    base = wait_for_values(loops) if setup.memory is MemoryModel.SC else loops
    cache = _cache(setup, env, fields)
    candidates = lower_candidates(setup, env, cache, fields)
    return Machine(setup, env, base, loops, cache, fields, candidates)


def _without_store_fences(operation: Operation) -> Operation:
    """Return an operation as it is where stores are seen in the order of the code."""
    code = operation.code
    if not any(isinstance(i, StoreFence) for i in code):
        return operation
    passed = (Jump(at + 1, i.span) if isinstance(i, StoreFence) else i for at, i in enumerate(code))
    return replace(operation, code=clean_code(tuple(passed)))


def _with_roots(setup: Setup, program: Program) -> Program:
    """Return a program whose vCPUs start with no root, where that is assumed."""
    if not setup.assumptions.vcpu_roots_start_invalid:
        return program
    kinds = infer_kinds(program)
    own = (f for f in program.fields if f.scope is FieldScope.VCPU and not f.ghost)
    roots = {f: INVALID for f in own if kinds.is_root(f)}
    return replace(program, boot=tuple({**roots, **dict(program.boot)}.items()))


def _used(operations: Iterable[Operation]) -> frozenset[Field]:
    return frozenset(f for o in operations for i in o.code for f in fields_of(i))


def _program(
    operations: tuple[Operation, ...], boot: dict[Field, Expr], witnesses: tuple[Field, ...]
) -> Program:
    used = {*_used(operations), RUNS_ON, *witnesses}
    null = {f: Const(NO_VCPU, VCPU) for f in used if f.type == VCPU and f not in witnesses}
    fixed = {f: e for f, e in boot.items() if not is_any_value(e)}
    start = {RUNS_ON: Const(NONE, ROOT), **null, **fixed}
    entries = tuple((f, e) for f, e in sorted(start.items(), key=_name) if f in used)
    return Program(tuple(sorted(used, key=lambda f: f.name)), operations, entries, witnesses)


def _name(entry: tuple[Field, Expr]) -> str:
    return entry[0].name


# Boot ------------------------------------------------------------------------------------------


def _any_at_boot(
    env: ProgramContext, operations: tuple[Operation, ...], boot: Mapping[Field, Expr]
) -> tuple[Field, ...]:
    """Return the fields in use that are to hold any value, or that another file alone defines.

    Raises:
        InputError: one of the latter is a pointer to a vCPU.
    """
    out = [f for f in _used(operations) if is_any_value(boot.get(f))]
    used = _used(operations) - boot.keys()
    for g in env.declarations.globals.values():
        if not g.elsewhere:
            continue
        for f in used:
            if not _part_of(env, g, f.name):
                continue
            if f.type == VCPU:
                construct = "a pointer to a vCPU that another file defines"
                raise InputError(UnsupportedConstruct(span=g.span, construct=construct))
            if isinstance(f.type, Int):
                out.append(f)
    return tuple(sorted(out, key=lambda f: f.name))


def _boot(setup: Setup, env: ProgramContext, fields: dict[str, Field]) -> dict[Field, Expr]:
    known = set(fields)
    out = _globals(env, fields)
    index = Scalar(Cast(Var(BOOT_VCPU), INT), INT_T)
    creation = setup.declarations.functions.get("machine_boot")
    if creation is not None:
        ctx = _boot_context(setup, env, fields, creation.span)
        inline_call(ctx, creation, (Scalar(Var(BOOT_VCPU), VCPU_POINTER), index), creation.span)
        out = _constants(ctx, out)
    for block in setup.boot:
        ctx = _boot_context(setup, env, fields, block.span)
        lower_statement(ctx, block)
        out = _constants(ctx, out)
    for name in set(fields) - known:
        del fields[name]
    return out


def _boot_context(
    setup: Setup, env: ProgramContext, fields: dict[str, Field], span: Span
) -> Context:
    names = {
        **machine_names(setup, None),
        "vcpu": BoundName(Scalar(Var(BOOT_VCPU), VCPU_POINTER)),
        ANY_VALUE: BoundName(Scalar(Var(ANYTHING), ANY_T)),
    }
    return make_context(replace(env, machine=names), "boot", span, fields)


def _constants(ctx: Context, before: Mapping[Field, Expr]) -> dict[Field, Expr]:
    """Return what fields hold once straight code has run that found `before`, else zeros."""
    out = dict(before)
    known: dict[Local, Expr] = {}

    def value(e: Expr) -> Expr:
        return map_expr(e, lambda x: known.get(x, Var(x)))

    for instr in clean_code(ctx.emitter.finish()):
        match instr:
            case Assign(target, e):
                known[target] = value(e)
            case Write(field, index, e) if mentions_any(value(e)):
                if index is not None or _is_unit(field) or not is_any_value(value(e)):
                    raise InputError(NotAnyThere(span=instr.span))
                out[field] = value(e)
            case Write(field, index, e) if index is None or value(index) == Var(BOOT_VCPU):
                out[field] = value(e)
            case Read(target, field) if isinstance(field.type, Int) and _is_unit(field):
                known[target] = out.get(field, Const(0, field.type))
            case Stop():
                pass
            case _:
                raise InputError(NotConstant(span=instr.span or ctx.frame.span))
    return out


def _is_unit(field: Field) -> bool:
    """Tell whether a field is several bit fields, of which boot code sets one at a time."""
    return "," in field.member


def _part_of(env: ProgramContext, g: Global, field: str) -> bool:
    """Tell whether a field is a file-level variable, or a part of one."""
    parts = (f"{env.objects.root(g.name)}.", f"{g.name}[")
    return field == g.name or field.startswith(parts)


def _globals(env: ProgramContext, fields: dict[str, Field]) -> dict[Field, Expr]:
    """Return the initial values of the file-level variables whose fields are in use."""
    out: dict[Field, Expr] = {}
    for g in env.declarations.globals.values():
        used = any(_part_of(env, g, name) for name in fields)
        if g.initialiser is None or not used:
            continue
        ctx = make_context(env, g.name, g.span, dict(fields))
        where = global_place(ctx, g.name, g.span)
        lower_initialiser(ctx, where, g.type, g.initialiser, frozenset(fields))
        out = _constants(ctx, out)
    return out


# Cache -----------------------------------------------------------------------------------------


def _cache(setup: Setup, env: ProgramContext, fields: dict[str, Field]) -> CacheDecl | None:
    """Return the first cache clause whose names all exist, in a variant that uses them."""
    for clause in setup.caches:
        trial = dict(fields)
        ctx = make_context(
            replace(env, machine=machine_names(setup, None)), "cache", clause.span, trial
        )
        try:
            lower_expression(ctx, clause.condition)
            lower_expression(ctx, clause.root)
        except InputError:
            if len(setup.caches) == 1:
                raise
            continue
        if len(setup.caches) == 1 or set(trial) == set(fields):
            return clause
    return None

"""Insertion of claim handlers at the events of an operation.

Events and their arguments, in order:

  enter load(v, root)         return load(v, root)
  enter flush(all, start, pages)   return flush(ret)      (or a call witness instead of `flush`)
  enter NAME(arguments)       return NAME(arguments, ret) of a `cpu` or `thread` operation, without
                              what is no value
  enter cpu(v)  enter thread()     return cpu(v)  return thread()   of any of these
  hypercall(root, ok, all, start, pages)
  lock(l, shared)  unlock(l, shared)   before the lock is waited for, before the code frees it,
                              even if that waits in the thread's store buffer
  access(place, write, once)  after a plain or marked access to a shared field, in memory or in the
                              thread's own store buffer
  uninit()                    a local is read before it is written
  step()                      at boot, and after anything that may change what claims speak of
  deadlock()                  when every thread that is in a call waits for a lock that is not free
  end()                       when everything is over: every thread is between two calls

Lemma L1, Lemma L32 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from flushproof.frontend.c.types import BOOL_T, INT_T, ROOT_T, ULONG_T, Integer, Struct
from flushproof.frontend.spec.syntax import Handler
from flushproof.ir.code import (
    Access,
    Acquire,
    Binary,
    CallWitness,
    Cast,
    Const,
    EndAtomic,
    Enter,
    Exchange,
    Expr,
    Field,
    Havoc,
    HeldLocks,
    Hypercall,
    Instr,
    Local,
    Mode,
    Read,
    Release,
    Return,
    Self,
    Unary,
    Uninit,
    Var,
    Write,
)
from flushproof.ir.passes.cleanup import clean_code
from flushproof.ir.program import Operation, Parameters, Role
from flushproof.ir.rewrite import CodeRewriter
from flushproof.ir.types import BOOL, INT, NONE, ROOT, U64, Int
from flushproof.lower import convert
from flushproof.lower.context import Activation, BoundName, ProgramContext, Special
from flushproof.lower.statements import lower_statement
from flushproof.lower.values import FALSE, TRUE, FieldPlace, PointerTo, Scalar, Value
from flushproof.machine.environment import make_context, with_names
from flushproof.machine.monitors import (
    PLACE_T,
    RUNS_ON,
    VCPU_POINTER,
    Monitor,
    special_assert,
    special_every,
    special_holds,
    special_owns,
    special_some,
    special_unlocked,
)
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

PLACE_STRIDE = 1 << 16
"""A place is the number of a field times this, plus the vCPU's number."""

Arguments = tuple[Value, ...]


class Instrumenter(Record, frozen=True):
    """What is the same for every operation: monitors and the numbering of shared fields."""

    env: ProgramContext
    monitors: tuple[Monitor, ...]
    fields: dict[str, Field]
    places: tuple[Field, ...]
    exempt: frozenset[str]

    def run(self, operation: Operation) -> Operation:
        """Return the operation with the handlers of every monitor inserted."""
        return replace(operation, code=clean_code(_Pass(self, operation).run()))

    def bystander(self, role: Role, code: tuple[Instr, ...], span: Span) -> Operation:
        """Return the pseudo-operation of a role: handlers alone, where its `code` enters."""
        bare = Operation(f"<{role}>", role, Parameters(), code, span)
        return self.run(bare)

    def place_number(self, field: Field) -> int:
        """Return the number of a shared field."""
        return self.places.index(field)


class _Pass:
    """One operation being instrumented."""

    def __init__(self, owner: Instrumenter, operation: Operation) -> None:
        self.owner = owner
        self.operation = operation
        self.ctx = make_context(
            owner.env, operation.name, operation.span, owner.fields, temporary="%c", observing=True
        )
        self.ctx.emitter.from_claim = True
        self.ctx.emitter.reserve(p.name for p in operation.parameters.all)
        self.rewriter = CodeRewriter(self.ctx.emitter, operation.code)
        self.chosen: dict[tuple[str, str], Local] = {}

    def run(self) -> tuple[Instr, ...]:
        return self.rewriter.run(self._instr)

    def _instr(  # noqa: C901, PLR0912, PLR0915 - a table of all events
        self, _at: int, instr: Instr
    ) -> None:
        copy = self.rewriter.keep
        match instr:
            case Enter(span):
                copy(instr)
                self._enter(_sure(span))
            case Return(value, span):
                copy(instr)
                self._return(value, _sure(span))
            case Uninit(label, written, span):
                self._uninit(label, written, _sure(span))
            case Acquire(field, index, shared, span):
                self._fire("lock", _lock(field, index, shared), _sure(span), about=field.label)
                copy(instr)
            case Release(freeing=freeing, span=span) if freeing.to_memory:
                copy(instr)
                self._fire("step", (), _sure(span))
            case Release(field, index, shared, span):
                self._fire("unlock", _lock(field, index, shared), _sure(span), about=field.label)
                copy(instr)
                self._fire("step", (), _sure(span))
            case Hypercall():
                copy(instr)
                self._hypercall(instr)
            case Read(_, field, index, mode, span):
                copy(instr)
                self._access(field, index, FALSE, mode, _sure(span))
            case Access(field, index, _, wrote, mode, span):
                copy(instr)
                self._access(field, index, TRUE if wrote else FALSE, mode, _sure(span))
            case Write(field, index, _, mode, span):
                copy(instr)
                self._access(field, index, TRUE, mode, _sure(span))
                if mode is not Mode.ATOMIC:
                    self._fire("step", (), _sure(span))
            case EndAtomic(span):
                copy(instr)
                self._fire("step", (), _sure(span))
            case Exchange(target, field, index, compare, _, span):
                copy(instr)
                matches = TRUE if compare is None else Binary("==", Var(target), compare, BOOL)
                self._access(field, index, matches, Mode.ONCE, _sure(span))
                self._fire("step", (), _sure(span))
            case _:
                copy(instr)

    # Events ----------------------------------------------------------------------------------

    def _enter(self, span: Span) -> None:
        p = self.operation.parameters
        if self.operation.role in (Role.END, Role.DEADLOCK):
            self._fire(str(self.operation.role), (), span)
            return
        if self.operation.role is Role.OBSERVE:
            self._fire("step", (), span)
            return
        if self.operation.named:
            self._fire_named("enter", (), span)
        elif self.operation.role is Role.LOAD:
            self._runs_on(Const(NONE, ROOT), span)
            self._fire("enter", self._load_arguments(), span, self._subjects)
        else:
            whole = Var(p.whole) if p.whole else (FALSE if p.start else TRUE)
            arguments = (_bool(whole), _gfn(p.start), _gfn(p.pages))
            self._fire("enter", arguments, span, self._subjects)
        self._fire("step", (), span)

    def _return(self, value: Expr | None, span: Span) -> None:
        if self.operation.named:
            self._fire_named("return", () if value is None else (_scalar(value),), span)
        elif self.operation.role is Role.LOAD:
            root = self.operation.parameters.root
            if root is not None:
                self._runs_on(Cast(Var(root), ROOT), span)
            self._fire("return", self._load_arguments(), span, self._subjects)
        else:
            ret = Const(0, INT) if value is None else value
            self._fire("return", (Scalar(ret, INT_T),), span, self._subjects)
        self._fire("step", (), span)

    @property
    def _subjects(self) -> frozenset[str]:
        """What the operation is called where claims handle that it is entered or left."""
        return frozenset({self.operation.name, self.operation.word})

    @property
    def _is_flush(self) -> bool:
        """Tell whether a call of the operation may be what a call witness stands for."""
        return self.operation.role is Role.FLUSH and not self.operation.named

    def _fire_named(self, event: str, result: Arguments, span: Span) -> None:
        """Tell of an operation under its own name, and under the word for all of its kind."""
        given = tuple(_scalar(Var(x)) for x in self.operation.given)
        self._fire(event, (*given, *result), span, frozenset({self.operation.name}))
        vcpu = self.operation.parameters.vcpu
        whose = () if vcpu is None else (_scalar(Var(vcpu)),)
        self._fire(event, whose, span, frozenset({self.operation.word}))

    def _runs_on(self, root: Expr, span: Span) -> None:
        vcpu = self.operation.parameters.vcpu
        if vcpu is not None:
            self.ctx.emitter.copy(Write(RUNS_ON, Var(vcpu), root, Mode.GHOST, span))

    def _load_arguments(self) -> Arguments:
        p = self.operation.parameters
        if p.vcpu is None or p.root is None:
            return ()
        root = self.ctx.emitter.keep(Cast(Var(p.root), ROOT), None)
        return Scalar(Var(p.vcpu), VCPU_POINTER), Scalar(root, ROOT_T)

    def _hypercall(self, i: Hypercall) -> None:
        ok = Binary("==", Var(i.target), Const(0, INT), BOOL)
        root = self.ctx.emitter.keep(i.root, i.span)
        arguments = (
            Scalar(root, ULONG_T),
            Scalar(self.ctx.emitter.keep(ok, i.span), BOOL_T),
            Scalar(self.ctx.emitter.keep(i.whole, i.span), BOOL_T),
            Scalar(i.start, ULONG_T),
            Scalar(i.pages, ULONG_T),
        )
        self._fire("hypercall", arguments, _sure(i.span))

    def _access(
        self, field: Field, index: Expr | None, write: Expr, mode: Mode, span: Span
    ) -> None:
        members = {name.partition("[")[0] for name in field.member.split(",")}
        if field.ghost or mode.unseen or self.owner.exempt >= members:
            return
        wide = PLACE_T.ir
        base = Const(self.owner.place_number(field) * PLACE_STRIDE, wide)
        place = base if index is None else Binary("+", base, Cast(index, wide), wide)
        once = TRUE if mode.marked else FALSE
        arguments = (Scalar(place, PLACE_T), _bool(write), _bool(once))
        self._fire("access", arguments, span)

    def _uninit(self, label: str, written: Expr, span: Span) -> None:
        start, end = self.ctx.emitter.label(), self.ctx.emitter.label()
        self.ctx.emitter.branch(written, end, start, span)
        self.ctx.emitter.place(start)
        self._fire("uninit", (), span, about=label)
        self.ctx.emitter.place(end)

    # Handlers --------------------------------------------------------------------------------

    def _fire(
        self,
        event: str,
        arguments: Arguments,
        span: Span,
        subjects: frozenset[str] = frozenset({""}),
        about: str = "",
    ) -> None:
        for monitor in self.owner.monitors:
            chosen = subjects - frozenset(monitor.choices)
            if (event in ("enter", "return") and self._is_flush) or event == "access":
                chosen |= frozenset(monitor.choices)
            if (event == "enter" and self._is_flush) or event == "access":
                self._choose(monitor, event, arguments, span)
            for handler in monitor.handlers(event, chosen):
                self._handler(monitor, handler, arguments, span, about)

    def _choose(self, monitor: Monitor, event: str, arguments: Arguments, span: Span) -> None:
        """Find out whether this call or access is the witness."""
        for name, state in monitor.choices.items():
            kind = monitor.kind_of(name)
            if kind == "access" and event == "access":
                self._match_access(self._chosen_local(monitor, name), state, arguments, span)
            elif kind == "call" and event == "enter":
                self._choose_call(monitor, name, state, span)

    def _choose_call(
        self, monitor: Monitor, name: str, state: tuple[Field, ...], span: Span
    ) -> None:
        """Choose this call freely, unless one was chosen before or its thread is not the one."""
        emitter = self.ctx.emitter
        taken, *callers = state
        chosen = self._chosen_local(monitor, name)
        before = emitter.temp(BOOL)
        pick = emitter.temp(BOOL, CallWitness(monitor.claim.name, name))
        emitter.emit(Read(before, taken, None, Mode.GHOST, span))
        emitter.emit(Havoc(pick, span))
        free = self._on_thread(Unary("!", Var(before), BOOL), callers, span)
        emitter.assign(chosen, Binary("&", Var(pick), free, BOOL), span)
        yes, end = emitter.label(), emitter.label()
        emitter.branch(Var(chosen), yes, end, span)
        emitter.place(yes)
        emitter.emit(Write(taken, None, TRUE, Mode.GHOST, span))
        emitter.jump(end, span)
        emitter.place(end)

    def _is_chosen(self, monitor: Monitor, witness: str, span: Span) -> Expr:
        """Return that this call or access is the witness.

        That its thread is the one it was chosen for follows, and is said: steps are looked at from
        any values of locals, and two threads commute where only one of them can be chosen.
        """
        chosen = Var(self._chosen_local(monitor, witness))
        is_call = monitor.kind_of(witness) == "call"
        callers = monitor.choices[witness][1:] if is_call else ()
        return self._on_thread(chosen, callers, span)

    def _on_thread(self, condition: Expr, callers: Sequence[Field], span: Span) -> Expr:
        """Return a condition, and that the running thread is the one that was chosen."""
        for caller in callers:
            known = self.ctx.emitter.temp(INT)
            self.ctx.emitter.emit(Read(known, caller, None, Mode.GHOST, span))
            same = Binary("==", Var(known), Self(), BOOL)
            condition = convert.conjoin_conditions(condition, same)
        return condition

    def _match_access(
        self, chosen: Local, fixed: tuple[Field, ...], arguments: Arguments, span: Span
    ) -> None:
        """Compare an access with all that was fixed of the witness beforehand."""
        given = [Self(), *(a.expr for a in arguments if isinstance(a, Scalar)), HeldLocks()]
        alike: Expr = TRUE
        for field, value in zip(fixed, given, strict=True):
            known = self.ctx.emitter.temp(field.type)
            self.ctx.emitter.emit(Read(known, field, None, Mode.GHOST, span))
            alike = convert.conjoin_conditions(alike, Binary("==", Var(known), value, BOOL))
        self.ctx.emitter.assign(chosen, alike, span)

    def _chosen_local(self, monitor: Monitor, name: str) -> Local:
        key = (monitor.claim.name, name)
        if key not in self.chosen:
            local = self.ctx.emitter.local(f"{key[0]}:{name}", BOOL, CallWitness(*key))
            self.chosen[key] = local
        return self.chosen[key]

    def _handler(
        self, monitor: Monitor, handler: Handler, arguments: Arguments, span: Span, about: str
    ) -> None:
        emitter = self.ctx.emitter
        end = emitter.label()
        for witness in sorted({handler.inside, handler.subject} & set(monitor.choices)):
            if not self._is_flush and handler.event != "access":
                return
            inside = emitter.label()
            emitter.branch(self._is_chosen(monitor, witness, span), inside, end, span)
            emitter.place(inside)
        self._body(monitor, handler, arguments, span, about)
        emitter.place(end)

    def _body(
        self, monitor: Monitor, handler: Handler, arguments: Arguments, span: Span, about: str
    ) -> None:
        pairs = list(zip(handler.parameters, arguments, strict=False))
        names = {p.value: BoundName(v) for p, v in pairs}
        values = tuple((p.value, v.expr) for p, v in pairs if isinstance(v, Scalar))
        specials: dict[str, Special] = {
            "assert": special_assert(monitor.claim, values, about),
            "holds": special_holds,
            "owns": special_owns,
            "unlocked": special_unlocked,
            "every": special_every,
            "some": special_some,
        }
        env = with_names(self.owner.env, {**monitor.names, **names}, specials)
        own = frozenset(f.name for f, _ in monitor.ghosts)
        inner = replace(self.ctx, env=env, stack=list(self.ctx.stack), writable=own)
        activation = Activation(monitor.claim.name, span, inner.emitter.label(), None, INT_T)
        inner.stack.append(activation)
        lower_statement(inner, handler.body)
        inner.emitter.place(activation.leave)


def _sure(span: Span | None) -> Span:
    assert span is not None
    return span


def _lock(field: Field, index: Expr | None, shared: bool) -> Arguments:  # noqa: FBT001
    lock = PointerTo(FieldPlace(field, index, Struct("spinlock")))
    return lock, _bool(TRUE if shared else FALSE)


def _bool(e: Expr) -> Value:
    return Scalar(e, BOOL_T)


def _scalar(e: Expr) -> Value:
    """Return a value of which only the type of its representation is known."""
    match e.type:
        case Int(1):
            return Scalar(e, BOOL_T)
        case Int(width, signed):
            return Scalar(e, Integer(f"{'s' if signed else 'u'}{width}", e.type))
        case _:
            return Scalar(e, VCPU_POINTER)


def _gfn(local: Local | None) -> Value:
    return Scalar(Const(0, U64) if local is None else Var(local), ULONG_T)

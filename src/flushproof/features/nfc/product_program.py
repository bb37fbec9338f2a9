"""Two variants as one program: each operation of the old one, then that of the new one.

In: the plain programs of two variants. Out: an ordinary `Program` in which the claim `same` fails
where a difference is seen, and `followed` where an execution is not followed to its end. Each of
its operations is meant to be one step.

Lemma L26 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.features.nfc.error_code_narrowing import narrow_error_codes
from flushproof.features.nfc.ghost_table import equate_values
from flushproof.features.nfc.observer import (
    LOADED,
    OFF,
    SAME,
    ObservedCall,
    SideObserver,
    Sight,
    begin_observation,
    list_witnesses,
)
from flushproof.features.nfc.operation_pairing import Pair, pair_up
from flushproof.features.nfc.rename_side import Ends, SideNames, emit_operation, list_lock_counters
from flushproof.features.nfc.shared_boot import with_shared_boot
from flushproof.ir.analysis.def_use import fields_of
from flushproof.ir.builder import Emitter
from flushproof.ir.code import (
    Assert,
    Binary,
    Const,
    Enter,
    Every,
    Expr,
    Field,
    FieldScope,
    Havoc,
    Hypercall,
    Local,
    Mode,
    Read,
    Return,
    Var,
    Write,
)
from flushproof.ir.passes.cleanup import clean_code
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import BOOL, INT, S64, VCPU, Int, Type
from flushproof.lower import convert
from flushproof.lower.values import TRUE
from flushproof.support.record import Record

OLD = SideNames("old")
NEW = SideNames("new")
RETURNS, HANGS, KEEPS = 0, 1, 2
"""How a call ends: it returns, waits for ever, or returns with a lock held."""


class Product(Record, frozen=True):
    """Both variants as one program, and which of its operations stands for which two."""

    program: Program
    pairs: tuple[Pair, ...]
    sight: Sight


def join_programs(old: Program, new: Program, sight: Sight, *, after_load: bool) -> Product:
    """Join two programs; with `after_load` nothing counts before some vCPU has loaded.

    Raises:
        InputError: the operations of the two do not correspond.
    """
    old, new = narrow_error_codes(old, new) or (old, new)
    pairs = pair_up(old, new)
    operations = tuple(_JoinedOperation(p, sight, after_load).lowered() for p in pairs)
    chosen = list_witnesses(sight)
    used = {f for o in operations for i in o.code for f in fields_of(i)} | set(chosen)
    boot = {
        names.field(f): e for names, program in ((OLD, old), (NEW, new)) for f, e in program.boot
    }
    fields = tuple(sorted(used, key=lambda f: f.name))
    entries = tuple((f, boot[f]) for f in fields if f in boot)
    joint = with_shared_boot(Program(fields, operations, entries, chosen), {OLD: old, NEW: new})
    return Product(joint, pairs, sight)


class _JoinedOperation:
    """Two operations being joined."""

    def __init__(self, pair: Pair, sight: Sight, after_load: bool) -> None:  # noqa: FBT001
        self.pair = pair
        self.sight = sight
        self.after_load = after_load
        self.emitter = Emitter(pair.name, "%p")

    def lowered(self) -> Operation:
        e, span = self.emitter, self.pair.new.span
        e.emit(Enter(span))
        watched = list_witnesses(self.sight) if self._issued() else ()
        outcome = next((i.target.type for i in self._issued()), INT)
        call = begin_observation(e, self.sight, watched, outcome, tuple(self._shared()), span)
        old = SideObserver.of(call, OLD, result_type(self.pair.old), None)
        ends_old = self._run(old, self.pair.old)
        new = SideObserver.of(call, NEW, result_type(self.pair.new), old)
        ends_new = self._run(new, self.pair.new)
        self._compare(call, (old, ends_old), (new, ends_new))
        e.emit(Return(None, span))
        p = self.pair
        return Operation(p.name, p.role, p.parameters, clean_code(e.finish()), span)

    def _issued(self) -> tuple[Hypercall, ...]:
        """Return the hypercalls of both sides."""
        code = (*self.pair.old.code, *self.pair.new.code)
        return tuple(i for i in code if isinstance(i, Hypercall))

    def _shared(self) -> Iterator[Int]:
        """Yield the types of free choices that both sides make."""
        kinds = [
            {i.target.type for i in o.code if isinstance(i, Havoc)}
            for o in (self.pair.old, self.pair.new)
        ]
        both = {t for t in kinds[0] & kinds[1] if isinstance(t, Int)}
        yield from sorted(both, key=lambda t: (t.width, t.signed))

    def _run(self, side: SideObserver, operation: Operation) -> Local:
        """Emit one side's call; return how it ends."""
        e, names = self.emitter, side.names
        given = self.pair.old_given if side.other is None else self.pair.new_given
        for local, value in given.items():
            e.assign(names.local(local), value, None)
        ends = Ends(e.label(), e.label())
        over = e.label()
        status = e.local(f"status@{names.side}", INT)
        emit_operation(e, operation, names, side, ends)
        e.place(ends.hangs)
        e.assign(status, Const(HANGS, INT), None)
        e.jump(over, None)
        e.place(ends.done)
        e.assign(status, self._left(names, operation), None)
        e.jump(over, None)
        e.place(over)
        return status

    def _left(self, names: SideNames, operation: Operation) -> Expr:
        """Return how a call that returned ended: with every lock free or not."""
        free: Expr = TRUE
        for counter in list_lock_counters((operation,), names):
            free = convert.conjoin_conditions(free, self._is_free(counter))
        return convert.choose_value(free, Const(RETURNS, INT), Const(KEEPS, INT))

    def _is_free(self, counter: Field) -> Expr:
        e = self.emitter
        word = e.temp(INT)
        free = Binary("==", Var(word), Const(0, INT), BOOL)
        if counter.scope is FieldScope.VM:
            e.emit(Read(word, counter, None, Mode.GHOST, None))
            return free
        target, bound = e.temp(BOOL), e.local("v", VCPU)
        e.emit(Every(target, bound, ((word, counter),), free, None))
        return Var(target)

    # What is claimed ---------------------------------------------------------------------------

    def _compare(
        self, call: ObservedCall, old: tuple[SideObserver, Local], new: tuple[SideObserver, Local]
    ) -> None:
        e, span = self.emitter, self.pair.new.span
        counts = convert.negate_condition(Var(call.off))
        if self.after_load:
            loaded = e.local("loaded", BOOL)
            e.emit(Read(loaded, LOADED, None, Mode.GHOST, span))
            counts = convert.conjoin_conditions(counts, Var(loaded))
        idle = convert.negate_condition(counts)
        for text, condition in self._claims(old, new):
            e.emit(Assert(SAME, convert.disjoin_conditions(idle, condition), (), text, "", span))
        self._end(call, old[1], new[1])
        if self.after_load and self.pair.role is Role.LOAD:
            e.emit(Write(LOADED, None, TRUE, Mode.GHOST, span))

    def _claims(
        self, old: tuple[SideObserver, Local], new: tuple[SideObserver, Local]
    ) -> Iterator[tuple[str, Expr]]:
        (was, ended), (now, ends) = old, new
        yield "ends", equate_values(Var(ends), Var(ended))
        if not self._issued():
            pass
        elif self.sight is Sight.SUBSET:
            yield (
                "hypercalls",
                convert.disjoin_conditions(convert.negate_condition(Var(now.has)), Var(was.has)),
            )
        else:
            yield "hypercalls", equate_values(Var(now.has), Var(was.has))
        if self.pair.role is Role.FLUSH:
            yield from self._results(Var(was.result), Var(now.result))

    def _results(self, old: Expr, new: Expr) -> Iterator[tuple[str, Expr]]:
        match self.sight:
            case Sight.SEQUENCE:
                same = old.type == new.type
                yield (
                    "result",
                    equate_values(old, new) if same else equate_values(_wide(old), _wide(new)),
                )
            case Sight.SUBSET:
                fine = convert.negate_condition(convert.nonzero_condition(new))
                yield "result", convert.disjoin_conditions(fine, convert.nonzero_condition(old))
            case Sight.SET:
                pass

    def _end(self, call: ObservedCall, old: Local, new: Local) -> None:
        """Follow an execution no further than to a call that waits or keeps a lock."""
        e, span = self.emitter, self.pair.new.span
        bad, done = e.label(), e.label()
        fine = convert.conjoin_conditions(_returns(old), _returns(new))
        if fine != TRUE:
            e.branch(fine, done, bad, span)
            e.place(bad)
            call.give_up()
            e.jump(done, None)
            e.place(done)
        write, end = e.label(), e.label()
        e.branch(Var(call.off), write, end, span)
        e.place(write)
        e.emit(Write(OFF, None, TRUE, Mode.GHOST, span))
        e.jump(end, None)
        e.place(end)


def _returns(status: Local) -> Expr:
    return Binary("==", Var(status), Const(RETURNS, INT), BOOL)


def result_type(operation: Operation) -> Type:
    """Return the type of what an operation returns."""
    values = (i.value for i in operation.code if isinstance(i, Return))
    return next((v.type for v in values if v is not None), INT)


def _wide(e: Expr) -> Expr:
    return convert.cast_integer(e, S64)

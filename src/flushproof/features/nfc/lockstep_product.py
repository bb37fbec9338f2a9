"""Two variants as one program in which their loops go round together, for any number of vCPUs.

In: the plain programs of two variants. Out: a `Program` with the claim `same`, each operation of
which is meant to be one step. If it holds, each call of both issues the same hypercalls in the same
order and returns the same; so it does where only the set of roots is compared, and outcomes are
shared by root. Where it fails nothing is said: the two may be alike in a way that is not seen here.

Each side runs up to the head of its next loop, the old one first; so two loops over the vCPUs look
at the same vCPU in turn, and a relation between the two states is an invariant like any other
(self-composition with aligned loops: Barthe, Crespo and Kunz, FM 2011).

Lemma L27 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flushproof.engines.unbounded.history_variable import list_walkers
from flushproof.features.nfc.error_code_narrowing import narrow_error_codes
from flushproof.features.nfc.event_queue import Queue
from flushproof.features.nfc.ghost_table import equate_values
from flushproof.features.nfc.observer import SAME
from flushproof.features.nfc.operation_pairing import Pair, pair_up
from flushproof.features.nfc.product_program import NEW, OLD, result_type
from flushproof.features.nfc.rename_side import Ends, SideNames, list_lock_counters, place_part
from flushproof.features.nfc.shared_boot import with_shared_boot
from flushproof.features.nfc.state_reduction import reduce_state
from flushproof.ir.analysis.def_use import defined_local, fields_of
from flushproof.ir.analysis.weak_topological_order import loop_heads, order_code
from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import (
    Assert,
    Const,
    Enter,
    Expr,
    Field,
    FieldScope,
    Havoc,
    Hypercall,
    Local,
    Mode,
    Read,
    Return,
    Stop,
    Var,
    Write,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import BOOL, INT, S64, U64, Int, Type
from flushproof.lower import convert
from flushproof.lower.values import FALSE, TRUE
from flushproof.support.record import Record, replace

LOADED = Field("nfc:has_loaded", "has loaded", FieldScope.VM, BOOL)
MOST_PLACES = 16
"""So many pairs of loops are followed at most."""

Place = tuple[int | None, int | None]
"""Where the sides are: a position of each, None where it is done."""


def join_in_lockstep(old: Program, new: Program, *, after_load: bool) -> Program | None:
    """Join two programs; None where their loops or locks are more than is followed here."""
    old, new = narrow_error_codes(old, new) or (old, new)
    if any(
        f.scope is FieldScope.VCPU
        for p in (old, new)
        for f in list_lock_counters(p.operations, OLD)
    ):
        return None
    pairs = pair_up(old, new)
    if any(_places(p) > MOST_PLACES for p in pairs):
        return None
    operations = tuple(_LockstepOperation(p, after_load).lowered() for p in pairs)
    used = {f for o in operations for i in o.code for f in fields_of(i)}
    boot = {
        names.field(f): e for names, program in ((OLD, old), (NEW, new)) for f, e in program.boot
    }
    fields = tuple(sorted(used, key=lambda f: f.name))
    joint = Program(fields, operations, tuple((f, boot[f]) for f in fields if f in boot))
    return with_shared_boot(joint, {OLD: old, NEW: new})


def _places(pair: Pair) -> int:
    return (1 + len(loop_heads(pair.old.code))) * (1 + len(loop_heads(pair.new.code)))


class _Watcher(Record, frozen=True):
    """What happens at the events of one side."""

    emitter: Emitter
    names: SideNames
    idle: Expr
    result: Local
    hypercalls: Queue
    choices: Mapping[Int, Queue]

    def hypercall(self, i: Hypercall) -> None:
        """Let the k-th hypercalls of both sides be alike, and end alike."""
        whole = self.emitter.keep(i.whole, i.span)
        start = convert.choose_value(whole, Const(0, U64), i.start)
        pages = convert.choose_value(whole, Const(0, U64), i.pages)
        self.hypercalls.take(self.names.side, (i.root, whole, start, pages), i.target, self.idle)

    def havoc(self, i: Havoc) -> None:
        """Let the k-th free choices of a type be alike."""
        t = i.target.type
        queue = self.choices.get(t) if isinstance(t, Int) else None
        if queue is None:
            self.emitter.emit(i)
        else:
            queue.take(self.names.side, (), i.target, self.idle)

    def returned(self, value: Expr | None) -> None:
        """Keep the value."""
        if value is not None:
            self.emitter.assign(self.result, value, None)


class _LockstepOperation:
    """Two operations being joined."""

    def __init__(self, pair: Pair, after_load: bool) -> None:  # noqa: FBT001
        self.pair = pair
        self.after_load = after_load
        self.emitter = Emitter(pair.name, "%p")
        self.hangs = self.emitter.label()
        self.counters = (
            *list_lock_counters((pair.old,), OLD),
            *list_lock_counters((pair.new,), NEW),
        )
        self.places: dict[Place, Label] = {}
        self.waiting: list[Place] = []

    def lowered(self) -> Operation:
        e, span, p = self.emitter, self.pair.new.span, self.pair
        e.emit(Enter(span))
        for counter in self.counters:
            e.emit(Write(counter, None, Const(0, INT), Mode.GHOST, span))
        watchers = self._watchers(self._idle())
        for side, given in ((OLD, p.old_given), (NEW, p.new_given)):
            for local, value in given.items():
                e.assign(side.local(local), value, None)
        e.jump(self._place((0, 0)), None)
        while self.waiting:
            self._from(self.waiting.pop(), watchers)
        e.place(self.hangs)
        e.emit(Assert(SAME, FALSE, (), "", "", span))
        e.emit(Return(None, span))
        code = reduce_state(e.finish(), p.parameters.all, self.counters)
        return Operation(p.name, p.role, p.parameters, code, span)

    def _idle(self) -> Expr:
        """Return the condition under which nothing counts."""
        if not self.after_load:
            return FALSE
        loaded = self.emitter.local("loaded", BOOL)
        self.emitter.emit(Read(loaded, LOADED, None, Mode.GHOST, self.pair.new.span))
        return convert.negate_condition(Var(loaded))

    def _watchers(self, idle: Expr) -> tuple[_Watcher, _Watcher]:
        e, span = self.emitter, self.pair.new.span
        sides = (self.pair.old, self.pair.new)
        code = [i for o in sides for i in o.code]
        outcome = next((i.target.type for i in code if isinstance(i, Hypercall)), INT)
        hypercalls = Queue.empty(e, "hypercall", (U64, BOOL, U64, U64), outcome, span)
        kinds = [{i.target.type for i in o.code if isinstance(i, Havoc)} for o in sides]
        shared = [t for t in kinds[0] & kinds[1] if isinstance(t, Int)]
        choices = {
            t: Queue.empty(e, f"choice{t.width}{'s' if t.signed else 'u'}", (), t, span)
            for t in sorted(shared, key=lambda t: (t.width, t.signed))
        }
        out = []
        for names, o in zip((OLD, NEW), sides, strict=True):
            result = e.local(f"result@{names.side}", result_type(o))
            e.assign(result, Const(0, result.type), None)
            out.append(_Watcher(e, names, idle, result, hypercalls, choices))
        return out[0], out[1]

    # Both sides, up to their next loops ------------------------------------------------------

    def _place(self, at: Place) -> Label:
        if at not in self.places:
            self.places[at] = self.emitter.label()
            self.waiting.append(at)
        return self.places[at]

    def _from(self, at: Place, watchers: tuple[_Watcher, _Watcher]) -> None:
        """Emit what both do from a place on."""
        e = self.emitter
        old, new = at
        e.place(self.places[at])
        if old is None and new is None:
            self._compare(watchers)
            return
        self._forget(at, watchers[0])
        after = self._run(self.pair.old, watchers[0], old)
        for old_at, label in after.items():
            e.place(label)
            for new_at, end in self._run(self.pair.new, watchers[1], new).items():
                e.place(end)
                self._meet((old_at, new_at), watchers[0])
                e.jump(self._place((old_at, new_at)), None)

    def _meet(self, at: Place, watcher: _Watcher) -> None:
        """Claim that both sides were alike so far, and that their loops are at the same vCPU."""
        if at == (None, None):
            return
        fine = convert.disjoin_conditions(watcher.idle, watcher.hypercalls.nothing_waits)
        for old, new in self._walkers(at):
            fine = convert.conjoin_conditions(fine, _alike(Var(old), Var(new)))
        self.emitter.emit(Assert(SAME, fine, (), "", "", self.pair.new.span))

    def _forget(self, at: Place, watcher: _Watcher) -> None:
        """Drop what was claimed to be nothing, and what was claimed to be the same."""
        for queue in (watcher.hypercalls, *watcher.choices.values()):
            queue.clear()
        for old, new in self._walkers(at):
            self.emitter.assign(new, _converted(Var(old), new.type), None)

    def _walkers(self, at: Place) -> Iterator[tuple[Local, Local]]:
        """Yield the counters of two loops over the vCPUs."""
        old, new = at
        if not old or not new:
            return
        found = [_walker(self.pair.old, old), _walker(self.pair.new, new)]
        if found[0] and found[1]:
            yield OLD.local(found[0]), NEW.local(found[1])

    def _run(
        self, side: Operation, watcher: _Watcher, start: int | None
    ) -> dict[int | None, Label]:
        """Emit what one side does from a position on; return labels to be placed where it stops."""
        e = self.emitter
        done = e.label()
        if start is None:
            e.jump(done, None)
            return {None: done}
        stops = {at: e.label() for at in sorted(loop_heads(side.code))}
        place_part(e, side, watcher.names, watcher, Ends(done, self.hangs), start, stops)
        ends: dict[int | None, Label] = {None: done}
        return ends | stops

    # What is claimed ---------------------------------------------------------------------------

    def _compare(self, watchers: tuple[_Watcher, _Watcher]) -> None:
        e, span = self.emitter, self.pair.new.span
        old, new = watchers
        for counter in self.counters:
            word = e.temp(INT)
            e.emit(Read(word, counter, None, Mode.GHOST, span))
            e.emit(Assert(SAME, equate_values(Var(word), Const(0, INT)), (), "", "", span))
        fine = old.hypercalls.nothing_waits
        if self.pair.role is Role.FLUSH:
            fine = convert.conjoin_conditions(fine, _alike(Var(old.result), Var(new.result)))
        e.emit(Assert(SAME, convert.disjoin_conditions(old.idle, fine), (), "", "", span))
        if self.after_load and self.pair.role is Role.LOAD:
            e.emit(Write(LOADED, None, TRUE, Mode.GHOST, span))
        e.emit(Return(None, span))
        e.emit(Stop(None))


def _walker(operation: Operation, head: int) -> Local | None:
    """Return the one local that a loop moves and compares with the number of vCPUs."""
    loops = order_code(operation.code).loops
    inside = tuple(i for at, i in enumerate(operation.code) if head in loops[at])
    moved = {defined_local(i) for at, i in enumerate(operation.code) if loops[at] == loops[head]}
    found = list_walkers(replace(operation, code=inside)) & moved
    return next(iter(found)) if len(found) == 1 else None


def _alike(old: Expr, new: Expr) -> Expr:
    if old.type == new.type:
        return equate_values(old, new)
    return equate_values(convert.cast_integer(old, S64), convert.cast_integer(new, S64))


def _converted(e: Expr, t: Type) -> Expr:
    return convert.cast_integer(e, t) if isinstance(t, Int) else e

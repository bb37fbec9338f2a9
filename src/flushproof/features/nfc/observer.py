"""What is watched of the two sides of an operation, as instructions around their code.

Nothing here compares two recorded sequences: one hypercall is chosen beforehand (a position, a
root, a range), each side says whether it issues just that, and the answers must be the same. Free
choices are shared by their place: where a side's choice is not the one that the other side met
before, the execution does not count from then on (`off`).

Lemma L26 of docs/soundness.md.
"""

from __future__ import annotations

from enum import StrEnum

from flushproof.features.nfc.ghost_table import Match, Table, column_fields, equate_values
from flushproof.features.nfc.rename_side import SideNames
from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import (
    Access,
    Assert,
    Binary,
    Const,
    Expr,
    Field,
    FieldScope,
    Havoc,
    Hypercall,
    Local,
    Mode,
    Read,
    Var,
)
from flushproof.ir.types import BOOL, INT, U64, Int, Type
from flushproof.lower import convert
from flushproof.lower.values import TRUE
from flushproof.support.record import Record
from flushproof.support.source import Span

SAME = "same"
"""The claim that no difference is seen."""
FOLLOWED = "followed"
"""The claim that every execution is followed to its end."""


class Sight(StrEnum):
    """What is compared: each call's sequence, its set of roots, or whether the new one has less."""

    SEQUENCE = "sequence"
    SET = "set"
    SUBSET = "subset"

    @property
    def by_root(self) -> bool:
        """Tell whether a root, not a position, says how a hypercall of a call ends."""
        return self is not Sight.SEQUENCE


def _ghost(name: str, t: Type) -> Field:
    return Field(f"nfc:{name}", name, FieldScope.VM, t, ghost=True)


POSITION = _ghost("position", INT)
ROOT_SEEN = _ghost("root", U64)
WHOLE_SEEN = _ghost("whole", BOOL)
START_SEEN = _ghost("start", U64)
PAGES_SEEN = _ghost("pages", U64)
OFF = _ghost("off", BOOL)
LOADED = _ghost("loaded", BOOL)


def free_choice_note(operation: str, target: Local) -> Field:
    """Return the ghost field at which an operation's free choice of a local is noted."""
    return _ghost(f"chosen:{operation}:{target.name}", target.type)


def list_witnesses(sight: Sight) -> tuple[Field, ...]:
    """Return what is chosen beforehand."""
    match sight:
        case Sight.SEQUENCE:
            return (POSITION, ROOT_SEEN, WHOLE_SEEN, START_SEEN, PAGES_SEEN)
        case Sight.SET:
            return (ROOT_SEEN,)
        case Sight.SUBSET:
            return (ROOT_SEEN, WHOLE_SEEN, START_SEEN, PAGES_SEEN)


class ObservedCall(Record):
    """One operation under watch: its locals."""

    emitter: Emitter
    sight: Sight
    off: Local
    seen: dict[Field, Local]
    outcomes: Table
    rows: Local
    shared: dict[Int, Table]
    span: Span

    def give_up(self) -> None:
        """From now on the execution does not count, and that is a gap."""
        e = self.emitter
        e.emit(Assert(FOLLOWED, Var(self.off), (), "", "", self.span))
        e.assign(self.off, TRUE, None)

    def require(self, condition: Expr) -> None:
        """Let the execution count only where the condition holds."""
        value = convert.disjoin_conditions(Var(self.off), convert.negate_condition(condition))
        self.emitter.assign(self.off, value, None)


def begin_observation(
    emitter: Emitter,
    sight: Sight,
    watched: tuple[Field, ...],
    outcome: Type,
    shared: tuple[Int, ...],
    span: Span,
) -> ObservedCall:
    """Read what was chosen beforehand, and set up tables."""
    off = emitter.local("off", BOOL)
    emitter.emit(Read(off, OFF, None, Mode.GHOST, span))
    seen = {f: emitter.local(f.label, f.type) for f in watched}
    for f, local in seen.items():
        emitter.emit(Read(local, f, None, Mode.GHOST, span))
    rows = emitter.local("rows", INT)
    emitter.assign(rows, Const(0, INT), None)
    tables = {
        t: Table((column_fields(f"nfc:choice:{t.width}{'s' if t.signed else 'u'}", t),))
        for t in shared
    }
    return ObservedCall(emitter, sight, off, seen, _outcomes(sight, outcome), rows, tables, span)


def _outcomes(sight: Sight, t: Type) -> Table:
    outcome = column_fields("nfc:outcome", t)
    return Table((column_fields("nfc:on", U64), outcome) if sight.by_root else (outcome,))


class SideObserver(Record):
    """The watcher of one side's code within one operation; `other` is the side before it."""

    call: ObservedCall
    names: SideNames
    has: Local
    count: Local
    result: Local
    ranks: dict[Int, Local]
    other: SideObserver | None

    @staticmethod
    def of(
        call: ObservedCall, names: SideNames, result: Type, other: SideObserver | None
    ) -> SideObserver:
        """Return the watcher of a side that returns a value of some type, nothing seen so far."""
        has = _start(call, f"has@{names.side}", BOOL)
        count = _start(call, f"count@{names.side}", INT)
        returned = _start(call, f"result@{names.side}", result)
        ranks = {t: _start(call, f"rank@{names.side}", INT) for t in call.shared}
        return SideObserver(call, names, has, count, returned, ranks, other)

    # Events ----------------------------------------------------------------------------------

    def hypercall(self, i: Hypercall) -> None:
        """Issue it, with an outcome that the other side gets as well, and compare."""
        e = self.call.emitter
        e.emit(i)
        if self.call.sight.by_root:
            self._by_root(i)
        else:
            self._by_position(i)
        e.assign(self.has, convert.disjoin_conditions(Var(self.has), self._alike(i)), None)
        e.assign(self.count, _next(self.count), None)

    def _alike(self, i: Hypercall) -> Expr:
        seen = {f: Var(x) for f, x in self.call.seen.items()}
        alike = equate_values(i.root, seen[ROOT_SEEN])
        if POSITION in seen:
            alike = convert.conjoin_conditions(
                alike, equate_values(Var(self.count), seen[POSITION])
            )
        if WHOLE_SEEN in seen:
            part = convert.conjoin_conditions(
                equate_values(i.start, seen[START_SEEN]), equate_values(i.pages, seen[PAGES_SEEN])
            )
            alike = convert.conjoin_conditions(alike, equate_values(i.whole, seen[WHOLE_SEEN]))
            alike = convert.conjoin_conditions(alike, convert.disjoin_conditions(i.whole, part))
        return alike

    def _by_position(self, i: Hypercall) -> None:
        """Let the k-th hypercall of a call end alike on both sides."""
        total = None if self.other is None else self.other.count
        self._share(self.call.outcomes, self.count, total, i.target)

    def _by_root(self, i: Hypercall) -> None:
        """All hypercalls of a call that are on one root end alike."""
        e, table, rows = self.call.emitter, self.call.outcomes, self.call.rows
        root = e.keep(i.root, i.span)
        self.call.require(table.every(e, Var(rows), i.span, root, Match(Var(i.target))))
        new = table.every(e, Var(rows), i.span, root, Match(None))
        put, full, end = e.label(), e.label(), e.label()
        e.branch(new, put, end, None)
        e.place(put)
        table.put(e, Var(rows), (root, Var(i.target)), full)
        e.assign(rows, _next(rows), None)
        e.jump(end, None)
        self._full(full, end)

    def havoc(self, i: Havoc) -> None:
        """Make a free choice, the same as on the other side where that makes so many."""
        e = self.call.emitter
        e.emit(i)
        note = free_choice_note(e.name, i.target)
        e.emit(Access(note, None, Var(i.target), write=False, mode=Mode.GHOST, span=i.span))
        t = i.target.type
        if isinstance(t, Int) and t in self.call.shared:
            total = None if self.other is None else self.other.ranks[t]
            self._share(self.call.shared[t], self.ranks[t], total, i.target)
            e.assign(self.ranks[t], _next(self.ranks[t]), None)

    def returned(self, value: Expr | None) -> None:
        """Keep the value."""
        if value is not None:
            self.call.emitter.assign(self.result, value, None)

    # Shared choices --------------------------------------------------------------------------

    def _share(self, table: Table, rank: Local, total: Local | None, value: Local) -> None:
        """Store a choice, or where the other side made `total` of them, be bound to its choice."""
        e = self.call.emitter
        end, full, there = e.label(), e.label(), e.label()
        if total is None:
            table.put(e, Var(rank), (Var(value),), full)
            e.jump(end, None)
            self._full(full, end)
            return
        e.branch(Binary("<", Var(rank), Var(total), BOOL), there, end, None)
        e.place(there)
        before = e.local("before", value.type)
        table.get(e, Var(rank), before)
        self.call.require(equate_values(Var(before), Var(value)))
        e.jump(end, None)
        e.place(end)

    def _full(self, full: Label, end: Label) -> None:
        self.call.emitter.place(full)
        self.call.give_up()
        self.call.emitter.jump(end, None)
        self.call.emitter.place(end)


def _next(x: Local) -> Expr:
    return Binary("+", Var(x), Const(1, INT), INT)


def _start(call: ObservedCall, name: str, t: Type) -> Local:
    local = call.emitter.local(name, t)
    call.emitter.assign(local, Const(0, t), None)
    return local

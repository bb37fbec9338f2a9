"""Events of two sides: the k-th of one is matched with the k-th of the other.

At most one event waits for its counterpart, so this needs no table and is good for any number of
vCPUs. Code that lets one side get further ahead than that is told so by an assertion that fails.

Lemma L27 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.features.nfc.ghost_table import equate_values
from flushproof.features.nfc.observer import SAME
from flushproof.ir.builder import Emitter
from flushproof.ir.code import Assert, Const, Expr, Havoc, Local, Var
from flushproof.ir.types import BOOL, Type
from flushproof.lower import convert
from flushproof.lower.values import FALSE, TRUE
from flushproof.support.record import Record
from flushproof.support.source import Span


class Queue(Record, frozen=True):
    """Room for one event: what has to match, and the value that both sides are to get.

    `waits` says by side that an event of that side waits for the other one.
    """

    emitter: Emitter
    waits: dict[str, Local]
    columns: tuple[Local, ...]
    value: Local
    span: Span

    @staticmethod
    def empty(
        emitter: Emitter, name: str, columns: tuple[Type, ...], value: Type, span: Span
    ) -> Queue:
        """Return a queue in which nothing waits."""
        waits = {side: emitter.local(f"{name}:{side}", BOOL) for side in ("old", "new")}
        kept = tuple(emitter.local(f"{name}:{k}", t) for k, t in enumerate(columns))
        queue = Queue(emitter, waits, kept, emitter.local(f"{name}:value", value), span)
        queue.clear()
        return queue

    def clear(self) -> None:
        """Let nothing wait from here on."""
        for local in (*self.waits.values(), *self.columns, self.value):
            self.emitter.assign(local, Const(0, local.type), None)

    @property
    def nothing_waits(self) -> Expr:
        """The condition that each event had its counterpart."""
        old, new = (convert.negate_condition(Var(x)) for x in self.waits.values())
        return convert.conjoin_conditions(old, new)

    def take(self, side: str, columns: tuple[Expr, ...], target: Local, idle: Expr) -> None:
        """Let an event happen: `target` gets its value; where `idle` it need not match."""
        e = self.emitter
        other = "new" if side == "old" else "old"
        second, first, end = e.label(), e.label(), e.label()
        e.branch(Var(self.waits[other]), second, first, None)
        e.place(second)
        alike: Expr = TRUE
        for kept, column in zip(self.columns, columns, strict=True):
            alike = convert.conjoin_conditions(alike, equate_values(Var(kept), column))
        self._claim(convert.disjoin_conditions(idle, alike))
        e.assign(target, Var(self.value), None)
        e.assign(self.waits[other], FALSE, None)
        e.jump(end, None)
        e.place(first)
        self._claim(convert.negate_condition(Var(self.waits[side])))
        e.emit(Havoc(target, self.span))
        for kept, column in zip(self.columns, columns, strict=True):
            e.assign(kept, column, None)
        e.assign(self.value, Var(target), None)
        e.assign(self.waits[side], TRUE, None)
        e.jump(end, None)
        e.place(end)

    def _claim(self, condition: Expr) -> None:
        if condition != TRUE:
            self.emitter.emit(Assert(SAME, condition, (), "", "", self.span))

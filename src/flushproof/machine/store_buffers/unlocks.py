"""Unlocks that wait in store buffers, where a claim asks whether threads wait for ever.

A lock that is not free because its unlock waits will be free. So it takes more to make a deadlock
than that every thread waits: no unlock waits either. (One that does may drain, and then threads
that still wait are found.)
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.ir.builder import Emitter
from flushproof.ir.code import Enter, Every, Expr, Field, FieldScope, Instr, Mode, Read, Var
from flushproof.ir.types import BOOL, VCPU
from flushproof.lower import convert
from flushproof.support.source import Span


def wait_for_idle(span: Span, unlocks: Iterable[Field]) -> tuple[Instr, ...]:
    """Return the code of a pseudo-operation that enters unless one of the cells is set."""
    emitter = Emitter("idle", temporary="%w")
    end = emitter.label()
    for cell in unlocks:
        inside = emitter.label()
        emitter.branch(_set(emitter, cell, span), end, inside, span)
        emitter.place(inside)
    emitter.emit(Enter(span))
    emitter.place(end)
    return emitter.finish()


def _set(emitter: Emitter, cell: Field, span: Span) -> Expr:
    """Emit what finds out whether a cell is set, of some vCPU where each has one."""
    found = emitter.temp(BOOL)
    if cell.scope is FieldScope.VM:
        emitter.emit(Read(found, cell, None, Mode.GHOST, span))
        return Var(found)
    vcpu, here = emitter.temp(VCPU), emitter.temp(BOOL)
    clear = convert.negate_condition(Var(here))
    emitter.emit(Every(found, vcpu, ((here, cell),), clear, span))
    return convert.negate_condition(Var(found))

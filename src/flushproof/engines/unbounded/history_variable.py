"""Which vCPU the flusher was at when a claim first took note of something in a call.

A claim that relates two rounds of a loop over vCPUs needs the vCPU of the first one: an auxiliary
variable holds it (a history variable: Abadi and Lamport, TCS 1991), and only failures are looked
at where it is the tracked vCPU, which is any, or no vCPU at all.

Lemma L20 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.analysis.def_use import operand_expressions
from flushproof.ir.code import Binary, Cast, Const, Expr, Field, FieldScope, Local, NumVcpus, Var
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import INT
from flushproof.support.record import replace

HISTORY = Field("noted:vcpu", "vCPU noted first", FieldScope.VM, INT, ghost=True)
NOWHERE = -1


def with_history(program: Program) -> Program:
    """Return a program with the variable, which starts as no vCPU."""
    start = (HISTORY, Const(NOWHERE, INT))
    return replace(program, fields=(*program.fields, HISTORY), boot=(*program.boot, start))


def list_walkers(operation: Operation) -> frozenset[Local]:
    """Return the locals that are compared with the number of vCPUs, as in a loop over these."""
    found = (x for i in operation.code for e in operand_expressions(i) for x in _compared(e))
    return frozenset(found)


def _compared(e: Expr) -> Iterator[Local]:
    if isinstance(e, Binary):
        a, b = _bare(e.left), _bare(e.right)
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Var) and isinstance(y, NumVcpus):
                yield x.local
        yield from _compared(e.left)
        yield from _compared(e.right)


def _bare(e: Expr) -> Expr:
    return _bare(e.operand) if isinstance(e, Cast) else e

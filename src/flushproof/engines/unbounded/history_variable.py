"""Which vCPU the flusher was at when a claim first took note of something in a call.

A claim that relates two rounds of a loop over vCPUs needs the vCPU of the first one: an auxiliary
variable holds it (a history variable: Abadi and Lamport, TCS 1991), and only failures are looked
at where it is the tracked vCPU, which is any, or no vCPU at all.

Lemma L20 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from flushproof.ir.analysis.def_use import defined_local, operand_expressions, subexpressions_of
from flushproof.ir.analysis.representation import Kinds, Representation
from flushproof.ir.analysis.weak_topological_order import order_code
from flushproof.ir.code import (
    Assign,
    Binary,
    Cast,
    Const,
    Expr,
    Field,
    FieldScope,
    Local,
    NumVcpus,
    Var,
)
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import BOOL, INT
from flushproof.support.record import replace

HISTORY = Field("noted:vcpu", "vCPU noted first", FieldScope.VM, INT, ghost=True)
NOWHERE = -1


def with_history(program: Program) -> Program:
    """Return a program with the variable, which starts as no vCPU."""
    start = (HISTORY, Const(NOWHERE, INT))
    return replace(program, fields=(*program.fields, HISTORY), boot=(*program.boot, start))


def list_walkers(operation: Operation) -> frozenset[Local]:
    """Return the locals that are compared with the number of vCPUs, as in a loop over these.

    A walk by number compares where it asks for the vCPU of a number, if nowhere else, and may do so
    with a copy of it, as of another type.
    """
    found = {x for i in operation.code for e in operand_expressions(i) for x in _compared(e)}
    copied = [(i.target, _bare(i.value)) for i in operation.code if isinstance(i, Assign)]
    size = 0
    while size < len(found):
        size = len(found)
        found |= {e.local for x, e in copied if x in found and isinstance(e, Var)}
    return frozenset(found)


def find_walker(operation: Operation, live: Iterable[Local], kinds: Kinds) -> Local | None:
    """Return which of some locals says at which vCPU an operation is; None if none does.

    Of several it is the one that the outermost loop moves, as a loop within looks at others. A
    truth value, or what is looked at bit by bit, is no number that could be noted.
    """
    walkers = {x for x in list_walkers(operation) if _is_number(kinds, operation, x)}
    depth = _moved_depths(operation)
    found = (x for x in live if x in walkers)
    return min(found, key=lambda x: (depth.get(x, 0), x.name), default=None)


def _is_number(kinds: Kinds, operation: Operation, x: Local) -> bool:
    return x.type != BOOL and kinds.local(operation.name, x) is Representation.COUNT


@lru_cache(maxsize=64)
def _moved_depths(operation: Operation) -> Mapping[Local, int]:
    """Return in how many loops at the most each local is set."""
    depths: dict[Local, int] = {}
    for i, loops in zip(operation.code, order_code(operation.code).loops, strict=True):
        target = defined_local(i)
        if target is not None:
            depths[target] = max(depths.get(target, 0), len(loops))
    return depths


def _compared(e: Expr) -> Iterator[Local]:
    for x in subexpressions_of(e):
        if isinstance(x, Binary):
            a, b = _bare(x.left), _bare(x.right)
            for left, right in ((a, b), (b, a)):
                if isinstance(left, Var) and isinstance(right, NumVcpus):
                    yield left.local


def _bare(e: Expr) -> Expr:
    return _bare(e.operand) if isinstance(e, Cast) else e

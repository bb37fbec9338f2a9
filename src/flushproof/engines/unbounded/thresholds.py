"""Numbers that a program's counters are compared with: so far they surely go."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.symbolic.values import SMALL
from flushproof.ir.analysis.def_use import operand_expressions, subexpressions_of
from flushproof.ir.code import Binary, Cast, Const, Expr
from flushproof.ir.program import Program

MOST = 64
"""Numbers beyond this are sizes and limits of types, not thresholds."""

ORDERS = ("<", "<=", ">", ">=")


def find_largest_threshold(program: Program) -> int:
    """Return the largest small number that a program compares by order with, `SMALL` at least.

    A sum up to it is looked at as one that may well be: a counter that stops at 40 comes to 40.
    """
    code = (i for o in program.operations for i in o.code)
    parts = (x for i in code for e in operand_expressions(i) for x in subexpressions_of(e))
    return max((SMALL, *(n for x in parts for n in _thresholds(x) if n <= MOST)))


def _thresholds(e: Expr) -> Iterator[int]:
    if isinstance(e, Binary) and e.op in ORDERS:
        yield from (x.value for x in map(_bare, (e.left, e.right)) if isinstance(x, Const))


def _bare(e: Expr) -> Expr:
    return _bare(e.operand) if isinstance(e, Cast) else e

"""The root that a load is given: any page, aligned, but for 0 and that of INVALID_PAGE."""

from __future__ import annotations

import z3

from flushproof.engines.symbolic.values import INVALID, Algebra, Value
from flushproof.ir.kinds import LOW, PAGE_BITS, ROOT_BITS


def any_root(algebra: Algebra, name: str) -> tuple[Value, list[z3.BoolRef]]:
    """Return an unknown root and what holds of it."""
    if algebra.kinds.exact_roots:
        root = algebra.fresh_root(name)
        return root, algebra.proper(root)
    value = z3.BitVec(name, ROOT_BITS)
    aligned = z3.Extract(PAGE_BITS - 1, 0, value) == 0
    return value, [value != 0, value != INVALID & ~LOW, aligned]

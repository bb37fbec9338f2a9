"""What callers choose: a load's root, which is any page but 0 and INVALID_PAGE's, or a vCPU."""

from __future__ import annotations

import z3

from flushproof.engines.smt import terms as t
from flushproof.engines.symbolic.values import INVALID, Algebra, Value
from flushproof.ir.analysis.representation import LOW, PAGE_BITS, ROOT_BITS


def any_root(algebra: Algebra, name: str) -> tuple[Value, list[z3.BoolRef]]:
    """Return an unknown root and what holds of it."""
    if algebra.kinds.exact_roots:
        root = algebra.fresh_root(name)
        return root, algebra.proper(root)
    value = z3.BitVec(name, ROOT_BITS)
    aligned = z3.Extract(PAGE_BITS - 1, 0, value) == 0
    return value, [value != 0, value != INVALID & ~LOW, aligned]


def any_vcpu(name: str, count: t.Number) -> tuple[z3.ArithRef, list[z3.BoolRef]]:
    """Return an unknown vCPU that there is, and what makes it one."""
    vcpu = z3.Int(name)
    return vcpu, [vcpu >= 0, vcpu < count]

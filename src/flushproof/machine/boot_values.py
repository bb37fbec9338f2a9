"""Any value as what a field holds at boot: `boot { to_kvm_vmx(kvm)->x = any; }`.

In: the value that boot code gives a field. Out: whether it is any value of the field's type.
"""

from __future__ import annotations

from typing import ClassVar

from flushproof.frontend.c.types import Integer
from flushproof.ir.analysis.def_use import subexpressions_of
from flushproof.ir.code import Binary, Cast, Const, Expr, Local, Var
from flushproof.ir.types import U64
from flushproof.support.diagnostics import Diagnostic

ANYTHING = Local("@any", U64)
"""Stands for any value in boot code."""

ANY_T = Integer("u64", U64)


class NotAnyThere(Diagnostic, frozen=True, kw_only=True):
    """Any value as a part of a value, or of a field of which there are several."""

    CODE: ClassVar[str] = "FP0524"
    TITLE: ClassVar[str] = "only a whole field of the VM can hold any value at boot"
    HELP: ClassVar[str] = (
        "for a field of each vCPU let an operation set it, or leave the line out if it may be 0"
    )


def mentions_any(e: Expr) -> bool:
    """Tell whether a value depends on what is any."""
    return any(x == Var(ANYTHING) for x in subexpressions_of(e))


def is_any_value(e: Expr | None) -> bool:
    """Tell whether a value is any of its type: as it stands, converted, or as a truth value."""
    match e:
        case Var(local) | Cast(Var(local)) | Binary("!=", Var(local), Const(0)):
            return local == ANYTHING
        case _:
            return False

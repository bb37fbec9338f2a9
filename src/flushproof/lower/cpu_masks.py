"""Masks of CPUs: whether a CPU is in one is a flag of its vCPU.

So a mask has room for any number of vCPUs. A flag is changed on its own, which is what the kernel
does to a bit where it does so atomically.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.type_errors import Mismatch
from flushproof.frontend.c.types import BOOL_T
from flushproof.ir.code import FieldScope
from flushproof.ir.types import VCPU, VcpuRef
from flushproof.lower.context import Context, unsupported_construct
from flushproof.lower.expressions import lower_expression
from flushproof.lower.places import check_nonnull, is_mask, vcpu_nonnull
from flushproof.lower.values import (
    FieldPlace,
    Frame,
    Lasting,
    PointerTo,
    Scalar,
    StructPlace,
    Value,
    Vm,
)
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span


def lower_flag(ctx: Context, arguments: tuple[c.Expr, ...], span: Span) -> Value:
    """Return the address of the flag by which a vCPU is in a mask, and check that both are there.

    Raises:
        InputError: this is no mask, or one that lies in a vCPU or on the stack.
    """
    called = ctx.outside_prelude(span)
    match lower_expression(ctx, arguments[0]):
        case PointerTo(StructPlace(Vm() | Lasting(), path, struct), nonnull) if is_mask(
            ctx, struct
        ):
            pass
        case PointerTo(StructPlace(Frame())):
            raise unsupported_construct("a mask of CPUs on the stack", called)
        case Scalar(inside) if isinstance(inside.type, VcpuRef):
            raise unsupported_construct("a mask of CPUs in a vCPU", called)
        case _:
            raise InputError(Mismatch(span=called, text="this is no mask of CPUs"))
    check_nonnull(ctx, nonnull, called)
    match lower_expression(ctx, arguments[1]):
        case Scalar(vcpu) if vcpu.type == VCPU:
            ctx.emitter.check(vcpu_nonnull(vcpu), "there is no CPU of this number", called)
        case _:
            raise InputError(Mismatch(span=called, text="this is no vCPU"))
    field = ctx.shared(FieldScope.VCPU, path, f"in_{path[-1]}", BOOL_T, called)
    return PointerTo(FieldPlace(field, vcpu, BOOL_T))

"""Blocks that are one step: `atomic { ... }`, for what hardware does at once.

No other thread is seen in the middle of such a block, so nothing in it may wait, and every way
through it ends at its end: there are no loops in it, no locks, no hypercalls, and no jumps out.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.ir.analysis.def_use import map_expr
from flushproof.ir.code import BeginAtomic, Binary, EndAtomic, Exchange, Mode, Read, Var, Write
from flushproof.ir.types import BOOL
from flushproof.lower.context import AtomicBlock, Context, unsupported_construct
from flushproof.support.source import Span

HARMLESS = frozenset(
    {
        *("__exchange", "__compare_exchange", "__exchange_add"),
        *("__exchange_or", "__exchange_and", "__load", "__store"),
        *("__store_fence", "__store_release"),
        *("__free", "__vcpu_at", "__num_vcpus", "__value", "__least", "__greatest", "__first"),
        "__flag_of",
        *("__unreachable", "__ignored"),
    }
)
"""The primitives that neither wait nor order anything."""


def begin_atomic(ctx: Context, span: Span) -> None:
    """Begin a block.

    Raises:
        InputError: it is within another one, or in a claim.
    """
    if ctx.observing:
        raise unsupported_construct("an `atomic` block in a claim, which is atomic anyway", span)
    if ctx.atomic is not None:
        raise unsupported_construct("an `atomic` block within another one", span)
    frame = ctx.frame
    ctx.atomic = AtomicBlock(len(ctx.stack), len(frame.breaks), len(frame.continues))
    ctx.emitter.emit(BeginAtomic(span))


def end_atomic(ctx: Context, span: Span) -> None:
    """End the block."""
    ctx.atomic = None
    end = Span(
        span.file, span.end_line, max(1, span.end_column - 1), span.end_line, span.end_column
    )
    ctx.emitter.emit(EndAtomic(end))


def check_statement(ctx: Context, s: c.Stmt) -> None:
    """Refuse what may go round in an atomic block, or leave it.

    Raises:
        InputError: the statement does, in a function that is called there, too.
    """
    block = ctx.atomic
    if block is None:
        return
    own = len(ctx.stack) == block.depth
    match s:
        case c.DoWhile(_, c.Number(0)):
            pass
        case c.For() | c.ForEachVcpu() | c.While() | c.DoWhile() | c.Goto() | c.LabelledStatement():
            raise unsupported_construct("a loop or label in an `atomic` block", s.span)
        case c.ReturnStatement() if own:
            raise unsupported_construct("a jump out of an `atomic` block", s.span)
        case c.Break() if own and len(ctx.frame.breaks) == block.breaks:
            raise unsupported_construct("a jump out of an `atomic` block", s.span)
        case c.Continue() if own and len(ctx.frame.continues) == block.continues:
            raise unsupported_construct("a jump out of an `atomic` block", s.span)
        case _:
            pass


def check_primitive(ctx: Context, annotation: str, span: Span) -> None:
    """Refuse what may wait, or acts on more than memory, in an atomic block.

    Raises:
        InputError: the primitive does.
    """
    if ctx.atomic is not None and annotation not in HARMLESS:
        raise unsupported_construct(f"`{ctx.frame.name}()` in an `atomic` block", span)


def emit_exchange(ctx: Context, i: Exchange) -> None:
    """Emit an exchange, in an atomic block as a read and a write: nobody comes between them."""
    e = ctx.emitter
    if ctx.atomic is None:
        e.emit(i)
        return
    read = Var(i.target)
    value = map_expr(i.value, lambda x: read if x == i.old else Var(x))
    e.emit(Read(i.target, i.field, i.index, Mode.ATOMIC, i.span))
    write = Write(i.field, i.index, value, Mode.ATOMIC, i.span)
    if i.compare is None:
        e.emit(write)
        return
    here, end = e.label(), e.label()
    e.branch(Binary("==", read, i.compare, BOOL), here, end, i.span)
    e.place(here)
    e.emit(write)
    e.place(end)

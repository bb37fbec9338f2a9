"""Bit fields that share a memory location: a write is a read of all of it and a write of all of it.

So the compiler does it, and between the two another thread's write to a neighbour is lost (C11
3.14, note 2). The location is one shared field of the machine; each bit field is a part of it.
"""

from __future__ import annotations

from flushproof.frontend.c.structs import BitUnit
from flushproof.frontend.c.type_errors import UnsupportedConstruct
from flushproof.frontend.c.types import Integer
from flushproof.ir.code import Binary, Cast, Const, Expr, Mode, Read, Var
from flushproof.ir.types import BOOL, Int
from flushproof.lower.context import Context
from flushproof.lower.values import FieldPlace
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span

WIDEST = 64


def type_of(unit: BitUnit, span: Span) -> Integer:
    """Return the type of a whole location.

    Raises:
        InputError: it is wider than any register.
    """
    if unit.width > WIDEST:
        construct = f"bit fields that lie side by side in more than {WIDEST} bits, shared"
        raise InputError(UnsupportedConstruct(span=span, construct=construct))
    return Integer(f"unsigned : {unit.width}", Int(unit.width, signed=False))


def read_unit(ctx: Context, place: FieldPlace, span: Span, mode: Mode) -> Expr:
    """Emit the read of a whole location and return its value."""
    word = ctx.emitter.temp(place.field.type)
    ctx.emitter.emit(Read(word, place.field, place.index, ctx.mode(mode), span))
    return Var(word)


def extract_bits(word: Expr, first: int, t: Integer) -> Expr:
    """Return the value of the bit field of type `t` that begins at bit `first`."""
    whole = word.type
    assert isinstance(whole, Int)
    shifted = Binary(">>", word, Const(first, whole), whole) if first else word
    if t.ir == BOOL:
        lowest = Binary("&", shifted, Const(1, whole), whole)
        return Binary("!=", lowest, Const(0, whole), BOOL)
    return Cast(shifted, t.ir)


def replace_bits(word: Expr, first: int, value: Expr) -> Expr:
    """Return the location with another value in the bit field that begins at bit `first`."""
    whole, t = word.type, value.type
    assert isinstance(whole, Int)
    assert isinstance(t, Int)
    mask = (1 << t.width) - 1
    kept = Binary("&", word, Const(whole.wrap(~(mask << first)), whole), whole)
    wide = Binary("&", Cast(value, whole), Const(mask, whole), whole)
    moved = Binary("<<", wide, Const(first, whole), whole) if first else wide
    return Binary("|", kept, moved, whole)

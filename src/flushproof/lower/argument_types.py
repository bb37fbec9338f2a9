"""Arguments that cannot be what a parameter wants, found before a call is inlined."""

from __future__ import annotations

from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.printer import print_expression
from flushproof.frontend.c.types import CType, Pointer, Struct
from flushproof.lower.context import Context
from flushproof.lower.values import Scalar, StructValue, Value
from flushproof.support.diagnostics import Diagnostic, InputError


class ByValue(Diagnostic, frozen=True, kw_only=True):
    """A struct is handed over where its address is wanted."""

    CODE: ClassVar[str] = "FP0425"
    TITLE: ClassVar[str] = "`{function}()` takes a `{wanted}`, and `{written}` is a `{given}`"
    HELP: ClassVar[str] = "write `{mend}`"
    function: str
    wanted: str
    written: str
    given: str
    mend: str


def refuse_by_value(
    ctx: Context, function: c.Function, written: tuple[c.Expr, ...], values: tuple[Value, ...]
) -> None:
    """Refuse a struct or a lock where its address is wanted.

    Raises:
        InputError: some argument is one.
    """
    for p, e, value in zip(function.parameters, written, values, strict=False):
        wanted = ctx.env.declarations.parameter(p)
        given = _struct_of(value)
        if isinstance(wanted, Pointer) and given is not None:
            text = print_expression(e)
            found = ByValue(
                span=ctx.outside_prelude(e.span),
                function=function.name,
                wanted=str(wanted),
                written=text,
                given=str(given),
                mend=text[1:] if isinstance(e, c.UnaryExpr) and e.op == "*" else f"&{text}",
            )
            raise InputError(found)


def _struct_of(value: Value) -> CType | None:
    match value:
        case StructValue(place):
            return place.struct
        case Scalar(_, Struct() as own):
            return own
        case _:
            return None

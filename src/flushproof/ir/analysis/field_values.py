"""The values that a field can ever hold, where they are few: all that is put into it is constant.

In: the operations of a program and what fields hold at boot. It says nothing of a field that an
operation gives any other value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flushproof.ir.analysis.def_use import fields_of
from flushproof.ir.code import (
    Access,
    Available,
    Const,
    Every,
    Exchange,
    Expr,
    Field,
    Holds,
    Read,
    Write,
)
from flushproof.ir.fold import fold_expr
from flushproof.ir.program import Operation
from flushproof.ir.types import BOOL

FieldValues = Mapping[str, frozenset[int]]
"""The values of fields, by name; one that is not there may hold any."""

_READING = (Read, Access, Every, Holds, Available)


def list_field_values(
    operations: Iterable[Operation], boot: Mapping[Field, Expr], anything: Iterable[Field]
) -> FieldValues:
    """Return the values of each field that holds constants only; `anything` hold any at boot."""
    found: dict[Field, set[int] | None] = dict.fromkeys(anything)
    for f, value in boot.items():
        found.setdefault(f, set())
        _add(found, f, value)
    for operation in operations:
        for instr in operation.code:
            match instr:
                case Write(f, _, value) | Exchange(_, f, _, _, value):
                    _add(found, f, value)
                case _:
                    for f in fields_of(instr):
                        if not isinstance(instr, _READING):
                            found[f] = None
                        elif f not in boot:
                            found.setdefault(f, {0})
    return {f.name: values for f, given in found.items() if (values := _all(f, given)) is not None}


def _add(found: dict[Field, set[int] | None], f: Field, value: Expr) -> None:
    match fold_expr(value):
        case Const(number):
            # What nobody has given a first value is 0.
            known = found.setdefault(f, {0})
            if known is not None:
                known.add(number)
        case _:
            found[f] = None


def _all(f: Field, given: set[int] | None) -> frozenset[int] | None:
    if f.type == BOOL:
        return frozenset({0, 1})
    return None if given is None else frozenset(given)

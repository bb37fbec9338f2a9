"""The state of a joint operation made small: what need not be remembered is not.

A lock's counter is 0 between calls (that is asserted at the end of each), so it is a local; a
local that only ever holds a parameter is that parameter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from flushproof.ir.analysis.def_use import defined_local, map_operands
from flushproof.ir.code import Assign, Expr, Field, Instr, Local, Read, Var, Write
from flushproof.ir.passes.cleanup import clean_code
from flushproof.ir.types import INT

Code = tuple[Instr, ...]


def reduce_state(code: Code, parameters: Iterable[Local], counters: Iterable[Field]) -> Code:
    """Return the code of an operation with little to remember; `counters` are set at its start."""
    local = {f.name: Local(f"lock:{f.name}", INT) for f in counters}
    held = tuple(_without_counter(i, local) for i in code)
    return clean_code(_with_parameters(held, frozenset(parameters)))


def _without_counter(i: Instr, local: dict[str, Local]) -> Instr:
    match i:
        case Read(target, field) if field.name in local:
            return Assign(target, Var(local[field.name]), i.span)
        case Write(field, _, value) if field.name in local:
            return Assign(local[field.name], value, i.span)
        case _:
            return i


def _with_parameters(code: Code, parameters: frozenset[Local]) -> Code:
    times = Counter(x for i in code if (x := defined_local(i)) is not None)
    known = {
        i.target: i.value.local
        for i in code
        if isinstance(i, Assign)
        and isinstance(i.value, Var)
        and i.value.local in parameters
        and i.target.type == i.value.type
        and times[i.target] == 1
        and not times[i.value.local]
    }

    def value(x: Local) -> Expr:
        return Var(known.get(x, x))

    return tuple(i if defined_local(i) in known else map_operands(i, value) for i in code)

"""What every kernel file starts from: the prelude, and defaults for what headers would define."""

from __future__ import annotations

from functools import cache

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Declarations, resolve_declarations
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.spec.builtin import load_builtin, read_shipped
from flushproof.support.record import Record, replace
from flushproof.support.resources import KERNEL
from flushproof.support.source import Source


class BuiltinHeaders(Record, frozen=True):
    """The prelude's declarations, and with `defaults` those of `kernel.h` behind them."""

    context: ParseContext
    units: tuple[c.TranslationUnit, ...]
    prelude: Declarations
    defaults: Declarations
    unit: c.TranslationUnit
    source: Source

    def default(self, kind: type[c.TopLevel], name: str) -> c.TopLevel | None:
        """Return an item of `kernel.h`."""
        return next(
            (i for i in self.unit.items if isinstance(i, kind) and name in names_of(i)), None
        )

    def struct(self, name: str) -> c.StructDef | None:
        """Return a struct of the prelude."""
        items = (i for unit in self.units for i in unit.items)
        return next((i for i in items if isinstance(i, c.StructDef) and i.name == name), None)


def names_of(item: c.TopLevel) -> tuple[str, ...]:
    """Return the names that an item declares."""
    match item:
        case c.Declaration():
            return tuple(d.declarator.name for d in item.declarators)
        case c.Typedef():
            return (item.declarator.name,)
        case c.EnumDef():
            return (item.name, *(e.name for e in item.enumerators))
        case c.StructDef() | c.Function():
            return (item.name,)


def without_arrays(units: tuple[c.TranslationUnit, ...]) -> tuple[c.TranslationUnit, ...]:
    """Leave out functions that go into arrays, for every array of a kernel file is outside."""
    functions = [i for unit in units for i in unit.items if isinstance(i, c.Function)]
    left: set[str] = set()
    while more := {f.name for f in functions if _goes_into_arrays(f, left)} - left:
        left |= more
    return tuple(
        replace(
            unit,
            items=tuple(
                i for i in unit.items if not isinstance(i, c.Function) or i.name not in left
            ),
        )
        for unit in units
    )


def _goes_into_arrays(f: c.Function, left: set[str]) -> bool:
    nodes = walk(f.body) if f.body is not None else ()
    return any(isinstance(n, c.Index) or (isinstance(n, c.Name) and n.id in left) for n in nodes)


@cache
def builtin_headers() -> BuiltinHeaders:
    """Read the prelude and `kernel.h`."""
    start = load_builtin()
    source = read_shipped(KERNEL)
    unit, context = parse_c(source, start.context)
    units = without_arrays(start.units)
    return BuiltinHeaders(
        context,
        units,
        resolve_declarations(units),
        resolve_declarations((*units, unit), partial=True),
        unit,
        source,
    )

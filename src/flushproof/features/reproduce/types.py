"""Type definitions as C wants them: each after those that it needs.

In: translation units, later ones overriding earlier ones. Out: C text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c

TypeItem = c.StructDef | c.EnumDef | c.Typedef
Key = tuple[str, str]

LOCK = "struct {name} {{\n\tstruct lock_state state;\n}};"


def type_items(units: Sequence[c.TranslationUnit]) -> dict[Key, TypeItem]:
    """Return the types that units define, by kind and name."""
    out: dict[Key, TypeItem] = {}
    for unit in units:
        for item in unit.items:
            match item:
                case c.StructDef(name):
                    out["struct", name] = item
                case c.EnumDef(name):
                    out["enum", name or str(len(out))] = item
                case c.Typedef(_, declarator):
                    out["name", declarator.name] = item
                case _:
                    pass
    return out


def type_definitions(items: dict[Key, TypeItem], locks: Collection[str]) -> str:
    """Return the text of types in an order that a compiler accepts; locks get a state."""
    done: dict[Key, None] = {}
    for key in items:
        _visit(key, items, done)
    forward = "".join(f"struct {name};\n" for kind, name in items if kind == "struct")
    return forward + "".join(_text(items[key], locks) + "\n" for key in done)


def _visit(key: Key, items: dict[Key, TypeItem], done: dict[Key, None]) -> None:
    if key in done or key not in items:
        return
    for need in _needs(items[key]):
        if need != key:
            _visit(need, items, done)
    done[key] = None


def _needs(item: TypeItem) -> Iterator[Key]:
    match item:
        case c.StructDef(_, fields):
            for f in fields:
                if f.nested is not None:
                    yield from _needs(f.nested)
                elif f.type.kind != "struct" or any(not d.pointers for d in f.declarators):
                    yield f.type.kind, f.type.name
        case c.Typedef(written, declarator):
            if written.kind != "struct" or not declarator.pointers:
                yield written.kind, written.name
        case c.EnumDef():
            return


def _text(item: TypeItem, locks: Collection[str]) -> str:
    if isinstance(item, c.StructDef) and item.name in locks and not item.fields:
        return LOCK.format(name=item.name)
    return printer.print_item(item)

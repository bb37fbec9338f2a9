"""The kernel's functions: those of the prelude that have a body, and those that are annotated.

In: declarations. Out: what the code reaches, and C text of it. An annotation becomes the call of
the machine that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.c.walk import walk
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import replace

GENERIC = {
    "__load": "MARKED_LOAD",
    "__store": "MARKED_STORE",
    "__store_release": "MARKED_STORE",
    "__exchange": "ATOMIC_EXCHANGE",
    "__compare_exchange": "ATOMIC_COMPARE_EXCHANGE",
    "__exchange_add": "ATOMIC_ADD",
    "__exchange_or": "ATOMIC_OR",
    "__exchange_and": "ATOMIC_AND",
    "__value": "VALUE",
    "__typed": "TYPED",
    "__least": "LEAST",
    "__greatest": "GREATEST",
    "__first": "FIRST",
    "__elements": "ELEMENTS",
    "__waits_for": "WAITS_FOR",
}
IGNORED = frozenset({"__ignored", "__store_fence"})
"""What has no effect where each store is seen at once."""

TAKES = {
    "__acquires": "LOCK",
    "__acquires_shared": "READ_LOCK",
    "__tries": "TRY_LOCK",
    "__tries_shared": "TRY_READ_LOCK",
    "__releases": "UNLOCK",
    "__releases_fenced": "UNLOCK",
    "__releases_shared": "READ_UNLOCK",
}


class NoMeaningInC(Diagnostic, frozen=True, kw_only=True):
    """An annotated function that the stand-in cannot write in C."""

    CODE: ClassVar[str] = "FP0905"
    TITLE: ClassVar[str] = "`{name}` cannot be written as C: {why}"
    name: str
    why: str


def reachable_functions(
    declarations: Declarations, nodes: Iterable[c.Expr | c.Stmt]
) -> list[c.Function]:
    """Return the functions that some code names, and those that these name in turn."""
    out: dict[str, c.Function] = {}
    pending = [name for node in nodes for name in _names(node)]
    while pending:
        name = pending.pop(0)
        f = declarations.functions.get(name)
        if f is None or name in out:
            continue
        out[name] = f
        if f.body is not None and not f.annotations:
            pending += _names(f.body)
    return list(out.values())


def _names(node: c.Expr | c.Stmt) -> Iterator[str]:
    return (n.id for n in walk(node) if isinstance(n, c.Name))


def function_prototype(f: c.Function) -> str:
    """Return a function's prototype without its semicolon."""
    bare = replace(f, annotations=(), body=None)
    return "static " + printer.print_item(bare).removesuffix(";")


def is_macro(f: c.Function) -> bool:
    """Tell whether an annotated function has to be a macro: its arguments are of any type."""
    names = {a.name for a in f.annotations}
    return bool(names & IGNORED) or (bool(names & GENERIC.keys()) and _untyped(f))


def _untyped(f: c.Function) -> bool:
    written = ((p.type.name, bool(p.declarator.pointers)) for p in f.parameters)
    return not {("void", True), ("__number", False)}.isdisjoint(written)


def function_as_macro(f: c.Function) -> str:
    """Return a function as a macro."""
    a = next(a for a in f.annotations if a.name in IGNORED or a.name in GENERIC)
    if a.name in IGNORED:
        plain = f.type.name == "void" and not f.pointers
        return f"#define {f.name}(...) {'((void)0)' if plain else '(0)'}\n"
    if not all(isinstance(x, c.Name) for x in a.arguments):
        why = "its annotation computes with arguments of any type"
        raise InputError(NoMeaningInC(span=f.span, name=f.name, why=why))
    names = ", ".join(p.declarator.name for p in f.parameters)
    given = ", ".join(printer.print_expression(x) for x in a.arguments)
    return f"#define {f.name}({names}) {GENERIC[a.name]}({given})\n"


def function_definition(f: c.Function) -> str:
    """Return a function's definition; an annotated one calls the machine."""
    if not f.annotations:
        return "static " + printer.print_item(f) + "\n"
    for a in f.annotations:
        if a.name in GENERIC or a.name in TAKES or a.name in _BODIES or a.name == "__free":
            return f"{function_prototype(f)}\n{{\n\t{_body(f, a)}\n}}\n"
    why = "it has no body"
    raise InputError(NoMeaningInC(span=f.span, name=f.name, why=why))


def _body(f: c.Function, a: c.Annotation) -> str:
    given = [f"({printer.print_expression(x)})" for x in a.arguments]
    void = f.type.name == "void" and not f.pointers
    if a.name in TAKES:
        call = f"visit({TAKES[a.name]}, {given[0]})"
        return f"{call};" if void else f"return (int){call};"
    if a.name in GENERIC:
        call = f"{GENERIC[a.name]}({', '.join(given)})"
        return f"(void){call};" if void else f"return {call};"
    if a.name == "__free":
        return _any(f)
    return _BODIES[a.name](given)


def _any(f: c.Function) -> str:
    """Return any value of the function's type; a pointer is NULL, for nothing is known of it."""
    if f.pointers or f.type.kind == "struct":
        return "return (void *)0;"
    return ";" if f.type.name == "void" else "return visit(ANYTHING, (void *)0);"


_BODIES: dict[str, Callable[[list[str]], str]] = {
    "__hypercall": lambda given: f"return hypercall({', '.join(given)});",
    "__vcpu_at": lambda given: f"return vcpu_at({given[0]});",
    "__num_vcpus": lambda _given: "return VCPUS;",
    "__fence": lambda _given: "visit(FENCE, (void *)0);",
}

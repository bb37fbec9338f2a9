"""What was recognised, read off the machine that was built from it."""

from __future__ import annotations

from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.ir.code import Const, Expr, Field
from flushproof.ir.types import LockWord
from flushproof.machine.build import INVALID, Machine
from flushproof.results.recognition import FunctionPart, Recognition, SharedField
from flushproof.verify.assumptions import list_assumptions
from flushproof.verify.open_input import Opened


def recognition_listing(path: str, opened: Opened, machine: Machine) -> Recognition:
    """Return what a file was taken for."""
    setup = opened.setup
    boot = dict(machine.base.boot)
    cache = machine.cache
    return Recognition(
        path=path,
        sha256=setup.variant.sha256,
        profile=opened.profile,
        functions=_functions(machine),
        fields=tuple(_field(f, boot.get(f)) for f in machine.places),
        cache=None
        if cache is None
        else (printer.print_expression(cache.condition), printer.print_expression(cache.root)),
        assumptions=list_assumptions(machine),
        missing=opened.missing,
    )


def _functions(machine: Machine) -> tuple[FunctionPart, ...]:
    setup = machine.setup
    roles = {o.function: o.role for o in setup.operations}
    defined = setup.declarations.functions
    shipped = {s.name for s in setup.sources[:2]}
    found: dict[str, FunctionPart] = {}
    pending = list(roles)
    while pending:
        name = pending.pop(0)
        f = defined.get(name)
        if name in found or f is None or f.body is None or f.span.file in shipped:
            continue
        found[name] = FunctionPart(name, roles.get(name, "helper"), f.span)
        pending += [
            n.function.id
            for n in walk(f.body)
            if isinstance(n, c.CallExpr) and isinstance(n.function, c.Name)
        ]
    return tuple(found.values())


def _field(f: Field, boot: Expr | None) -> SharedField:
    name = f.name.rpartition(".")[0]
    shown = f"{name}.{f.member}" if name else f.member
    return SharedField(shown, str(f.scope), isinstance(f.type, LockWord), _value(boot))


def _value(boot: Expr | None) -> str:
    match boot:
        case None:
            return "0"
        case Const(value):
            return "INVALID_PAGE" if boot == INVALID else str(value)
        case _:
            return "set"

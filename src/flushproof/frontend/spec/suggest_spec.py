"""What to write for a C file whose functions have names of their own: a spec, or options."""

from __future__ import annotations

from pathlib import Path

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.declarations import Declarations
from flushproof.frontend.c.types import CType, Integer, Pointer, Struct

FLUSH, LOAD = "FLUSH(kvm)", "LOAD(vcpu, root)"
"""What stands for an operation that no function looks like."""


def advise_spec(declarations: Declarations, path: str) -> str:
    """Return a spec for the functions of a file that look like the operations, and the options."""
    own = [f for f in declarations.functions.values() if f.body and f.span.file == path]
    roles = {f.name: _roles(declarations, f) for f in own}
    flush = _last({n: r for n, r in roles.items() if r[:1] == ("kvm",)}, FLUSH)
    load = _last({n: r for n, r in roles.items() if {"vcpu", "root"} <= set(r)}, LOAD)
    name = Path(path).name
    stem = "".join(x if x.isalnum() else "_" for x in Path(path).stem)
    spec = f'spec {stem} {{ variant "{name}"; operations {{ flush {flush}; load {load}; }} }}'
    options = f"--flush {flush.partition('(')[0]} --load {load.partition('(')[0]}"
    return (
        f"name the operations in a spec: `{spec}`; or read it as a file of a kernel: "
        f"`{options}`; docs/tutorial.md goes through it"
    )


def _last(found: dict[str, tuple[str, ...]], otherwise: str) -> str:
    """Return a call of the last function, which can call those before it."""
    calls = [f"{name}({', '.join(roles)})" for name, roles in found.items()]
    return calls[-1] if calls else otherwise


def _roles(declarations: Declarations, function: c.Function) -> tuple[str, ...]:
    """Return what each parameter probably means, by its type."""
    roles: list[str] = []
    for p in function.parameters:
        if p.declarator.name:
            roles.append(_role(declarations.parameter(p), roles))
    return tuple(roles)


def _role(t: CType, before: list[str]) -> str:
    match t:
        case Pointer(Struct("kvm")):
            return "kvm"
        case Pointer(Struct("kvm_vcpu")):
            return "vcpu"
        case Pointer(Struct()):
            return "range"
        case Integer(_, kind) if kind.width == 64 and "vcpu" in before and "root" not in before:
            return "root"
        case _:
            return "free"

"""Whether an expression leads to the VM or the vCPU that a function creates, and to no other.

In: the function, parsed. What it is given is created, and what it allocates; a local variable is
one of these if it is given a value once. A member that is set in anything else says nothing of what
the created one holds.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.name_resolution import Body
from flushproof.frontend.kernel.ways import target_of

_VM = "kvm"
"""The member through which a vCPU leads to its VM, of which there is one."""


def is_created(body: Body, e: c.Expr) -> bool:
    """Tell whether an expression surely is, or points to, a part of what is created."""
    return _is_created(body, e, frozenset())


def _is_created(body: Body, e: c.Expr, seen: frozenset[str]) -> bool:
    match e:
        case c.Member(c.Member(_, name), _, True) if name != _VM:
            return False
        case c.Member(inner) | c.CastExpr(_, _, inner) | c.UnaryExpr("&" | "*", inner):
            return _is_created(body, inner, seen)
        case c.ContainerOf(inner):
            return _is_created(body, inner, seen)
        case c.CallExpr(c.Name(name), (inner,)) if name.startswith("to_"):
            return _is_created(body, inner, seen)
        case c.CallExpr(c.Name(name)):
            return "alloc" in name
        case c.Name(name) if name not in seen:
            return _is_variable(body, name, seen | {name})
        case _:
            return False


def _is_variable(body: Body, name: str, seen: frozenset[str]) -> bool:
    """Tell whether a variable is given what is created, and nothing else."""
    given = _values(body.function, name)
    parameters = {p.declarator.name for p in body.function.parameters}
    if name in parameters:
        return not given
    return len(given) == 1 and given[0] is not None and _is_created(body, given[0], seen)


def _values(f: c.Function, name: str) -> list[c.Expr | None]:
    """Return what a variable is given, None for what cannot be told."""
    found: list[c.Expr | None] = []
    for node in walk(f.body) if f.body else ():
        if isinstance(node, c.Declaration):
            own = (d for d in node.declarators if d.declarator.name == name)
            found += [d.initialiser for d in own if d.initialiser is not None]
        target = target_of(node)
        if isinstance(target, c.Name) and target.id == name:
            plain = isinstance(node, c.AssignExpr) and node.op == "="
            found.append(node.value if plain and isinstance(node, c.AssignExpr) else None)
    return found

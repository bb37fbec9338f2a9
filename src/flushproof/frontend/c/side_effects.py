"""Whether code does more than compute a value: it assigns, or calls what the machine acts on.

`QUIET` are the annotations of prototypes that only compute, or do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import Node, walk

NUMBERS: Final = ("__value", "__typed", "__least", "__greatest", "__first", "__elements")
QUIET: Final = frozenset(
    {"__ignored", "__free", "__vcpu_at", "__num_vcpus", "__load", *NUMBERS},
)


def has_effect(functions: Mapping[str, c.Function], node: Node) -> bool:
    """Tell whether a piece of code has an effect, itself or through functions that are known."""
    return _acts(functions, node, set())


def _acts(functions: Mapping[str, c.Function], node: Node, seen: set[str]) -> bool:
    for part in walk(node):
        match part:
            case c.AssignExpr() | c.Postfix() | c.UnaryExpr("++" | "--"):
                return True
            case c.CallExpr(c.Name(name)) if name in functions and name not in seen:
                seen.add(name)
                f = functions[name]
                if any(a.name not in QUIET for a in f.annotations):
                    return True
                if not f.annotations and f.body is not None and _acts(functions, f.body, seen):
                    return True
            case _:
                pass
    return False

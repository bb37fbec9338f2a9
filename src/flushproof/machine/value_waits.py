"""Which loops of a program are waits for a value, and which claims need the loops themselves.

A claim that looks at each access sees those that fail as well, and so does one that asks after each
step for what the thread itself does or takes notes. Such a claim is about the loops as they are.

Lemma L11 of docs/soundness.md.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import Node, walk
from flushproof.frontend.spec.syntax import CacheDecl, ClaimSpec, Handler
from flushproof.ir.analysis.field_values import list_field_values
from flushproof.ir.passes.value_wait import recognise_value_waits
from flushproof.ir.program import Program
from flushproof.support.record import replace

_CALLED = frozenset({"assert", "unlocked", "every", "some"})
"""What a handler may call that sees no more of the thread than any other thread."""

_OF_THREAD = frozenset({"SELF", "LOCKS"})


def wait_for_values(program: Program) -> Program:
    """Return a program in which loops that only wait for a value are waits; itself without any."""
    values = list_field_values(program.operations, dict(program.boot), program.witnesses)
    found = tuple(
        replace(o, code=recognise_value_waits(o.code, values)) for o in program.operations
    )
    return program if found == program.operations else replace(program, operations=found)


def sees_failures(claim: ClaimSpec, cache: CacheDecl | None) -> bool:
    """Tell whether a claim may tell an access that fails from none at all."""
    steps = [h for h in claim.handlers if h.event == "step"]
    spoken = [] if cache is None else [cache.condition, cache.root]
    nodes = (n for h in steps for part in (h.body, *spoken) for n in walk(part))
    return any(map(_hears_accesses, claim.handlers)) or any(map(_tells_more, nodes))


def _hears_accesses(handler: Handler) -> bool:
    return handler.event == "access"


def _tells_more(node: Node) -> bool:
    """Tell whether what a step handler does may depend on its thread, or on how often it runs."""
    match node:
        case c.Name(name):
            return name in _OF_THREAD
        case c.CallExpr(c.Name(name)):
            return name not in _CALLED
        case c.UnaryExpr(op):
            return op in ("++", "--")
        case c.Number() | c.BinaryExpr() | c.Conditional() | c.Member() | c.Index():
            return False
        case c.CastExpr() | c.Block() | c.If() | c.ExprStatement() | c.Empty() | c.String():
            return False
        case _:
            return True

"""What a claim looks at while some lock may be held.

A check `if (unlocked() && ...)` of which the body only asserts does nothing while a lock is held.
So it cannot tell whether a store that is made under a lock goes to memory at once, nor whether an
unlock does that others only wait for. Where they come later it looks later, at the same, for until
then nobody else takes the lock; and those that come at once are runs with store buffers, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.spec.syntax import ClaimSpec, Handler
from flushproof.ir.analysis.def_use import operand_expressions, subexpressions_of
from flushproof.ir.code import AllFree, Every, Field, HeldLocks, Holds, Mode, Read
from flushproof.ir.program import Program
from flushproof.machine.monitors import CACHE_NAMES
from flushproof.support.record import Record, replace


class ClaimView(Record, frozen=True):
    """What claims look at: the names of the fields they read, and the events they have handlers of.

    `free`: they ask whether locks are free; `holders`: which locks a thread holds.
    """

    fields: frozenset[str]
    events: frozenset[str] = frozenset()
    free: bool = False
    holders: bool = False


SAFE = frozenset({"==", "!=", "<", "<=", ">", ">=", "&&", "||", "&", "|", "^"})
"""Operators that are defined for all values."""


def claim_view(program: Program, events: frozenset[str]) -> ClaimView:
    """Return what the claims of an instrumented program look at, with handlers of these events."""
    code = [i for o in program.operations for i in o.code]
    expressions = [
        part for i in code for e in operand_expressions(i) for part in subexpressions_of(e)
    ]
    asked = any(isinstance(i, Holds) for i in code)
    return ClaimView(
        fields=frozenset(f.name for f in _looked_at(program) if not f.ghost),
        events=events,
        free=any(isinstance(e, AllFree) for e in expressions),
        holders=asked or any(isinstance(e, HeldLocks) for e in expressions),
    )


def _looked_at(program: Program) -> Iterator[Field]:
    for instr in (i for o in program.operations for i in o.code):
        match instr:
            case Read(field=f, mode=Mode.GHOST):
                yield f
            case Every(reads=reads):
                yield from (f for _, f in reads)
            case _:
                pass


PURE = frozenset({"assert", "holds", "owns", "every", "some", "to_kvm_vmx", "to_vmx"})
"""What changes nothing that a claim calls; no function that it calls may write to shared state."""


def beside_free_locks(claim: ClaimSpec) -> ClaimSpec:
    """Return a claim without the checks that are made only while no lock is held."""
    handlers = (replace(h, body=_without(h.body)) for h in claim.handlers)
    return replace(claim, handlers=tuple(h for h in handlers if not _empty(h)))


def _empty(handler: Handler) -> bool:
    return not handler.body.statements


def _without(body: c.Block) -> c.Block:
    return replace(body, statements=tuple(s for s in body.statements if not _only_checks(s)))


def _only_checks(s: c.Stmt) -> bool:
    match s:
        case c.If(condition, then, None):
            parts = _conjuncts(condition)
            at = next((k for k, e in enumerate(parts) if _asks(e)), None)
            if at is None:
                return False
            # What comes before is evaluated while a lock is held, too, but to no effect.
            return all(map(_cannot_fail, parts[:at])) and all(
                map(_changes_nothing, (*parts[at + 1 :], then))
            )
        case _:
            return False


def _conjuncts(e: c.Expr) -> tuple[c.Expr, ...]:
    """Return the parts of a chain of `&&`, in the order in which they are evaluated."""
    match e:
        case c.BinaryExpr("&&", left, right):
            return (*_conjuncts(left), *_conjuncts(right))
        case _:
            return (e,)


def _asks(e: c.Expr) -> bool:
    return (
        isinstance(e, c.CallExpr) and isinstance(e.function, c.Name) and e.function.id == "unlocked"
    )


def _cannot_fail(e: c.Expr) -> bool:
    """Tell whether an expression has a value and no effect whatever is in memory."""
    match e:
        case c.Number():
            return True
        case c.Name(name):
            return name not in CACHE_NAMES
        case c.Index(c.Name(), c.Name()) | c.Member(c.CallExpr(c.Name("to_kvm_vmx"), (c.Name(),))):
            return True
        case c.BinaryExpr(op, left, right):
            return op in SAFE and _cannot_fail(left) and _cannot_fail(right)
        case c.UnaryExpr("!", operand):
            return _cannot_fail(operand)
        case _:
            return False


def _changes_nothing(node: c.Expr | c.Stmt) -> bool:
    return all(map(_harmless, walk(node)))


def _harmless(node: c.Expr | c.Stmt) -> bool:
    match node:
        case c.CallExpr(c.Name(name)):
            return name in PURE
        case c.ExprStatement() | c.Block() | c.If() | c.Empty():
            return True
        case c.UnaryExpr(op):
            return op not in ("++", "--", "&")
        case c.Number() | c.Name() | c.BinaryExpr() | c.Conditional() | c.Member() | c.Index():
            return True
        case c.CastExpr() | c.String():
            return True
        case _:
            return False

"""`invariant` lines of a spec as code that looks at a state.

In: a line, and the names that it may use. Out: a `Candidate`, which is offered to the search for
proofs. Nobody believes it: what is wrong with it costs a proof at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.syntax import CacheDecl, InvariantDecl
from flushproof.ir.analysis.counting import loops_of
from flushproof.ir.analysis.def_use import operand_expressions, subexpressions_of
from flushproof.ir.candidate import Candidate
from flushproof.ir.code import (
    Assert,
    Binary,
    Enter,
    Every,
    Field,
    HeldLocks,
    Holds,
    Instr,
    Local,
    Self,
    Var,
    Write,
)
from flushproof.ir.passes.cleanup import clean_code
from flushproof.ir.program import Operation, Parameters, Role
from flushproof.ir.types import VCPU
from flushproof.lower.context import Binding, BoundName, ProgramContext, Special
from flushproof.lower.expressions import lower_truth
from flushproof.lower.values import Scalar
from flushproof.machine.environment import make_context, with_names
from flushproof.machine.monitors import (
    VCPU_POINTER,
    machine_names,
    make_monitor,
    special_unlocked,
)
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.source import Span

SPECIALS: Mapping[str, Special] = {"unlocked": special_unlocked}


UNTOLD = ("*", "/", "%", "<<")
"""What facts of an invariant have no words for."""


class NotOfState(Diagnostic, frozen=True, kw_only=True):
    """An `invariant` line that is more, or less, than a condition on one state."""

    CODE: ClassVar[str] = "FP0521"
    TITLE: ClassVar[str] = "an `invariant` line {problem}"
    HELP: ClassVar[str] = (
        "write a condition without effects on fields, ghost variables and locks; other vCPUs are "
        "spoken of by `any vcpu v:` in front"
    )
    problem: str


def lower_candidates(
    setup: Setup, env: ProgramContext, cache: CacheDecl | None, fields: Mapping[str, Field]
) -> tuple[Candidate, ...]:
    """Return the `invariant` lines as code; one that names a claim knows the claim's names.

    Raises:
        InputError: one of them is not accepted.
    """
    out: list[Candidate] = []
    for number, line in enumerate(setup.invariants, 1):
        claim = None if line.claim is None else setup.claim(line.claim.value)
        names: Mapping[str, Binding] = machine_names(setup, cache)
        if claim is not None:
            names = make_monitor(setup, claim, cache, calls_end=False).names
        out.append(_lower_candidate(env, line, names, fields, number))
    return tuple(out)


def _lower_candidate(
    env: ProgramContext,
    line: InvariantDecl,
    names: Mapping[str, Binding],
    fields: Mapping[str, Field],
    number: int,
) -> Candidate:
    """Return an `invariant` line as code; `number` tells it from others."""
    _refuse_effects(line.condition)
    vcpus = tuple(Local(v.value, VCPU) for v in line.vcpus)
    own = {v.name: BoundName(Scalar(Var(v), VCPU_POINTER)) for v in vcpus}
    name = f"<invariant {number}>"
    ctx = make_context(
        with_names(env, {**names, **own}, SPECIALS),
        name,
        line.span,
        dict(fields),
        observing=True,
    )
    ctx.emitter.reserve(v.name for v in vcpus)
    ctx.emitter.emit(Enter(line.span))
    condition = lower_truth(ctx, line.condition)
    ctx.emitter.emit(Assert(name, condition, (), "", "", line.span))
    code = clean_code(ctx.emitter.finish())
    _require_look(code, line.span)
    operation = Operation(name, Role.OBSERVE, Parameters(free=vcpus), code, line.span)
    return Candidate(operation, vcpus)


def _refuse_effects(condition: c.Expr) -> None:
    for node in walk(condition):
        match node:
            case c.AssignExpr() | c.Postfix() | c.UnaryExpr("++" | "--"):
                raise _refused(node.span, "changes something")
            case c.StatementExpr():
                raise _refused(node.span, "holds statements")
            case _:
                pass


def _require_look(code: tuple[Instr, ...], span: Span) -> None:
    """Refuse code that does more than look once at one state.

    Raises:
        InputError: it writes, asks who runs, speaks of all vCPUs at once, has a loop, or computes
            what an invariant cannot.
    """
    for i in code:
        match i:
            case Write():
                raise _refused(i.span or span, "changes something")
            case Holds():
                raise _refused(i.span or span, "asks who runs")
            case Every():
                raise _refused(i.span or span, "speaks of all vCPUs at once")
            case _:
                pass
        parts = [x for e in operand_expressions(i) for x in subexpressions_of(e)]
        if any(isinstance(x, (Self, HeldLocks)) for x in parts):
            raise _refused(i.span or span, "asks who runs")
        if any(isinstance(x, Binary) and x.op in UNTOLD for x in parts):
            raise _refused(i.span or span, "multiplies, divides or shifts to the left")
    if loops_of(code):
        raise _refused(span, "has a loop")


def _refused(span: Span, problem: str) -> InputError:
    return InputError(NotOfState(span=span, problem=problem))

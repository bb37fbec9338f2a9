"""The history variable: at which vCPU the flusher was when the claim first changed its record.

No code reads it, so it changes no run, whatever is put into it (Lemma L20 of docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.ir.code import Const, Field, FieldScope, Local
from flushproof.ir.invariant import Position
from flushproof.ir.program import Program
from flushproof.ir.types import INT
from flushproof.support.record import replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood
from flushproof.verify.proof_checker.execution import Region
from flushproof.verify.proof_checker.machine_state import StateTerms

NOTED = Field("noted:vcpu", "vCPU noted first", FieldScope.VM, INT, ghost=True)
NOWHERE = -1


def with_history(program: Program) -> Program:
    """Return a program that has the variable, which starts as no vCPU.

    Raises:
        NotUnderstood: it has such a field already.
    """
    if any(f.name == NOTED.name for f in program.fields):
        raise NotUnderstood(f"a field `{NOTED.name}`")
    start = (NOTED, Const(NOWHERE, INT))
    return replace(program, fields=(*program.fields, NOTED), boot=(*program.boot, start))


def update_history(
    program: Program,
    walkers: Mapping[Position, str],
    region: Region,
    before: StateTerms,
    after: StateTerms,
    locals_: Mapping[str, tuple[Local, str]],
) -> StateTerms:
    """Return the state after a step of the flusher, with what was noted.

    `walkers` says at which position which local has the vCPU that the flusher is at.
    """
    zero = t.make_constant(NOWHERE, INT)
    old = zero if region.start == 0 else before.fields[NOTED.name]
    walker = walkers.get(Position(region.operation.name, region.start))
    at = zero
    if walker is not None and walker in locals_:
        local, term = locals_[walker]
        at = t.convert_value(term, local.type, INT)
    record = [f.name for f in program.fields if f.ghost and f.scope is FieldScope.VM]
    changed = (
        t.negate_term(t.make_equality(after.fields[n], before.fields[n]))
        for n in record
        if n in before.fields and n != NOTED.name
    )
    first = t.all_of((t.any_of(changed), t.make_equality(old, zero)))
    return after.with_field(NOTED.name, t.make_choice(first, at, old))

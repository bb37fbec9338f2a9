"""The history variable: at which vCPU the flusher was when the claim first changed its record.

No code reads it, so it changes no run, whatever is put into it (Lemma L20 of docs/soundness.md).
"""

from __future__ import annotations

from flushproof.ir.code import Const, Field, FieldScope
from flushproof.ir.program import Program
from flushproof.ir.types import INT
from flushproof.support.record import replace
from flushproof.verify.proof_checker import terms as t
from flushproof.verify.proof_checker.code_paths import NotUnderstood
from flushproof.verify.proof_checker.machine_state import State

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


def update_history(program: Program, old: str, at: str, before: State, after: State) -> State:
    """Return the state after a step of the flusher from a vCPU `at`, where `old` was noted."""
    record = [f.name for f in program.fields if f.ghost and f.scope is FieldScope.VM]
    changed = t.any_of(t.make_difference(after[n], before[n]) for n in record if n in before)
    first = t.all_of((changed, t.make_equality(old, t.make_number(NOWHERE))))
    return {**after, NOTED.name: t.make_choice(first, at, old)}

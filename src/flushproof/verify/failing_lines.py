"""Which `invariant` lines fail in a run: a word to the user, on which no verdict rests.

Each line is asked as a claim of its own, of the moment at which everything is over, in a few random
runs. That nothing fails there says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter.random_runs import Attack
from flushproof.frontend.c import syntax as c
from flushproof.frontend.spec.syntax import ClaimSpec, Handler, InvariantDecl, Witness
from flushproof.machine.build import Machine
from flushproof.support.record import replace

RUNS = 30
"""So many runs are made of each line."""


def describe_failing_lines(machine: Machine) -> str:
    """Return which lines do not hold with every thread between calls; empty where none is seen."""
    places = [f"{x.span.file}:{x.span.line}" for x in _failing_lines(machine)]
    if not places:
        return ""
    return f"the `invariant` at {', '.join(places)} fails in a run, with all calls over"


def _failing_lines(machine: Machine) -> Iterator[InvariantDecl]:
    for number, line in enumerate(machine.setup.invariants):
        # What a claim keeps is nothing that another claim could look at.
        if line.claim is None and _fails(machine, _claim(line, f"invariant:{number}")):
            yield line


def _fails(machine: Machine, claim: ClaimSpec) -> bool:
    setup = replace(machine.setup, claims=(*machine.setup.claims, claim))
    program = replace(machine, setup=setup).with_claims((claim.name,))
    attack = Attack(program, setup.bounds.flushers)
    runs = (attack.run(seed) for seed in range(RUNS))
    return any(found is not None and found.claim == claim.name for found in runs)


def _claim(line: InvariantDecl, name: str) -> ClaimSpec:
    span = line.span
    call = c.CallExpr(c.Name("assert", span), (line.condition,), span)
    body = c.Block((c.ExprStatement(call, span),), span)
    return ClaimSpec(
        name=name,
        text="",
        witnesses=tuple(Witness("vcpu", v.value, v.span) for v in line.vcpus),
        ghosts=(),
        handlers=(Handler("end", "", (), "", body, span),),
        headline="",
        because="",
        span=span,
    )

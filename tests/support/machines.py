"""Machines, programs and plans, made once in a process: reading and lowering cost more than a look.

All of them are frozen, so that tests may share them.
"""

from __future__ import annotations

from functools import cache, lru_cache

from flushproof.engines.reduction.commutativity import ThreadCounts
from flushproof.engines.reduction.step_plan import StepPlan, make_plan
from flushproof.frontend.spec.resolve import from_spec, from_text, from_texts
from flushproof.ir.program import Program
from flushproof.machine.build import Machine, build_machine
from flushproof.support.source import Source
from support.places import SPECS


@cache
def machine_of(name: str) -> Machine:
    """Return the machine of `specs/NAME.spec`."""
    return build_machine(from_spec(str(SPECS / f"{name}.spec")))


@cache
def program_of(name: str, claim: str | None) -> Program:
    """Return the program of `specs/NAME.spec` with the monitor of one claim, or of none."""
    return machine_of(name).with_claims(() if claim is None else (claim,))


@cache
def plan_of(name: str, claim: str) -> StepPlan:
    """Return where threads may be interrupted, with one flusher and any number of vCPUs."""
    return make_plan(program_of(name, claim), ThreadCounts(None, 1))


@lru_cache(maxsize=64)
def machine_from(code: str, spec: str | None = None, name: str = "variant") -> Machine:
    """Return the machine of a text, under the text of a spec or under the built-in set-up."""
    variant = Source(f"{name}.c", code)
    if spec is None:
        return build_machine(from_text(variant, None))
    return build_machine(from_texts(variant, Source(f"{name}.spec", spec)))

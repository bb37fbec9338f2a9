"""What verdicts about a machine take for granted, in words."""

from __future__ import annotations

from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.program import Program, Role
from flushproof.machine.build import Machine
from flushproof.support.resources import PRELUDE


def list_assumptions(
    machine: Machine, watched: Program | None = None, *, loads_matter: bool = True
) -> tuple[str, ...]:
    """Return the assumptions in words; `watched` is the program with a claim, if any.

    What loads do to the TLB is left out where it does not matter.
    """
    given = machine.setup.assumptions
    out = []
    loads = any(not o.named for o in machine.base.of(Role.LOAD))
    if given.load_flushes and loads_matter and loads:
        out.append("a load flushes the vCPU's own TLB for its new root")
    if given.vcpu_roots_start_invalid:
        out.append("vCPU creation sets the root fields to INVALID_PAGE")
    eptp = machine.setup.declarations.functions.get("construct_eptp")
    shipped = eptp is not None and eptp.span.file == PRELUDE.name
    if shipped and infer_kinds(machine.base).split:
        out.append("the attribute bits of an EPT pointer depend on its root alone")
    unknown = (f for f in (watched or machine.base).witnesses if not f.ghost)
    out += [f"{f.label} has any value at boot" for f in unknown]
    return (*out, *machine.setup.assumed)

"""Claimed proofs written by hand: any facts, at every location that cuts allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from flushproof.ir.invariant import (
    CaseInvariant,
    ClaimedProof,
    CutPoint,
    Fact,
    FactComparison,
    FixedNumber,
    Location,
    Position,
)
from flushproof.ir.program import Program, Role
from flushproof.machine.build import Machine
from flushproof.verify.proof_checker.check import DefinedProgram
from flushproof.verify.unbounded_proofs import DefinedCode, ForAll
from support.machines import machine_from

SPEC = """\
spec own {{
	variant "own.c";
	operations {{ flush my_flush(kvm); load my_load(vcpu, root); }}
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	exempt x;
	exempt y;
	exempt a;
	assume load_flushes;
	claim it "it holds" {{
		{claim}
		headline "it fails";
		because "it";
	}}
}}
"""
CODE = """\
struct kvm_vmx {{ struct kvm kvm; spinlock_t l; rwlock_t rw; int x, y; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; int a; }};
int my_flush(struct kvm *kvm)
{{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i = 0, n = 0;

	{flush}
	return n + i;
}}
void my_load(struct kvm_vcpu *vcpu, unsigned long root)
{{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	int n = 0;

	{load}
}}
"""
FALSE: Fact = (FactComparison("==", FixedNumber(0), FixedNumber(1)),)


def own_machine(flush: str, load: str, claim: str) -> Machine:
    """Return a machine of the bodies of a flush and a load, with the claim `it`."""
    return machine_from(CODE.format(flush=flush, load=load), SPEC.format(claim=claim))


def defined_code(machine: Machine) -> DefinedProgram:
    """Return that the code proper does nothing undefined, honestly proved."""
    found = ForAll(machine, evidence=False).defined
    assert isinstance(found, DefinedCode), found
    return found.confirmed


def every_location(
    program: Program, cuts: Iterable[CutPoint], tracked: int = 1
) -> Iterator[Location]:
    """Yield wherever the flusher and the loads of some tracked vCPUs may be."""
    points = {c.at: c.boundary for c in cuts if c.at.at}
    operations = {o.name: o.role for o in program.operations}
    at: dict[Role, list[Position | None]] = {Role.FLUSH: [None], Role.LOAD: [None]}
    for p in points:
        at[operations[p.operation]].append(p)
    for flusher, *loads in product(at[Role.FLUSH], *[at[Role.LOAD]] * tracked):
        where = (flusher, *loads)
        inside = [k for k, p in enumerate(where) if p is not None and not points[p]]
        if len(inside) < 2:
            yield Location(flusher, tuple(loads), None, inside[0] if inside else None)


def claim_anything(
    program: Program,
    cuts: tuple[CutPoint, ...],
    values: tuple[tuple[str, Fact], ...] = (),
    tracked: tuple[str, ...] = ("",),
) -> ClaimedProof:
    """Return a proof that knows nothing at any location, but for facts about locals and fields."""
    facts = tuple((w, ()) for w in every_location(program, cuts, len(tracked)))
    return ClaimedProof(
        cuts,
        values,
        (CaseInvariant(tracked, False, False, (), (), facts),),
    )

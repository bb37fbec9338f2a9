"""A signed bit field of one bit holds 0 and -1, also where a condition is assigned to it."""

from __future__ import annotations

import pytest

from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int flag : 1; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
int flush(struct kvm *kvm, int a)
{
	to_kvm_vmx(kvm)->flag = a != 0;
	if (to_kvm_vmx(kvm)->flag == VALUE)
		hyperv_flush_guest_mapping(0);
	return 0;
}
void load(struct kvm_vcpu *vcpu, u64 root) { to_vmx(vcpu)->root = root; }
"""
SPEC = """\
spec bit {
	variant "bit.c";
	operations { flush flush(kvm, free); load load(vcpu, root); }
	bounds { vcpus 1; loads 0; flushes 1; }
	claim quiet "no hypercall" { on hypercall(x) { assert(x != 0); } headline "a hypercall"; }
}
"""


@pytest.mark.parametrize("engine", ["auto", "bounded"])
@pytest.mark.parametrize(("value", "fails"), [(-1, True), (0, True), (1, False)])
def test_values(engine: str, value: int, fails: bool) -> None:
    """If it held 1, a claim about what is done for -1 would be proved.

    Guards Lemma L3 of docs/soundness.md.
    """
    machine = machine_from(CODE.replace("VALUE", str(value)), SPEC)
    bounds = machine.setup.bounds
    (result,) = decide_claims(machine, Question(("quiet",), bounds, engine=engine, jobs=1))
    assert result.verdict is not Verdict.UNKNOWN
    assert (result.verdict is Verdict.REFUTED) is fails

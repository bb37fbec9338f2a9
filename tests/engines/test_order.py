"""When loads may be taken in a fixed order: a wrong answer here hides interleavings."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

HEAD = """\
struct kvm_vmx { struct kvm kvm; hpa_t hv_tlb_pgd; int last; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; hpa_t hv_tlb_pgd; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	int ret = 0;

	spin_lock(&vmx->lock);
	if (vmx->hv_tlb_pgd)
		ret = hyperv_flush_guest_mapping(vmx->hv_tlb_pgd);
	spin_unlock(&vmx->lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	struct kvm_vcpu *other;
	int i;

"""
LOADS = {
    "loop in the section": (
        "spin_lock(&vmx->lock); to_vmx(vcpu)->hv_tlb_pgd = root;"
        "kvm_for_each_vcpu(i, other, vcpu->kvm)"
        "{ if (to_vmx(other)->hv_tlb_pgd == root) vmx->hv_tlb_pgd = root; }"
        "spin_unlock(&vmx->lock);"
    ),
    "last one wins": "spin_lock(&vmx->lock); vmx->hv_tlb_pgd = root; spin_unlock(&vmx->lock);",
    "first one wins": (
        "spin_lock(&vmx->lock); if (!vmx->hv_tlb_pgd) vmx->hv_tlb_pgd = root;"
        "spin_unlock(&vmx->lock);"
    ),
    "two sections": (
        "spin_lock(&vmx->lock); vmx->last = vcpu->vcpu_id; spin_unlock(&vmx->lock);"
        "spin_lock(&vmx->lock); if (vmx->last == vcpu->vcpu_id) vmx->hv_tlb_pgd = root;"
        "spin_unlock(&vmx->lock);"
    ),
    "counts without the lock": "vmx->last++; if (vmx->last > 1) vmx->hv_tlb_pgd = root;",
}


def _machine(body: str) -> Machine:
    return machine_from(f"{HEAD}\t{body}\n}}\n")


@pytest.mark.sample(every=9)
@pytest.mark.parametrize("claim", ["coverage", "cache_sound", "no_repeat", "no_race"])
@pytest.mark.parametrize("name", list(LOADS))
def test_loads_that_do_not_commute(name: str, claim: str) -> None:
    """Loads whose order matters are explored in every order, as the enumerator does.

    Guards Lemma L14 of docs/soundness.md.
    """
    machine = _machine(LOADS[name])
    result = next(decide_claims(machine, Question((claim,), Bounds((1, 2), 1, 1, 1))))
    program = machine.with_claims((claim,))
    found = (n for n in (1, 2) if enumerate_claim(program, Sizes(n, 1, 1, 1), claim).found)
    assert result.smallest_vcpus == next(found, None)

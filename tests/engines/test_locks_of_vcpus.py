"""A lock in each vCPU: what it protects is proved for every number, and what it does not is not."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import NoProof
from flushproof.machine.build import Machine
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.machines import machine_from

CODE = """
struct kvm_vmx { struct kvm kvm; spinlock_t all; };
struct vcpu_vmx { struct kvm_vcpu vcpu; spinlock_t own; hpa_t root; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct vcpu_vmx *vmx, *first = to_vmx(kvm_get_vcpu(kvm, 0));
	int i, n = atomic_read(&kvm->online_vcpus), ret = 0;
	u64 root;

	for (i = 0; i < n && !ret; i++) {
		vmx = to_vmx(kvm_get_vcpu(kvm, i));
		FLUSH
		if (root && VALID_PAGE(root))
			ret = hyperv_flush_guest_mapping(root);
	}
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu), *first = to_vmx(kvm_get_vcpu(vcpu->kvm, 0));
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	LOAD
}
"""
READ = "spin_lock(&vmx->own); root = vmx->root; spin_unlock(&vmx->own);"
HALF = "vmx->root = 1; vmx->root = root;"
"""A root that has an attribute bit for a moment: bogus, if it is flushed then."""
OWN = f"spin_lock(&vmx->own); {HALF} spin_unlock(&vmx->own);"

FIRST = "that of vCPU 0 in both"
"""It holds, and is not proved: vCPU 0 is neither the one that is any nor the one looked at."""

CASES = {
    "its own": (READ, OWN, None),
    "tried for": (
        READ.replace("spin_lock(", "while (!spin_trylock(").replace("own); r", "own)); r"),
        OWN,
        None,
    ),
    "none in a load": (READ, HALF, 1),
    "none in a flush": ("root = vmx->root;", OWN, 1),
    "freed too early": (READ, OWN.replace("vmx->root = root;", "") + " vmx->root = root;", 1),
    "that of vCPU 0 in a flush": (READ.replace("vmx->own", "first->own"), OWN, 2),
    "that of vCPU 0 in a load": (READ, OWN.replace("vmx->own", "first->own"), 2),
    FIRST: (
        READ.replace("vmx->own", "first->own"),
        OWN.replace("vmx->own", "first->own"),
        None,
    ),
    "freed by another": (READ, f"spin_unlock(&first->own); {OWN}", 1),
    "one for all in a load": (READ, OWN.replace("vmx->own", "kvm_vmx->all"), 1),
}
"""What flush and load do, and for how few vCPUs a bogus hypercall is found."""


def _machine(flush: str, load: str) -> Machine:
    return machine_from(CODE.replace("FLUSH", flush).replace("LOAD", load))


def _proof(machine: Machine, claim: str) -> Evidence | NoProof:
    """Look for a proof for every number of vCPUs."""
    forall = ForAll(machine, evidence=False)
    program = machine.with_claims((claim,))
    return forall.prove_claim(claim, program)


@pytest.mark.sample("none in a load")
@pytest.mark.parametrize("name", CASES)
def test_what_a_lock_protects(name: str) -> None:
    """The lock of one vCPU keeps nobody from another: to take it for one lock would be unsound.

    Guards Lemma L18 of docs/soundness.md.
    """
    flush, load, least = CASES[name]
    machine = _machine(flush, load)
    proved = least is None and name != FIRST
    assert isinstance(_proof(machine, "no_bogus"), Evidence) == proved
    for n in (1, 2):
        found = enumerate_claim(machine.with_claims(("no_bogus",)), Sizes(n, 1, 1), "no_bogus")
        assert found.found is None or (least is not None and least <= n)
        assert found.found is not None or least is None or least > n


@pytest.mark.parametrize("claim", ["lock_balanced", "no_race", "no_deadlock"])
def test_what_speaks_of_all_locks_is_not_proved(claim: str) -> None:
    """As many locks as there are vCPUs fit into no set of locks, and no order of them is known."""
    assert isinstance(_proof(_machine(READ, OWN), claim), NoProof)

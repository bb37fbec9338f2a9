"""Counters that stop at a number of the code: they fit as far as their type goes, no farther."""

from __future__ import annotations

import pytest

from flushproof.engines.outcome import NoProof
from flushproof.engines.unbounded.thresholds import find_largest_threshold
from flushproof.verify.unbounded_proofs import ForAll
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{ struct kvm kvm; spinlock_t lock; {type} used; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; hpa_t root; }};

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	int ret = 1;

	spin_lock(&k->lock);
	if (k->used < {limit}) {{
		k->used++;
		ret = 0;
	}}
	spin_unlock(&k->lock);
	return ret;
}}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{{
	to_vmx(vcpu)->root = root;
}}
"""


@pytest.mark.parametrize(
    ("type_", "limit", "fits"),
    [
        ("u32", 3, True),
        ("u32", 12, True),
        ("u8", 40, True),
        ("signed char", 64, True),
        ("signed char", 128, False),
        ("u8", 256, False),
    ],
)
def test_a_counter_fits_up_to_its_threshold(type_: str, limit: int, fits: bool) -> None:
    """A sum that leaves its type must not be taken for one that fits, and few are in doubt."""
    machine = machine_from(CODE.format(type=type_, limit=limit))
    defined = ForAll(machine, evidence=False).defined
    assert isinstance(defined, NoProof) != fits


@pytest.mark.parametrize(("limit", "found"), [(2, 4), (40, 40), (64, 64), (65, 4)])
def test_only_small_numbers_are_thresholds(limit: int, found: int) -> None:
    """Limits of types would make small domains large, and searches slow."""
    program = machine_from(CODE.format(type="u32", limit=limit)).with_claims(())
    assert find_largest_threshold(program) == found

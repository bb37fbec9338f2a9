"""What a VM and a vCPU have beside what a file adds: their number, and what others change."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options

STRUCTS = """
struct kvm_vmx { struct kvm kvm; int seen; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
"""
CODE = """
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, i, n;

	spin_lock(&vm->lock);
	n = {number};
	for (i = 0; i < n; i++) {{
		vcpu = kvm_get_vcpu(kvm, i);
		if (vcpu && VALID_PAGE(to_vmx(vcpu)->root) && {test})
			ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->root);
	}}
	spin_unlock(&vm->lock);
	return ret;
}}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{{
	spin_lock(&to_kvm_vmx(vcpu->kvm)->lock);
	to_vmx(vcpu)->root = root;
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->lock);
}}
"""
COUNT = "atomic_read(&kvm->online_vcpus)"


def verdict(folder: Path, number: str = COUNT, test: str = "1", before: str = STRUCTS) -> Verdict:
    """Decide whether a flush that walks some number of vCPUs reaches all of them."""
    path = folder / "own.c"
    path.write_text(before + CODE.format(number=number, test=test))
    options = Options(claims=("coverage",), vcpus=(1, 3), loads=1, flushes=1, engine="bounded")
    (result,) = pipeline.prove(str(path), None, options, lambda _: None).results
    return result.verdict


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (COUNT, Verdict.BOUNDED),
        ("READ_ONCE(kvm->online_vcpus.counter)", Verdict.BOUNDED),
        ("kvm->created_vcpus", Verdict.BOUNDED),
        ("vm->kvm.created_vcpus", Verdict.BOUNDED),
        (f"{COUNT} - 1", Verdict.REFUTED),
        ("vm->seen", Verdict.REFUTED),
    ],
)
def test_how_many_vcpus_there_are(number: str, expected: Verdict, tmp_path: Path) -> None:
    """A count that is free, or zero, makes other loops than the kernel's."""
    assert verdict(tmp_path, number) is expected


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("vcpu->vcpu_idx == i", Verdict.BOUNDED),
        ("vcpu->mode == OUTSIDE_GUEST_MODE", Verdict.REFUTED),
        ("READ_ONCE(vcpu->mode) == IN_GUEST_MODE", Verdict.REFUTED),
        ("!vcpu->requests", Verdict.REFUTED),
        ("vcpu->cpu >= 0", Verdict.REFUTED),
        ("(vcpu->cpu >= 0 || vcpu->cpu < 0)", Verdict.REFUTED),
        ("((vcpu->mode = 1) || 1) && vcpu->mode == 1", Verdict.REFUTED),
    ],
)
def test_what_others_change(test: str, expected: Verdict, tmp_path: Path) -> None:
    """What code outside of the model sets has no value that a proof may rest on."""
    assert verdict(tmp_path, test=test) is expected


@pytest.mark.parametrize(
    ("before", "number", "said"),
    [
        (STRUCTS, "kvm->online_vcpus.counter", "`online_vcpus`, but for reading it"),
        (STRUCTS, "atomic_inc_return(&kvm->online_vcpus)", "`online_vcpus`, but for reading it"),
        (STRUCTS, "(kvm->created_vcpus = 1)", "cannot be assigned"),
        (STRUCTS.replace("int seen;", "int seen; atomic_t online_vcpus;")
         + "struct kvm { struct kvm_arch arch; atomic_t online_vcpus; };",
         COUNT, "of the VM and of another struct"),
    ],
)  # fmt: skip
def test_the_number_stays(before: str, number: str, said: str, tmp_path: Path) -> None:
    """No vCPU comes or goes, so nothing may change how many there are."""
    with pytest.raises(InputError) as caught:
        verdict(tmp_path, number, before=before)
    assert said in caught.value.diagnostics[0].title


def test_members_of_its_own(tmp_path: Path) -> None:
    """A file's own member is no count, and what it says of a vCPU holds."""
    own = STRUCTS.replace("int seen;", "atomic_t online_vcpus;")
    assert verdict(tmp_path, "atomic_read(&vm->online_vcpus)", before=own) is Verdict.REFUTED
    own = STRUCTS.replace("struct kvm_vcpu vcpu;", "struct kvm_vcpu vcpu; int mode;")
    assert verdict(tmp_path, test="!to_vmx(vcpu)->mode", before=own) is Verdict.BOUNDED

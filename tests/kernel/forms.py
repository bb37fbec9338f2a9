"""A small kernel file whose flush leaves vCPUs out on a condition, which its load resets."""

from __future__ import annotations

from flushproof.support.record import Record

TEXT = """#include <linux/kvm_host.h>
#include <asm/mshyperv.h>

BEFORE
struct kvm_vmx {
	struct kvm kvm;
	MEMBERS
	int other;
	struct list_head node;
	spinlock_t ept_pointer_lock;
};
struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	OF_VCPU
	hpa_t hv_tlb_pgd;
};
BETWEEN
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	u64 root;
	int ret = 0, i;

	spin_lock(&vm->ept_pointer_lock);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		root = to_vmx(vcpu)->hv_tlb_pgd;
		if (!VALID_PAGE(root))
			continue;
		READS
		ret |= hyperv_flush_guest_mapping(root);
	}
	spin_unlock(&vm->ept_pointer_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	spin_lock(&vm->ept_pointer_lock);
	vmx->hv_tlb_pgd = root;
	RESETS
	WRITES
	spin_unlock(&vm->ept_pointer_lock);
}
AFTER
"""


class Form(Record, frozen=True):
    """What is put into the file."""

    writes: str
    before: str = ""
    between: str = ""
    after: str = ""
    members: str = "bool skip;"
    of_vcpu: str = "int mark;"
    reads: str = "if (vm->skip) continue;"
    resets: str = "vm->skip = false;"

    @property
    def text(self) -> str:
        """The file."""
        places = {
            "BEFORE": self.before,
            "MEMBERS": self.members,
            "OF_VCPU": self.of_vcpu,
            "BETWEEN": self.between,
            "READS": self.reads,
            "RESETS": self.resets,
            "WRITES": self.writes,
            "AFTER": self.after,
        }
        text = TEXT
        for word, code in places.items():
            text = text.replace(word, code)
        return text

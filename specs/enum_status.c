// SPDX-License-Identifier: GPL-2.0
/*
 * A three-valued status says whether all vCPUs share one EPT pointer.  There
 * is no cached pointer: when the status says "match", vCPU 0 stands for all.
 */

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,		/* a load happened, nothing is known */
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct kvm_vmx {
	struct kvm kvm;

	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	u64 ept_pointer;
};

/* Compare the pointers of all vCPUs and set the status; the lock is held. */
static void check_ept_pointer_match(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	u64 common = INVALID_PAGE;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!VALID_PAGE(common)) {
			common = to_vmx(vcpu)->ept_pointer;
		} else if (common != to_vmx(vcpu)->ept_pointer) {
			to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_MISMATCH;
			return;
		}
	}

	to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_MATCH;
}

static inline int hv_remote_flush_eptp(u64 eptp, struct kvm_tlb_range *range)
{
	/* The hypervisor wants the address of the root table, no more. */
	if (range)
		return hyperv_flush_guest_mapping_range(eptp & PAGE_MASK,
				kvm_fill_hv_flush_list_func, (void *)range);

	return hyperv_flush_guest_mapping(eptp & PAGE_MASK);
}

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	u64 eptp;
	int ret = 0, i;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (kvm_vmx->ept_pointers_match == EPT_POINTERS_CHECK)
		check_ept_pointer_match(kvm);

	if (kvm_vmx->ept_pointers_match != EPT_POINTERS_MATCH) {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			eptp = to_vmx(vcpu)->ept_pointer;

			/* A vCPU that has loaded nothing needs no flush. */
			if (VALID_PAGE(eptp))
				ret |= hv_remote_flush_eptp(eptp, range);
		}
	} else {
		vcpu = kvm_get_vcpu(kvm, 0);
		ret = hv_remote_flush_eptp(to_vmx(vcpu)->ept_pointer, range);
	}

	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);
	u64 eptp = construct_eptp(vcpu, root, level);

	vmcs_write64(EPT_POINTER, eptp);

	spin_lock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->ept_pointer = eptp;
	kvm_vmx->ept_pointers_match = EPT_POINTERS_CHECK;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}

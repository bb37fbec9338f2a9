// SPDX-License-Identifier: GPL-2.0
/*
 * The status is kept, and next to it the VM remembers the common EPT pointer,
 * which also lets the walk skip vCPUs that use the first pointer it met.
 */

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,		/* a load happened, nothing is known */
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_eptp;
	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	u64 ept_pointer;
};

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

	if (kvm_vmx->ept_pointers_match != EPT_POINTERS_MATCH) {
		/* Assume a match until a second valid pointer turns up. */
		kvm_vmx->ept_pointers_match = EPT_POINTERS_MATCH;
		kvm_vmx->hv_tlb_eptp = INVALID_PAGE;

		kvm_for_each_vcpu(i, vcpu, kvm) {
			eptp = to_vmx(vcpu)->ept_pointer;
			if (!VALID_PAGE(eptp) || eptp == kvm_vmx->hv_tlb_eptp)
				continue;

			if (!VALID_PAGE(kvm_vmx->hv_tlb_eptp))
				kvm_vmx->hv_tlb_eptp = eptp;
			else
				kvm_vmx->ept_pointers_match = EPT_POINTERS_MISMATCH;

			ret |= hv_remote_flush_eptp(eptp, range);
		}
	} else if (VALID_PAGE(kvm_vmx->hv_tlb_eptp)) {
		ret = hv_remote_flush_eptp(kvm_vmx->hv_tlb_eptp, range);
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

// SPDX-License-Identifier: GPL-2.0
/*
 * The flag again.  A load of the pointer that the vCPU has already has nothing to
 * change, and returns at once.
 */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_eptp;
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
	bool mismatch;
	u64 eptp;
	int ret = 0, i;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (!VALID_PAGE(kvm_vmx->hv_tlb_eptp)) {
		mismatch = false;

		kvm_for_each_vcpu(i, vcpu, kvm) {
			eptp = to_vmx(vcpu)->ept_pointer;
			if (!VALID_PAGE(eptp) || eptp == kvm_vmx->hv_tlb_eptp)
				continue;

			if (!VALID_PAGE(kvm_vmx->hv_tlb_eptp))
				kvm_vmx->hv_tlb_eptp = eptp;
			else
				mismatch = true;

			ret |= hv_remote_flush_eptp(eptp, range);
		}

		/* The first pointer was kept so far only to skip its equals. */
		if (mismatch)
			kvm_vmx->hv_tlb_eptp = INVALID_PAGE;
	} else {
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
	if (to_vmx(vcpu)->ept_pointer == eptp)
		return;

	to_vmx(vcpu)->ept_pointer = eptp;
	kvm_vmx->hv_tlb_eptp = INVALID_PAGE;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}

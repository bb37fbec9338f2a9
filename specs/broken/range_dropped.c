// SPDX-License-Identifier: GPL-2.0
/*
 * Only the first page of a range makes it into the list for the hypercall.
 */

struct kvm_vmx {
	struct kvm kvm;

	spinlock_t ept_pointer_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	u64 ept_pointer;
};

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	u64 root;
	struct kvm_tlb_range first;
	int ret = 0, i;

	spin_lock(&kvm_vmx->ept_pointer_lock);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		root = to_vmx(vcpu)->ept_pointer & PAGE_MASK;
		if (!VALID_PAGE(to_vmx(vcpu)->ept_pointer))
			continue;

		if (range) {
			first.start_gfn = range->start_gfn;
			first.pages = 1;
			ret |= hyperv_flush_guest_mapping_range(root,
					kvm_fill_hv_flush_list_func, (void *)&first);
		} else {
			ret |= hyperv_flush_guest_mapping(root);
		}
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
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}

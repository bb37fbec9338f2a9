// SPDX-License-Identifier: GPL-2.0
/*
 * The counter again.  The load drops the cached root under the lock, and stores
 * the new one after it, since only this vCPU writes there.
 */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_pgd;
	spinlock_t ept_pointer_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	hpa_t hv_tlb_pgd;
};

static inline int hv_remote_flush_pgd(u64 root, struct kvm_tlb_range *range)
{
	if (range)
		return hyperv_flush_guest_mapping_range(root,
				kvm_fill_hv_flush_list_func, (void *)range);

	return hyperv_flush_guest_mapping(root);
}

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, nr_roots, i;
	u64 root;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (!VALID_PAGE(kvm_vmx->hv_tlb_pgd)) {
		nr_roots = 0;

		kvm_for_each_vcpu(i, vcpu, kvm) {
			root = to_vmx(vcpu)->hv_tlb_pgd;
			if (!VALID_PAGE(root) || root == kvm_vmx->hv_tlb_pgd)
				continue;

			if (++nr_roots == 1)
				kvm_vmx->hv_tlb_pgd = root;

			if (!ret)
				ret = hv_remote_flush_pgd(root, range);

			/*
			 * After a failure the rest of the walk only counts,
			 * and two roots are all it needs to know about.
			 */
			if (ret && nr_roots > 1)
				break;
		}

		if (nr_roots > 1)
			kvm_vmx->hv_tlb_pgd = INVALID_PAGE;
	} else {
		ret = hv_remote_flush_pgd(kvm_vmx->hv_tlb_pgd, range);
	}

	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level));

	spin_lock(&kvm_vmx->ept_pointer_lock);
	kvm_vmx->hv_tlb_pgd = INVALID_PAGE;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->hv_tlb_pgd = root;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A first pass looks for a root that all loaded vCPUs share.
 * A second flushes each root it finds where there is none.
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

/* Return the root of all loaded vCPUs, INVALID_PAGE if there is none or they differ. */
static u64 common_root(struct kvm *kvm)
{
	u64 root, common = INVALID_PAGE;
	int i, n = atomic_read(&kvm->online_vcpus);

	for (i = 0; i < n; i++) {
		root = to_vmx(kvm_get_vcpu(kvm, i))->hv_tlb_pgd;
		if (!VALID_PAGE(root) || root == common)
			continue;
		if (VALID_PAGE(common))
			return INVALID_PAGE;
		common = root;
	}
	return common;
}

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	int i, n = atomic_read(&kvm->online_vcpus), ret = 0;
	u64 root;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (!VALID_PAGE(kvm_vmx->hv_tlb_pgd))
		kvm_vmx->hv_tlb_pgd = common_root(kvm);

	if (VALID_PAGE(kvm_vmx->hv_tlb_pgd)) {
		ret = hv_remote_flush_pgd(kvm_vmx->hv_tlb_pgd, range);
	} else {
		for (i = 0; i < n && !ret; i++) {
			root = to_vmx(kvm_get_vcpu(kvm, i))->hv_tlb_pgd;
			if (VALID_PAGE(root))
				ret = hv_remote_flush_pgd(root, range);
		}
	}

	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level));

	spin_lock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->hv_tlb_pgd = root;
	kvm_vmx->hv_tlb_pgd = INVALID_PAGE;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}

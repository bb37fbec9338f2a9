// SPDX-License-Identifier: GPL-2.0
/*
 * A load first takes its vCPU out of the walk, and puts it back with the new root.
 */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_pgd;
	bool hv_tlb_pgd_valid;
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

static bool seen_before(struct kvm *kvm, int i, u64 root)
{
	int j;

	for (j = 0; j < i; j++) {
		if (to_vmx(kvm_get_vcpu(kvm, j))->hv_tlb_pgd == root)
			return true;
	}
	return false;
}

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	int i, n = atomic_read(&kvm->online_vcpus);
	int ret = 0, nr_roots;
	u64 root;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (!kvm_vmx->hv_tlb_pgd_valid) {
		nr_roots = 0;
		for (i = 0; i < n; i++) {
			root = to_vmx(kvm_get_vcpu(kvm, i))->hv_tlb_pgd;
			if (!VALID_PAGE(root) || seen_before(kvm, i, root))
				continue;

			if (++nr_roots == 1)
				kvm_vmx->hv_tlb_pgd = root;
			if (!ret)
				ret = hv_remote_flush_pgd(root, range);
		}
		kvm_vmx->hv_tlb_pgd_valid = nr_roots == 1;
	} else {
		ret = hv_remote_flush_pgd(kvm_vmx->hv_tlb_pgd, range);
	}

	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->hv_tlb_pgd = INVALID_PAGE;
	kvm_vmx->hv_tlb_pgd_valid = false;
	spin_unlock(&kvm_vmx->ept_pointer_lock);

	vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level));

	spin_lock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->hv_tlb_pgd = root;
	kvm_vmx->hv_tlb_pgd_valid = false;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}

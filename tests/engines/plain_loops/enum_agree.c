// SPDX-License-Identifier: GPL-2.0
/*
 * A status says whether all loaded vCPUs agree on one root.
 * It is worked out as the roots are flushed.
 */

enum roots_status {
	ROOTS_NONE,
	ROOTS_AGREE,
	ROOTS_DIFFER
};

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_pgd;
	enum roots_status status;
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
	int i, n = atomic_read(&kvm->online_vcpus), ret = 0;
	u64 root;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (kvm_vmx->status == ROOTS_AGREE) {
		ret = hv_remote_flush_pgd(kvm_vmx->hv_tlb_pgd, range);
		goto out;
	}

	kvm_vmx->status = ROOTS_NONE;
	for (i = 0; i < n; i++) {
		root = to_vmx(kvm_get_vcpu(kvm, i))->hv_tlb_pgd;
		if (!VALID_PAGE(root))
			continue;
		if (kvm_vmx->status == ROOTS_NONE) {
			kvm_vmx->hv_tlb_pgd = root;
			kvm_vmx->status = ROOTS_AGREE;
		} else if (root == kvm_vmx->hv_tlb_pgd) {
			continue;
		} else {
			kvm_vmx->status = ROOTS_DIFFER;
		}
		if (!ret)
			ret = hv_remote_flush_pgd(root, range);
	}
out:

	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level));

	spin_lock(&kvm_vmx->ept_pointer_lock);
	to_vmx(vcpu)->hv_tlb_pgd = root;
	kvm_vmx->status = ROOTS_NONE;
	spin_unlock(&kvm_vmx->ept_pointer_lock);
}

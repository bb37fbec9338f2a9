// SPDX-License-Identifier: GPL-2.0
/*
 * Loads do not keep each other out, they are readers; the walk is the writer.
 * The cached root is used without any lock, so it is published as a whole.
 */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_pgd;
	rwlock_t pgd_lock;
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
	u64 root, common = READ_ONCE(kvm_vmx->hv_tlb_pgd);
	struct kvm_vcpu *vcpu;
	int ret = 0, nr_roots = 0, i;

	if (VALID_PAGE(common))
		return hv_remote_flush_pgd(common, range);

	write_lock(&kvm_vmx->pgd_lock);

	kvm_for_each_vcpu(i, vcpu, kvm) {
		root = READ_ONCE(to_vmx(vcpu)->hv_tlb_pgd);
		if (!VALID_PAGE(root) || root == common)
			continue;

		if (++nr_roots == 1)
			common = root;

		if (!ret)
			ret = hv_remote_flush_pgd(root, range);
		if (ret && nr_roots > 1)
			break;
	}

	/* Nobody may see the root before it is known to be the only one. */
	if (nr_roots == 1)
		cmpxchg(&kvm_vmx->hv_tlb_pgd, INVALID_PAGE, common);

	write_unlock(&kvm_vmx->pgd_lock);
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level));

	read_lock(&kvm_vmx->pgd_lock);
	WRITE_ONCE(to_vmx(vcpu)->hv_tlb_pgd, root);
	WRITE_ONCE(kvm_vmx->hv_tlb_pgd, INVALID_PAGE);
	read_unlock(&kvm_vmx->pgd_lock);
}

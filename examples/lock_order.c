// SPDX-License-Identifier: GPL-2.0
/*
 * A lock for the cached root and one for the roots of the vCPUs.  The flush
 * takes them in one order, the load in the other.
 */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t hv_tlb_pgd;
	spinlock_t cache_lock;
	spinlock_t roots_lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	hpa_t hv_tlb_pgd;
};

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	u64 root;
	int ret = 0;

	spin_lock(&kvm_vmx->cache_lock);
	spin_lock(&kvm_vmx->roots_lock);
	root = to_vmx(kvm_get_vcpu(kvm, 0))->hv_tlb_pgd;
	spin_unlock(&kvm_vmx->roots_lock);

	kvm_vmx->hv_tlb_pgd = root;
	if (VALID_PAGE(root))
		ret = hyperv_flush_guest_mapping(root);
	spin_unlock(&kvm_vmx->cache_lock);

	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&kvm_vmx->roots_lock);
	to_vmx(vcpu)->hv_tlb_pgd = root;

	spin_lock(&kvm_vmx->cache_lock);
	kvm_vmx->hv_tlb_pgd = INVALID_PAGE;
	spin_unlock(&kvm_vmx->cache_lock);
	spin_unlock(&kvm_vmx->roots_lock);
}

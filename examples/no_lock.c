// SPDX-License-Identifier: GPL-2.0
/*
 * The flush takes the lock and the load does not: a load between two lines of
 * a flush is undone by the second one.
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

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	u64 root;
	int ret = 0;

	spin_lock(&kvm_vmx->ept_pointer_lock);
	if (!VALID_PAGE(kvm_vmx->hv_tlb_pgd)) {
		root = to_vmx(kvm_get_vcpu(kvm, 0))->hv_tlb_pgd;
		kvm_vmx->hv_tlb_pgd = root;
	}
	if (VALID_PAGE(kvm_vmx->hv_tlb_pgd))
		ret = hyperv_flush_guest_mapping(kvm_vmx->hv_tlb_pgd);
	spin_unlock(&kvm_vmx->ept_pointer_lock);

	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	to_vmx(vcpu)->hv_tlb_pgd = root;
	to_kvm_vmx(vcpu->kvm)->hv_tlb_pgd = INVALID_PAGE;
}

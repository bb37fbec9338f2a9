// SPDX-License-Identifier: GPL-2.0
/* The shapes of 5.13, with the headers left out: a cached root, zero until the first load. */
#include "vmx.h"
#include <asm/absent.h>

static int flush_root(hpa_t root, struct kvm_tlb_range *range)
{
	return range ? hyperv_flush_guest_mapping_range(root, kvm_fill_hv_flush_list_func,
							(void *)range)
		     : hyperv_flush_guest_mapping(root);
}

static int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *all = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, roots = 0;
	unsigned long i;

	spin_lock(&all->hv_root_ept_lock);
	if (VALID_PAGE(all->hv_root_ept)) {
		ret = flush_root(all->hv_root_ept, range);
		goto out;
	}
	kvm_for_each_vcpu(i, vcpu, kvm) {
		hpa_t root = to_vmx(vcpu)->hv_root_ept;

		if (!VALID_PAGE(root) || root == all->hv_root_ept)
			continue;
		if (roots++ == 0)
			all->hv_root_ept = root;
		ret = ret ?: flush_root(root, range);
	}
	if (roots > 1)
		all->hv_root_ept = INVALID_PAGE;
out:
	spin_unlock(&all->hv_root_ept_lock);
	return ret;
}

static void hv_track_root_ept(struct kvm_vcpu *vcpu, hpa_t root)
{
	struct kvm_vmx *all = to_kvm_vmx(vcpu->kvm);

	if (kvm_x86_ops.tlb_remote_flush != hv_remote_flush_tlb)
		return;
	spin_lock(&all->hv_root_ept_lock);
	to_vmx(vcpu)->hv_root_ept = root;
	if (all->hv_root_ept != root)
		all->hv_root_ept = INVALID_PAGE;
	spin_unlock(&all->hv_root_ept_lock);
}

static void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root, int level)
{
	if (enable_ept)
		hv_track_root_ept(vcpu, root);
	vmcs_writel(GUEST_CR3, root | kvm_get_active_pcid(vcpu));
}

static int hv_remote_flush_tlb(struct kvm *kvm)
{
	return hv_remote_flush_tlb_with_range(kvm, NULL);
}

// SPDX-License-Identifier: GPL-2.0
#include <asm/kvm_host.h>
#include "kvm_onhyperv.h"

static int flush_root(hpa_t root, struct kvm_tlb_range *range)
{
	if (!range)
		return hyperv_flush_guest_mapping(root);
	return hyperv_flush_guest_mapping_range(root, kvm_fill_hv_flush_list_func, (void *)range);
}

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_arch *arch = &kvm->arch;
	struct kvm_vcpu *vcpu;
	int ret = 0, distinct = 0;
	unsigned long i;
	hpa_t root;

	spin_lock(&arch->hv_root_tdp_lock);
	if (VALID_PAGE(arch->hv_root_tdp)) {
		ret = flush_root(arch->hv_root_tdp, range);
		goto out;
	}

	kvm_for_each_vcpu(i, vcpu, kvm) {
		root = vcpu->arch.hv_root_tdp;
		if (!VALID_PAGE(root) || arch->hv_root_tdp == root)
			continue;
		distinct++;
		if (distinct == 1)
			arch->hv_root_tdp = root;
		if (!ret)
			ret = flush_root(root, range);
	}
	if (distinct > 1)
		arch->hv_root_tdp = INVALID_PAGE;
out:
	spin_unlock(&arch->hv_root_tdp_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(hv_remote_flush_tlb_with_range);

int hv_remote_flush_tlb(struct kvm *kvm)
{
	return hv_remote_flush_tlb_with_range(kvm, NULL);
}
EXPORT_SYMBOL_GPL(hv_remote_flush_tlb);

void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root)
{
	struct kvm_arch *arch = &vcpu->kvm->arch;

	if (kvm_x86_ops.tlb_remote_flush == hv_remote_flush_tlb) {
		spin_lock(&arch->hv_root_tdp_lock);
		vcpu->arch.hv_root_tdp = root;
		if (arch->hv_root_tdp != root)
			arch->hv_root_tdp = INVALID_PAGE;
		spin_unlock(&arch->hv_root_tdp_lock);
	}
}
EXPORT_SYMBOL_GPL(hv_track_root_tdp);

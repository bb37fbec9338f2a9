// SPDX-License-Identifier: GPL-2.0-only
/* The shapes of the newest generation: a walk that ends after a failure and a second root. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <asm/mshyperv.h>

#include "hyperv.h"
#include "kvm_onhyperv.h"

struct kvm_hv_tlb_range {
	u64 start_gfn;
	u64 pages;
};

static int fill_list(struct hv_guest_mapping_flush_list *flush, void *data)
{
	struct kvm_hv_tlb_range *range = data;

	return hyperv_fill_flush_guest_mapping_list(flush, range->start_gfn, range->pages);
}

static inline int flush_root(hpa_t root, struct kvm_hv_tlb_range *range)
{
	if (range)
		return hyperv_flush_guest_mapping_range(root, fill_list, (void *)range);

	return hyperv_flush_guest_mapping(root);
}

static int __hv_flush_remote_tlbs_range(struct kvm *kvm,
					struct kvm_hv_tlb_range *range)
{
	struct kvm_arch *arch = &kvm->arch;
	struct kvm_vcpu *vcpu;
	int ret = 0, roots = 0;
	unsigned long i;

	spin_lock(&arch->hv_root_tdp_lock);

	if (VALID_PAGE(arch->hv_root_tdp)) {
		ret = flush_root(arch->hv_root_tdp, range);
		spin_unlock(&arch->hv_root_tdp_lock);
		return ret;
	}

	kvm_for_each_vcpu(i, vcpu, kvm) {
		hpa_t root = vcpu->arch.hv_root_tdp;

		if (!VALID_PAGE(root) || root == arch->hv_root_tdp)
			continue;

		/* The first one stays for the rest of the walk. */
		if (++roots == 1)
			arch->hv_root_tdp = root;

		if (!ret)
			ret = flush_root(root, range);

		if (ret && roots > 1)
			break;
	}

	if (roots > 1)
		arch->hv_root_tdp = INVALID_PAGE;

	spin_unlock(&arch->hv_root_tdp_lock);
	return ret;
}

int hv_flush_remote_tlbs_range(struct kvm *kvm, gfn_t start_gfn, gfn_t nr_pages)
{
	struct kvm_hv_tlb_range range = {
		.start_gfn = start_gfn,
		.pages = nr_pages,
	};

	return __hv_flush_remote_tlbs_range(kvm, &range);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(hv_flush_remote_tlbs_range);

int hv_flush_remote_tlbs(struct kvm *kvm)
{
	return __hv_flush_remote_tlbs_range(kvm, NULL);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(hv_flush_remote_tlbs);

void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root_tdp)
{
	struct kvm_arch *arch = &vcpu->kvm->arch;

	if (kvm_x86_ops.flush_remote_tlbs != hv_flush_remote_tlbs)
		return;

	spin_lock(&arch->hv_root_tdp_lock);
	vcpu->arch.hv_root_tdp = root_tdp;
	if (root_tdp != arch->hv_root_tdp)
		arch->hv_root_tdp = INVALID_PAGE;
	spin_unlock(&arch->hv_root_tdp_lock);
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(hv_track_root_tdp);

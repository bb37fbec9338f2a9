// SPDX-License-Identifier: GPL-2.0-only
/* The shapes of the middle of the second generation: ranges, a table that is a pointer. */
#include <linux/module.h>
#include "vmx.h"

bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, S_IRUGO);

static const struct { const char *option; bool for_parse; } options[] = {
	[0] = { "auto", true },
	[1] = { "never", true },
};

#if IS_ENABLED(CONFIG_HYPERV)
static void all_alike(struct kvm *kvm)
{
	enum ept_pointers_status *status = &to_kvm_vmx(kvm)->ept_pointers_match;
	u64 pointer = INVALID_PAGE;
	struct kvm_vcpu *vcpu;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!VALID_PAGE(pointer)) {
			pointer = to_vmx(vcpu)->ept_pointer;
		} else if (pointer != to_vmx(vcpu)->ept_pointer) {
			*status = EPT_POINTERS_MISMATCH;
			return;
		}
	}

	*status = EPT_POINTERS_MATCH;
}

static int kvm_fill_hv_flush_list_func(struct hv_guest_mapping_flush_list *flush, void *data)
{
	struct kvm_tlb_range *range = data;

	return hyperv_fill_flush_guest_mapping_list(flush, range->start_gfn, range->pages);
}

static inline int flush_pointer_of(struct kvm *kvm, struct kvm_vcpu *vcpu,
				   struct kvm_tlb_range *range)
{
	u64 ept_pointer = to_vmx(vcpu)->ept_pointer;

	if (!range)
		return hyperv_flush_guest_mapping(ept_pointer & PAGE_MASK);

	return hyperv_flush_guest_mapping_range(ept_pointer & PAGE_MASK,
						kvm_fill_hv_flush_list_func, (void *)range);
}

static int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vcpu *vcpu;
	int ret = 0, i;

	spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);

	if (to_kvm_vmx(kvm)->ept_pointers_match == EPT_POINTERS_CHECK)
		all_alike(kvm);

	if (to_kvm_vmx(kvm)->ept_pointers_match == EPT_POINTERS_MATCH) {
		ret = flush_pointer_of(kvm, kvm_get_vcpu(kvm, 0), range);
	} else {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			/* One that never ran has nothing to flush. */
			if (VALID_PAGE(to_vmx(vcpu)->ept_pointer))
				ret |= flush_pointer_of(kvm, vcpu, range);
		}
	}

	spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
	return ret;
}

static int hv_remote_flush_tlb(struct kvm *kvm)
{
	return hv_remote_flush_tlb_with_range(kvm, NULL);
}
#endif /* IS_ENABLED(CONFIG_HYPERV) */

void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	struct kvm *kvm = vcpu->kvm;
	unsigned long guest_cr3;
	u64 eptp;

	guest_cr3 = cr3;
	if (enable_ept) {
		eptp = construct_eptp(vcpu, cr3);
		vmcs_write64(EPT_POINTER, eptp);

		if (kvm_x86_ops->tlb_remote_flush) {
			spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
			to_vmx(vcpu)->ept_pointer = eptp;
			to_kvm_vmx(kvm)->ept_pointers_match
				= EPT_POINTERS_CHECK;
			spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
		}

		if (enable_unrestricted_guest || is_paging(vcpu) ||
		    is_guest_mode(vcpu))
			guest_cr3 = kvm_read_cr3(vcpu);
		else
			guest_cr3 = to_kvm_vmx(kvm)->ept_identity_map_addr;
		ept_load_pdptrs(vcpu);
	}

	vmcs_writel(GUEST_CR3, guest_cr3);
}

static struct kvm_vcpu *vmx_create_vcpu(struct kvm *kvm, unsigned int id)
{
	struct vcpu_vmx *vmx;
	int err;

	vmx = kmem_cache_zalloc(kvm_vcpu_cache, GFP_KERNEL_ACCOUNT);
	if (!vmx)
		return ERR_PTR(-ENOMEM);

	err = kvm_vcpu_init(&vmx->vcpu, kvm, id);
	if (err)
		goto free_vcpu;

	vmx->ept_pointer = INVALID_PAGE;
	return &vmx->vcpu;

free_vcpu:
	kmem_cache_free(kvm_vcpu_cache, vmx);
	return ERR_PTR(err);
}

static __init int hardware_setup(void)
{
#if IS_ENABLED(CONFIG_HYPERV)
	if (ms_hyperv.nested_features & HV_X64_NESTED_GUEST_MAPPING_FLUSH
	    && enable_ept) {
		kvm_x86_ops->tlb_remote_flush = hv_remote_flush_tlb;
		kvm_x86_ops->tlb_remote_flush_with_range =
				hv_remote_flush_tlb_with_range;
	}
#endif
	return 0;
}

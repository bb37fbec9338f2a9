// SPDX-License-Identifier: GPL-2.0
/* The shapes of the second generation: a status, ranges, every pointer invalid at creation. */
#include "vmx.h"
#include <asm/absent.h>

static inline int flush_one(struct kvm *kvm, struct kvm_vcpu *vcpu, struct kvm_tlb_range *range)
{
	u64 pointer = to_vmx(vcpu)->ept_pointer;

	trace_flush_one(vcpu->vcpu_id, range ? range->pages : 0);
	if (!range)
		return hyperv_flush_guest_mapping(pointer & PAGE_MASK);
	return hyperv_flush_guest_mapping_range(pointer & PAGE_MASK,
			kvm_fill_hv_flush_list_func, (void *)range);
}

static bool one_pointer(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu, *first = kvm_get_vcpu(kvm, 0);
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		if (to_vmx(vcpu)->ept_pointer != to_vmx(first)->ept_pointer)
			return false;
	return VALID_PAGE(to_vmx(first)->ept_pointer);
}

static int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *own = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int failed = 0, i;

	spin_lock(&own->ept_pointer_lock);
	if (own->ept_pointers_match == EPT_POINTERS_CHECK)
		own->ept_pointers_match = one_pointer(kvm) ? EPT_POINTERS_MATCH
							   : EPT_POINTERS_MISMATCH;

	if (own->ept_pointers_match == EPT_POINTERS_MATCH) {
		failed = flush_one(kvm, kvm_get_vcpu(kvm, 0), range);
		goto out;
	}
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (VALID_PAGE(to_vmx(vcpu)->ept_pointer))
			failed |= flush_one(kvm, vcpu, range);
	}
out:
	spin_unlock(&own->ept_pointer_lock);
	return failed;
}

static int hv_remote_flush_tlb(struct kvm *kvm)
{
	return hv_remote_flush_tlb_with_range(kvm, NULL);
}

void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	struct kvm *kvm = vcpu->kvm;
	u64 eptp = construct_eptp(vcpu, cr3);

	vmcs_write64(EPT_POINTER, eptp);
	if (kvm_x86_ops->tlb_remote_flush) {
		spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
		to_vmx(vcpu)->ept_pointer = eptp;
		to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_CHECK;
		spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
	}
}

static struct kvm_vcpu *vmx_create_vcpu(struct kvm *kvm, unsigned int id)
{
	struct vcpu_vmx *vmx = kmem_cache_zalloc(kvm_vcpu_cache, GFP_KERNEL_ACCOUNT);

	vmx->ept_pointer = INVALID_PAGE;
	return &vmx->vcpu;
}

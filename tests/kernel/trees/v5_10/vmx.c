// SPDX-License-Identifier: GPL-2.0
/* The shapes of the end of the second generation: a load with a level, a table that is no pointer. */
#include <linux/module.h>
#include <asm/absent.h>
#include "vmx.h"

bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, S_IRUGO);

#if IS_ENABLED(CONFIG_HYPERV)
static bool __read_mostly enlightened = true;
module_param(enlightened, bool, S_IRUGO);

/* The first valid pointer is everybody's, or there is none for all. */
static void look_at_pointers(struct kvm *kvm)
{
	struct kvm_vmx *own = to_kvm_vmx(kvm);
	u64 common = INVALID_PAGE;
	struct kvm_vcpu *vcpu;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		u64 pointer = to_vmx(vcpu)->ept_pointer;

		if (!VALID_PAGE(common)) {
			common = pointer;
		} else if (pointer != common) {
			own->ept_pointers_match = EPT_POINTERS_MISMATCH;
			return;
		}
	}
	own->ept_pointers_match = EPT_POINTERS_MATCH;
}

static int fill_list(struct hv_guest_mapping_flush_list *flush, void *data)
{
	struct kvm_tlb_range *range = data;

	return hyperv_fill_flush_guest_mapping_list(flush, range->start_gfn, range->pages);
}

static inline int flush_vcpu(struct kvm_vcpu *vcpu, struct kvm_tlb_range *range)
{
	u64 root = to_vmx(vcpu)->ept_pointer & PAGE_MASK;

	return range ? hyperv_flush_guest_mapping_range(root, fill_list, (void *)range) :
		       hyperv_flush_guest_mapping(root);
}

static int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vcpu *vcpu;
	int err = 0, i;

	spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
	switch (to_kvm_vmx(kvm)->ept_pointers_match) {
	case EPT_POINTERS_CHECK:
		look_at_pointers(kvm);
		break;
	default:
		break;
	}

	if (to_kvm_vmx(kvm)->ept_pointers_match == EPT_POINTERS_MATCH)
		err = flush_vcpu(kvm_get_vcpu(kvm, 0), range);
	else
		kvm_for_each_vcpu(i, vcpu, kvm)
			if (VALID_PAGE(to_vmx(vcpu)->ept_pointer))
				err |= flush_vcpu(vcpu, range);
	spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
	return err;
}

static int hv_remote_flush_tlb(struct kvm *kvm)
{
	return hv_remote_flush_tlb_with_range(kvm, NULL);
}
#endif

static void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long pgd, int pgd_level)
{
	struct kvm *kvm = vcpu->kvm;
	bool update_guest_cr3 = true;
	unsigned long guest_cr3;
	u64 eptp;

	if (enable_ept) {
		eptp = construct_eptp(vcpu, pgd, pgd_level);
		vmcs_write64(EPT_POINTER, eptp);

		if (kvm_x86_ops.tlb_remote_flush) {
			spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
			to_vmx(vcpu)->ept_pointer = eptp;
			to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_CHECK;
			spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
		}
		if (!enable_unrestricted_guest && !is_paging(vcpu))
			guest_cr3 = to_kvm_vmx(kvm)->tss_addr;
		else
			update_guest_cr3 = false;
		vmx_ept_load_pdptrs(vcpu);
	} else {
		guest_cr3 = pgd;
	}

	if (update_guest_cr3)
		vmcs_writel(GUEST_CR3, guest_cr3);
}

static int vmx_create_vcpu(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	BUILD_BUG_ON(offsetof(struct vcpu_vmx, vcpu) != 0);
	vmx->ept_pointer = INVALID_PAGE;
	return 0;
}

static __init int hardware_setup(void)
{
#if IS_ENABLED(CONFIG_HYPERV)
	if (enable_ept) {
		vmx_x86_ops.tlb_remote_flush = hv_remote_flush_tlb;
		vmx_x86_ops.tlb_remote_flush_with_range = hv_remote_flush_tlb_with_range;
	}
#endif
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* The shapes of 5.9: the level of the root is a parameter, the table of operations is copied. */
#include <linux/module.h>
#include <asm/kvm_host.h>

#include "vmx.h"

bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, S_IRUGO);

#if IS_ENABLED(CONFIG_HYPERV)
static bool __read_mostly enlightened_vmcs = true;
module_param(enlightened_vmcs, bool, 0444);

static void check_pointers(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	u64 tmp = INVALID_PAGE;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		if (!VALID_PAGE(tmp)) {
			tmp = to_vmx(vcpu)->ept_pointer;
		} else if (tmp != to_vmx(vcpu)->ept_pointer) {
			to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_MISMATCH;
			return;
		}

	to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_MATCH;
}

static int fill(struct hv_guest_mapping_flush_list *flush, void *data)
{
	struct kvm_tlb_range *range = data;

	return hyperv_fill_flush_guest_mapping_list(flush, range->start_gfn, range->pages);
}

static inline int flush_pointer(struct kvm *kvm, struct kvm_vcpu *vcpu,
				struct kvm_tlb_range *range)
{
	u64 const ept_pointer = to_vmx(vcpu)->ept_pointer;

	if (range)
		return hyperv_flush_guest_mapping_range(ept_pointer & PAGE_MASK, fill,
							(void *)range);
	else
		return hyperv_flush_guest_mapping(ept_pointer & PAGE_MASK);
}

static int hv_remote_flush_tlb_with_range(struct kvm *kvm,
					  struct kvm_tlb_range *range)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int ret = 0, i;

	spin_lock(&kvm_vmx->ept_pointer_lock);

	if (kvm_vmx->ept_pointers_match == EPT_POINTERS_CHECK)
		check_pointers(kvm);

	if (kvm_vmx->ept_pointers_match != EPT_POINTERS_MATCH) {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			if (!VALID_PAGE(to_vmx(vcpu)->ept_pointer))
				continue;
			ret |= flush_pointer(kvm, vcpu, range);
		}
	} else {
		ret = flush_pointer(kvm, kvm_get_vcpu(kvm, 0), range);
	}

	spin_unlock(&kvm_vmx->ept_pointer_lock);
	return ret;
}

static int hv_remote_flush_tlb(struct kvm *kvm)
{
	return hv_remote_flush_tlb_with_range(kvm, NULL);
}

static int hv_enable_direct_tlbflush(struct kvm_vcpu *vcpu)
{
	struct hv_partition_assist_pg **page = &vcpu->kvm->arch.hyperv.hv_pa_pg;

	if (!*page)
		*page = kzalloc(PAGE_SIZE, GFP_KERNEL);
	return *page ? 0 : -ENOMEM;
}
#endif /* IS_ENABLED(CONFIG_HYPERV) */

u64 construct_eptp(struct kvm_vcpu *vcpu, unsigned long root_hpa, int root_level)
{
	u64 eptp = VMX_EPTP_MT_WB;

	eptp |= (root_level == 5) ? VMX_EPTP_PWL_5 : VMX_EPTP_PWL_4;
	if (enable_ept_ad_bits && (!is_guest_mode(vcpu) || nested_ept_ad_enabled(vcpu)))
		eptp |= VMX_EPTP_AD_ENABLE_BIT;
	eptp |= (root_hpa & PAGE_MASK);

	return eptp;
}

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
			to_kvm_vmx(kvm)->ept_pointers_match
				= EPT_POINTERS_CHECK;
			spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
		}

		if (!enable_unrestricted_guest && !is_paging(vcpu))
			guest_cr3 = to_kvm_vmx(kvm)->ept_identity_map_addr;
		else if (test_bit(VCPU_EXREG_CR3, (ulong *)&vcpu->arch.regs_avail))
			guest_cr3 = vcpu->arch.cr3;
		else /* vmcs01.GUEST_CR3 is already up-to-date. */
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
	struct vcpu_vmx *vmx;
	int i, cpu, err;

	BUILD_BUG_ON(offsetof(struct vcpu_vmx, vcpu) != 0);
	vmx = to_vmx(vcpu);

	err = -ENOMEM;
	vmx->vpid = allocate_vpid();
	if (alloc_loaded_vmcs(&vmx->vmcs01) < 0)
		goto free_pml;

	cpu = get_cpu();
	vmx_vcpu_load(vcpu, cpu);
	put_cpu();
	vmx->ept_pointer = INVALID_PAGE;
	return 0;

free_pml:
	vmx_destroy_pml_buffer(vmx);
	return err;
}

static struct kvm_x86_ops vmx_x86_ops __initdata = {
	.vm_size = sizeof(struct kvm_vmx),
	.vcpu_create = vmx_create_vcpu,
	.load_mmu_pgd = vmx_load_mmu_pgd,
};

static __init int hardware_setup(void)
{
#if IS_ENABLED(CONFIG_HYPERV)
	if (ms_hyperv.nested_features & HV_X64_NESTED_GUEST_MAPPING_FLUSH
	    && enable_ept) {
		vmx_x86_ops.tlb_remote_flush = hv_remote_flush_tlb;
		vmx_x86_ops.tlb_remote_flush_with_range =
				hv_remote_flush_tlb_with_range;
	}
#endif
	return 0;
}

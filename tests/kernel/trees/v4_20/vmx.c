// SPDX-License-Identifier: GPL-2.0
/* The shapes of the end of the first generation: roots unlike each other are flushed one by one. */
#include <linux/kernel.h>
#include <asm/absent.h>

static bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, S_IRUGO);

static bool __read_mostly enable_unrestricted_guest = 1;

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct kvm_vmx {
	struct kvm kvm;
	bool ept_identity_pagetable_done;
	gpa_t ept_identity_map_addr;
	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
};

struct nested_vmx {
	bool vmxon, smm[2];
	gpa_t vmxon_ptr;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	struct nested_vmx nested;
	struct { unsigned nr; struct vmx_msr_entry val[NR_AUTOLOAD_MSRS]; } guest;
	u64 ept_pointer;
};

static inline struct kvm_vmx *to_kvm_vmx(struct kvm *kvm)
{
	return container_of(kvm, struct kvm_vmx, kvm);
}

static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

#if IS_ENABLED(CONFIG_HYPERV)
DEFINE_STATIC_KEY_FALSE(enable_evmcs);

static __always_inline int evmcs_offset(unsigned long field, u16 *clean)
{
	unsigned int index = ROL16(field, 6);

	if (unlikely(index >= ARRAY_SIZE(evmcs_fields)))
		return -ENOENT;
	*clean = evmcs_fields[index].clean_field;
	return evmcs_fields[index].offset;
}

/* Under the lock: is the pointer of the first vCPU that has one that of all? */
static void compare_pointers(struct kvm *kvm)
{
	u64 seen = INVALID_PAGE;
	struct kvm_vcpu *vcpu;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!VALID_PAGE(seen)) {
			seen = to_vmx(vcpu)->ept_pointer;
			continue;
		}
		if (seen == to_vmx(vcpu)->ept_pointer)
			continue;
		to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_MISMATCH;
		return;
	}
	to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_MATCH;
}

static int vmx_hv_remote_flush_tlb(struct kvm *kvm)
{
	struct kvm_vmx *all = to_kvm_vmx(kvm);
	int result = -ENOTSUPP, i;
	struct kvm_vcpu *vcpu;

	spin_lock(&all->ept_pointer_lock);

	if (all->ept_pointers_match == EPT_POINTERS_CHECK)
		compare_pointers(kvm);

	if (all->ept_pointers_match == EPT_POINTERS_MATCH) {
		/* No pointer yet: leave, lock and all. */
		if (!VALID_PAGE(to_vmx(kvm_get_vcpu(kvm, 0))->ept_pointer))
			return 0;
		result = hyperv_flush_guest_mapping(
			to_vmx(kvm_get_vcpu(kvm, 0))->ept_pointer & PAGE_MASK);
	} else {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			if (!VALID_PAGE(to_vmx(vcpu)->ept_pointer))
				return 0;
			result |= hyperv_flush_guest_mapping(
				to_vmx(vcpu)->ept_pointer & PAGE_MASK);
		}
	}

	spin_unlock(&all->ept_pointer_lock);
	return result;
}
#else /* !IS_ENABLED(CONFIG_HYPERV) */
static inline void evmcs_write64(unsigned long field, u64 value) {}
#endif

static u64 construct_eptp(struct kvm_vcpu *vcpu, unsigned long root_hpa)
{
	u64 eptp = VMX_EPTP_MT_WB;

	eptp |= (get_ept_level(vcpu) == 5) ? VMX_EPTP_PWL_5 : VMX_EPTP_PWL_4;
	if (enable_ept_ad_bits)
		eptp |= VMX_EPTP_AD_ENABLE_BIT;
	return eptp | (root_hpa & PAGE_MASK);
}

static void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	struct kvm *kvm = vcpu->kvm;
	unsigned long guest_cr3 = cr3;

	if (enable_ept) {
		u64 eptp = construct_eptp(vcpu, cr3);

		vmcs_write64(EPT_POINTER, eptp);
		if (kvm_x86_ops->tlb_remote_flush) {
			spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
			to_vmx(vcpu)->ept_pointer = eptp;
			to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_CHECK;
			spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
		}
		if (enable_unrestricted_guest || is_paging(vcpu) || is_guest_mode(vcpu))
			guest_cr3 = kvm_read_cr3(vcpu);
		else
			guest_cr3 = to_kvm_vmx(kvm)->ept_identity_map_addr;
		ept_load_pdptrs(vcpu);
	}

	vmcs_writel(GUEST_CR3, guest_cr3);
}

static struct kvm *vmx_vm_alloc(void)
{
	struct kvm_vmx *kvm_vmx = vzalloc(sizeof(struct kvm_vmx));

	return &kvm_vmx->kvm;
}

static int vmx_vm_init(struct kvm *kvm)
{
	spin_lock_init(&to_kvm_vmx(kvm)->ept_pointer_lock);

	if (!ple_gap)
		kvm->arch.pause_in_guest = true;
	return 0;
}

static __init int hardware_setup(void)
{
#if IS_ENABLED(CONFIG_HYPERV)
	if (ms_hyperv.nested_features & HV_X64_NESTED_GUEST_MAPPING_FLUSH
	    && enable_ept)
		kvm_x86_ops->tlb_remote_flush = vmx_hv_remote_flush_tlb;
#endif
	return alloc_kvm_area();
}

static struct kvm_x86_ops vmx_x86_ops __ro_after_init = {
	.vm_init = vmx_vm_init,
	.vm_alloc = vmx_vm_alloc,
	.set_cr3 = vmx_set_cr3,
};

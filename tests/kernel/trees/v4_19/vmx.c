// SPDX-License-Identifier: GPL-2.0
/* The shapes of the first generation: one status, one pointer for all, no range, 0 at boot. */
#include <linux/module.h>
#include <asm/absent.h>

#define __ex(x) x
#ifdef MODULE
static const struct device_id ids[] = { { .vendor = 1, .feature = FEATURE(VMX) }, {} };
#endif

static bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, S_IRUGO);
static DEFINE_PER_CPU(struct vmcs *, current_vmcs);

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct kvm_vmx {
	struct kvm kvm;
	unsigned int tss_addr : 20, identity_map_done : 1;
	union { u32 raw; struct { u16 low, high; }; } word;
	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
} __attribute__((aligned(64)));

struct vcpu_vmx {
	struct kvm_vcpu       vcpu;
	unsigned long         host_rsp;
	u8                    fail : 1;
	struct { u16 fs_sel, gs_sel; } host_state[2];
	/* the EPT pointer that the vCPU runs on */
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

static __always_inline unsigned long vmcs_readl(unsigned long field)
{
	unsigned long value;

	asm volatile (__ex("vmread %1, %0") : "=r"(value) : "r"(field) : "cc");
	return value;
}

#if IS_ENABLED(CONFIG_HYPERV)
/* Does every vCPU have the pointer of the first one? Called under the lock. */
static void compare_ept_pointers(struct kvm *kvm)
{
	enum ept_pointers_status found = EPT_POINTERS_MATCH;
	struct kvm_vcpu *vcpu;
	u64 first = 0;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (i == 0)
			first = to_vmx(vcpu)->ept_pointer;
		else if (to_vmx(vcpu)->ept_pointer != first)
			found = EPT_POINTERS_MISMATCH;
	}
	to_kvm_vmx(kvm)->ept_pointers_match = found;
}

static int vmx_hv_remote_flush_tlb(struct kvm *kvm)
{
	int ret;

	spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
	if (to_kvm_vmx(kvm)->ept_pointers_match == EPT_POINTERS_CHECK)
		compare_ept_pointers(kvm);

	if (to_kvm_vmx(kvm)->ept_pointers_match != EPT_POINTERS_MATCH) {
		ret = -ENOTSUPP;
		goto unlock;
	}

	ret = hyperv_flush_guest_mapping(to_vmx(kvm_get_vcpu(kvm, 0))->ept_pointer & PAGE_MASK);
unlock:
	spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
	return ret;
}
#else
static inline int vmx_hv_remote_flush_tlb(struct kvm *kvm)
{
	return -EOPNOTSUPP;
}
#endif

static u64 construct_eptp(struct kvm_vcpu *vcpu, unsigned long root)
{
	u64 eptp = VMX_EPTP_MT_WB | (get_ept_level(vcpu) == 5 ? 32 : 24);

	return eptp | (root & PAGE_MASK);
}

static void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3)
{
	struct kvm *kvm = vcpu->kvm;
	unsigned long guest_cr3 = cr3;
	u64 eptp;

	if (enable_ept) {
		eptp = construct_eptp(vcpu, cr3);
		vmcs_write64(EPT_POINTER, eptp);

		if (kvm_x86_ops->tlb_remote_flush) {
			spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
			to_vmx(vcpu)->ept_pointer = eptp;
			to_kvm_vmx(kvm)->ept_pointers_match = EPT_POINTERS_CHECK;
			spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
		}

		if (is_paging(vcpu) || is_guest_mode(vcpu))
			guest_cr3 = kvm_read_cr3(vcpu);
		else
			guest_cr3 = to_kvm_vmx(kvm)->tss_addr;
		ept_load_pdptrs(vcpu);
	}

	vmcs_writel(GUEST_CR3, guest_cr3);
}

static __init int hardware_setup(void)
{
	if (!vmcs_readl(7))
		enable_ept = 0;
	if (enable_ept)
		kvm_x86_ops->tlb_remote_flush = vmx_hv_remote_flush_tlb;
	return ({ int r = alloc_kvm_area(); r ? : 0; });
}

static struct kvm_x86_ops vmx_x86_ops __ro_after_init = {
	.set_cr3 = vmx_set_cr3,
	.exits = { [3] = exit_external, [0 ... 2] = NULL },
};
EXPORT_SYMBOL_GPL(vmx_x86_ops);
module_init(vmx_init)

/* SPDX-License-Identifier: GPL-2.0 */
struct kvm_vcpu_arch {
	unsigned long regs[16];
	unsigned long cr3;
	struct { bool pending; u8 number; } exception;
#if IS_ENABLED(CONFIG_HYPERV)
	hpa_t hv_root_tdp;
#endif
};

struct kvm_arch {
	unsigned long n_used_mmu_pages;
	struct list_head active_mmu_pages ____cacheline_aligned;
#if IS_ENABLED(CONFIG_HYPERV)
	hpa_t	hv_root_tdp;
	spinlock_t hv_root_tdp_lock;
#endif
};

extern struct kvm_x86_ops kvm_x86_ops;

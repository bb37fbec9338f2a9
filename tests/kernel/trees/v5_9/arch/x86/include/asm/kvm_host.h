/* SPDX-License-Identifier: GPL-2.0-only */
struct kvm_vcpu_arch {
	unsigned long regs[17];
	u32 regs_avail, regs_dirty;
	unsigned long cr3;
	struct kvm_mmu *mmu;
	bool tpr_access_reporting : 1;
};

struct kvm_arch {
	unsigned long n_used_mmu_pages;
	struct list_head active_mmu_pages;
};

struct kvm_x86_ops {
	int (*hardware_enable)(void);
	u32 vm_size;
	void (*tlb_flush_all)(struct kvm_vcpu *vcpu);
	int (*tlb_remote_flush)(struct kvm *kvm);
	int (*tlb_remote_flush_with_range)(struct kvm *kvm, struct kvm_tlb_range *range);
	void (*load_mmu_pgd)(struct kvm_vcpu *vcpu, unsigned long pgd, int pgd_level);
};

extern struct kvm_x86_ops kvm_x86_ops;

/* SPDX-License-Identifier: GPL-2.0-only */
struct kvm_vcpu_arch {
	unsigned long regs[17];
	unsigned long cr3;
	bool guest_state_protected;
	struct {
		gpa_t time;
		struct pvclock_vcpu_time_info hv_clock;
	} pv;
#if IS_ENABLED(CONFIG_HYPERV)
	hpa_t hv_root_tdp;
#endif
};

struct kvm_arch {
	unsigned long n_used_mmu_pages;
	u8 vm_type;
	bool has_private_mem;
	union { struct { bool pre_fault : 1; }; u32 flags; };
#if IS_ENABLED(CONFIG_HYPERV)
	hpa_t	hv_root_tdp;
	spinlock_t hv_root_tdp_lock;
	struct hv_partition_assist_pg *hv_pa_pg;
#endif
	struct list_head possible_nx_huge_pages __attribute__((aligned(8)));
};

struct kvm_x86_ops {
	const char *name;
	void (*load_mmu_pgd)(struct kvm_vcpu *vcpu, hpa_t root_hpa, int root_level);
#if IS_ENABLED(CONFIG_HYPERV)
	int (*flush_remote_tlbs)(struct kvm *kvm);
	int (*flush_remote_tlbs_range)(struct kvm *kvm, gfn_t gfn, gfn_t nr_pages);
#endif
};

extern struct kvm_x86_ops kvm_x86_ops;

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEST_VMX_H
#define TEST_VMX_H

#include "capabilities.h"

#define MSR_TYPE_R	1

struct pt_ctx {
	u64 ctl;
	u64 addr_a[4];
};

struct vcpu_vmx {
	struct kvm_vcpu       vcpu;
	u8                    fail, msr_bitmap_mode;
	struct {
		struct pt_ctx host, guest;
		u32 num;
	} pt_desc;
	u64 ept_pointer;
};

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct kvm_vmx {
	struct kvm kvm;

	unsigned int tss_addr;
	bool ept_identity_pagetable_done;
	gpa_t ept_identity_map_addr;

	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
};

u64 construct_eptp(struct kvm_vcpu *vcpu, unsigned long root_hpa);

static __always_inline struct kvm_vmx *to_kvm_vmx(struct kvm *kvm)
{
	return container_of(kvm, struct kvm_vmx, kvm);
}

static __always_inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}
#endif

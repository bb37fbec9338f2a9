/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEST_VMX_H
#define TEST_VMX_H

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	u8 fail, msr_bitmap_mode;
	u64 hv_deadline_tsc;
	u64 ept_pointer;
};

struct kvm_vmx {
	struct kvm kvm;
	unsigned int tss_addr;
	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
};

u64 construct_eptp(struct kvm_vcpu *vcpu, unsigned long root, int level);
#endif

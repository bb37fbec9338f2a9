/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEST_VMX_H
#define TEST_VMX_H

#include <linux/kvm_host.h>
#include <asm/kvm.h>

enum segment_cache_field {
	SEG_FIELD_SEL = 0,
	SEG_FIELD_NR = 4
};

struct vcpu_vmx {
	struct kvm_vcpu       vcpu;
	u8                    fail;
	u8		      msr_bitmap_mode;

	/* A pin of the guest's mode, guarded by nothing. */
	struct vmx_uret_msr   guest_uret_msrs[7];
	u64 ept_pointer;
	struct pt_desc pt_desc;
};

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

struct kvm_vmx {
	struct kvm kvm;

	unsigned int tss_addr;
	gpa_t ept_identity_map_addr;

	enum ept_pointers_status ept_pointers_match;
	spinlock_t ept_pointer_lock;
};

static __always_inline struct kvm_vmx *to_kvm_vmx(struct kvm *kvm)
{
	return container_of(kvm, struct kvm_vmx, kvm);
}

static __always_inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

static inline bool vmx_has_waitpkg(struct vcpu_vmx *vmx)
{
	return vmx->fail & 1;
}
#endif

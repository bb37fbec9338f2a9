/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEST_VMX_H
#define TEST_VMX_H

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
	struct vcpu_vt vt;
	u8 fail;
};

struct kvm_vmx {
	struct kvm kvm;
	gpa_t ept_identity_map_addr;
};

static __always_inline struct kvm_vmx *to_kvm_vmx(struct kvm *kvm)
{
	return container_of(kvm, struct kvm_vmx, kvm);
}

u64 construct_eptp(hpa_t root_hpa);
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root_hpa, int root_level);
#endif

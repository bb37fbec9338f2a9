/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_KVM_HOST_H
#define TEST_KVM_HOST_H

#include <asm/kvm_host.h>

static inline bool kvm_vcpu_is_first(struct kvm_vcpu *vcpu)
{
	return vcpu->vcpu_idx == 0;
}
#endif

// SPDX-License-Identifier: GPL-2.0
/* Store buffering between two flushers; the answers tell which of them it was. */

struct kvm_vmx {
	struct kvm kvm;

	int x;
	int y;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
};

int first(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	vmx->x = 1;
	return vmx->y ? 0 : 1;
}

int second(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	vmx->y = 1;
	return vmx->x ? 0 : 2;
}

void nothing(struct kvm_vcpu *vcpu, unsigned long root)
{
}

// SPDX-License-Identifier: GPL-2.0
/* Message passing: data first, then the flag that says it is there. */

struct kvm_vmx {
	struct kvm kvm;

	int x;
	int y;
	int seen;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
};

int right(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	if (!vmx->y)
		return 0;
	return vmx->x ? 0 : -EINVAL;
}

void left(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	vmx->x = 1;
	vmx->y = 1;
}

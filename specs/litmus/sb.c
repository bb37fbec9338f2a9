// SPDX-License-Identifier: GPL-2.0
/* Store buffering: each thread stores, then reads what the other one stores. */

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
	vmx->y = 1;
	return vmx->x;
}

void left(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	vmx->x = 1;
	if (!vmx->y)
		vmx->seen = 1;
}

// SPDX-License-Identifier: GPL-2.0
/* Store buffering with atomic exchanges in place of stores. */

struct kvm_vmx {
	struct kvm kvm;

	int x;
	int y;
	int seen;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
};

int xchg(int *p, int value) __exchange(p, value);

int right(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	xchg(&vmx->y, 1);
	return vmx->x;
}

void left(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	xchg(&vmx->x, 1);
	if (!vmx->y)
		vmx->seen = 1;
}

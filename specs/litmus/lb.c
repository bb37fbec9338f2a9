// SPDX-License-Identifier: GPL-2.0
/* Load buffering: each thread reads what the other one stores afterwards. */

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
	int read = vmx->y;

	vmx->x = 1;
	return read;
}

void left(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	int read = vmx->x;

	vmx->y = 1;
	if (read)
		vmx->seen = 1;
}

// SPDX-License-Identifier: GPL-2.0
/* Store buffering with the stores under one lock. */

struct kvm_vmx {
	struct kvm kvm;

	int x;
	int y;
	int seen;
	spinlock_t lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
};

int right(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	spin_lock(&vmx->lock);
	vmx->y = 1;
	spin_unlock(&vmx->lock);
	return vmx->x;
}

void left(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	spin_lock(&vmx->lock);
	vmx->x = 1;
	spin_unlock(&vmx->lock);
	if (!vmx->y)
		vmx->seen = 1;
}

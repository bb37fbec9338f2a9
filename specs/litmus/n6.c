// SPDX-License-Identifier: GPL-2.0
/* Store forwarding (n6 in Sewell et al., CACM 2010): a thread reads its own store early. */

struct kvm_vmx {
	struct kvm kvm;

	int x;
	int y;
	int seen;
	int lost;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
};

int right(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	vmx->y = 1;
	vmx->x = 2;
	smp_mb();
	return 0;
}

void left(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	int own, other;

	vmx->x = 1;
	own = vmx->x;
	other = vmx->y;
	if (!own)
		vmx->lost = 1;
	if (own == 1 && !other)
		vmx->seen = 1;
}

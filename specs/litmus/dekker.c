// SPDX-License-Identifier: GPL-2.0
/* Two vCPUs that keep each other out: each raises its flag, then looks at the other's. */

struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int flag;
	int inside;
};

int nothing(struct kvm *kvm)
{
	return 0;
}

void enter(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vcpu *other = kvm_get_vcpu(vcpu->kvm, 1 - vcpu->vcpu_id);

	to_vmx(vcpu)->flag = 1;
	if (!to_vmx(other)->flag)
		to_vmx(vcpu)->inside = 1;
}

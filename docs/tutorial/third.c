// SPDX-License-Identifier: GPL-2.0
/* As before, but what is remembered is never used. */

struct kvm_vmx {
	struct kvm kvm;

	hpa_t common;		/* the root that all vCPUs run on, if known */
	spinlock_t lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	hpa_t root;
};

int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	bool differ = false;
	int ret = 0, i;

	spin_lock(&vm->lock);

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!VALID_PAGE(to_vmx(vcpu)->root))
			continue;

		ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->root);
		if (!VALID_PAGE(vm->common))
			vm->common = to_vmx(vcpu)->root;
		else if (to_vmx(vcpu)->root != vm->common)
			differ = true;
	}

	if (differ)
		vm->common = INVALID_PAGE;

	spin_unlock(&vm->lock);
	return ret;
}

void my_load(struct kvm_vcpu *vcpu, hpa_t root)
{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vm->lock);
	to_vmx(vcpu)->root = root;
	vm->common = INVALID_PAGE;
	spin_unlock(&vm->lock);
}

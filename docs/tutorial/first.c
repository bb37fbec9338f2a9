// SPDX-License-Identifier: GPL-2.0
/* Flush the root of each vCPU, and remember it for the next time. */

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
	int ret = 0, i;

	spin_lock(&vm->lock);

	if (VALID_PAGE(vm->common)) {
		ret = hyperv_flush_guest_mapping(vm->common);
	} else {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			if (!VALID_PAGE(to_vmx(vcpu)->root))
				continue;

			ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->root);
			vm->common = to_vmx(vcpu)->root;
		}
	}

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

// SPDX-License-Identifier: GPL-2.0
int kvm_arch_vcpu_create(struct kvm_vcpu *vcpu)
{
#if IS_ENABLED(CONFIG_HYPERV)
	vcpu->arch.hv_root_tdp = INVALID_PAGE;
#endif
	return 0;
}

int kvm_arch_init_vm(struct kvm *kvm, unsigned long type)
{
	spin_lock_init(&kvm->arch.hv_root_tdp_lock);
	kvm->arch.hv_root_tdp = INVALID_PAGE;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>

int kvm_arch_vcpu_create(struct kvm_vcpu *vcpu)
{
	int r;

	vcpu->arch.last_vmentry_cpu = -1;
	vcpu->arch.regs_avail = ~0;

	r = kvm_mmu_create(vcpu);
	if (r < 0)
		return r;

#if IS_ENABLED(CONFIG_HYPERV)
	vcpu->arch.hv_root_tdp = INVALID_PAGE;
#endif
	return 0;
}

int kvm_arch_init_vm(struct kvm *kvm, unsigned long type)
{
	int ret;

	if (!kvm_is_vm_type_supported(type))
		return -EINVAL;

	kvm->arch.vm_type = type;
	ret = kvm_mmu_init_vm(kvm);
	if (ret)
		goto out;

	raw_spin_lock_init(&kvm->arch.tsc_write_lock);
#if IS_ENABLED(CONFIG_HYPERV)
	spin_lock_init(&kvm->arch.hv_root_tdp_lock);
	kvm->arch.hv_root_tdp = INVALID_PAGE;
#endif
	return 0;

out:
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>

#include "kvm_onhyperv.h"
#include "vmx.h"

bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, 0444);

static int vmx_get_max_ept_level(void)
{
	return cpu_has_vmx_ept_5levels() ? 5 : 4;
}

u64 construct_eptp(hpa_t root_hpa)
{
	u64 eptp = root_hpa | VMX_EPTP_MT_WB;

	if (vmx_get_max_ept_level() == 5)
		eptp |= VMX_EPTP_PWL_5;
	return eptp;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root_hpa, int root_level)
{
	struct kvm *kvm = vcpu->kvm;
	bool update_guest_cr3 = true;
	unsigned long guest_cr3;

	if (enable_ept) {
		KVM_MMU_WARN_ON(root_to_sp(root_hpa) &&
				root_level != root_to_sp(root_hpa)->role.level);
		vmcs_write64(EPT_POINTER, construct_eptp(root_hpa));

		hv_track_root_tdp(vcpu, root_hpa);

		if (!enable_unrestricted_guest && !is_paging(vcpu))
			guest_cr3 = to_kvm_vmx(kvm)->ept_identity_map_addr;
		else if (kvm_register_is_dirty(vcpu, VCPU_EXREG_CR3))
			guest_cr3 = vcpu->arch.cr3;
		else
			update_guest_cr3 = false;
		vmx_ept_load_pdptrs(vcpu);
	} else {
		guest_cr3 = root_hpa | kvm_get_active_pcid(vcpu) |
			    kvm_get_active_cr3_lam_bits(vcpu);
	}

	if (update_guest_cr3)
		vmcs_writel(GUEST_CR3, guest_cr3);
}

// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#include <asm/kvm_host.h>
#include "kvm_onhyperv.h"
#include "vmx.h"

bool __read_mostly enable_ept = 1;
module_param_named(ept, enable_ept, bool, 0444);

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root_hpa, int root_level)
{
	unsigned long cr3 = root_hpa | kvm_get_active_pcid(vcpu);

	if (enable_ept) {
		vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root_hpa, root_level));
		hv_track_root_tdp(vcpu, root_hpa);
		if (!is_paging(vcpu))
			cr3 = to_kvm_vmx(vcpu->kvm)->ept_identity_map_addr;
		vmx_ept_load_pdptrs(vcpu);
	}
	vmcs_writel(GUEST_CR3, cr3);
}

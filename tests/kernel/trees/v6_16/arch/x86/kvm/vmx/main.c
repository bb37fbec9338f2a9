// SPDX-License-Identifier: GPL-2.0
#include <linux/moduleparam.h>

#include "kvm_onhyperv.h"
#include "vmx.h"

#ifdef CONFIG_KVM_INTEL_TDX
static void vt_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root_hpa, int pgd_level)
{
	if (is_td_vcpu(vcpu)) {
		tdx_load_mmu_pgd(vcpu, root_hpa, pgd_level);
		return;
	}

	vmx_load_mmu_pgd(vcpu, root_hpa, pgd_level);
}
#define vt_op(name) vt_##name
#else
#define vt_op(name) vmx_##name
#endif

#define VMX_REQUIRED_APICV_INHIBITS \
	(BIT(0) | BIT(1))

struct kvm_x86_ops vt_x86_ops __initdata = {
	.name = KBUILD_MODNAME,
	.load_mmu_pgd = vt_op(load_mmu_pgd),
};

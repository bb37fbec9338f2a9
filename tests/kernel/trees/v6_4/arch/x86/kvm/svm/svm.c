// SPDX-License-Identifier: GPL-2.0
#include <asm/kvm_host.h>
#include "kvm_onhyperv.h"

bool npt_enabled = true;

static void svm_load_mmu_pgd(struct kvm_vcpu *vcpu, hpa_t root_hpa, int root_level)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	if (!npt_enabled) {
		svm->vmcb->save.cr3 = root_hpa;
		return;
	}
	svm->vmcb->control.nested_cr3 = __sme_set(root_hpa);
	hv_track_root_tdp(vcpu, root_hpa);
	vmcb_mark_dirty(svm->vmcb, VMCB_NPT);
}

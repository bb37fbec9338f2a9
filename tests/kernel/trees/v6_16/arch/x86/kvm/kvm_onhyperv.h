/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_KVM_ONHYPERV_H
#define TEST_KVM_ONHYPERV_H

#if IS_ENABLED(CONFIG_HYPERV)
int hv_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, gfn_t nr_pages);
int hv_flush_remote_tlbs(struct kvm *kvm);
void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root_tdp);
static inline hpa_t hv_assist_page(struct kvm_vcpu *vcpu)
{
	struct hv_partition_assist_pg **page = &vcpu->kvm->arch.hv_pa_pg;

	if (!*page)
		*page = kzalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);

	return *page ? __pa(*page) : INVALID_PAGE;
}
#else /* !CONFIG_HYPERV */
static inline int hv_flush_remote_tlbs(struct kvm *kvm)
{
	return -EOPNOTSUPP;
}

static inline void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root_tdp)
{
}
#endif /* !CONFIG_HYPERV */
#endif

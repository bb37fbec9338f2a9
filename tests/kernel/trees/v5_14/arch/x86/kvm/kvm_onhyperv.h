/* SPDX-License-Identifier: GPL-2.0 */
#if IS_ENABLED(CONFIG_HYPERV)
int hv_remote_flush_tlb(struct kvm *kvm);
void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root);
#else
static inline int hv_remote_flush_tlb(struct kvm *kvm) { return -EOPNOTSUPP; }
static inline void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root) {}
#endif

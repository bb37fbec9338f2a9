/* SPDX-License-Identifier: GPL-2.0 */
#if IS_ENABLED(CONFIG_HYPERV)
int hv_flush_remote_tlbs(struct kvm *kvm);
void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root);
#else
static inline int hv_flush_remote_tlbs(struct kvm *kvm) { return -EOPNOTSUPP; }
static inline void hv_track_root_tdp(struct kvm_vcpu *vcpu, hpa_t root) {}
#endif

/*
 * Linux x86/mm broadcast flushes (INVLPGB, 2025): an address space moves to an ASID for all CPUs.
 *
 * CPUs that have not switched since still run with the ASID of their own, which the broadcast does not
 * reach. Until none is left they have to be flushed by IPI as well.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool global;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool uses_global;
	bool stale;
};

void switch_mm(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->uses_global, READ_ONCE(to_kvm_vmx(vcpu->kvm)->global));
}

void go_global(struct kvm *kvm)
{
	WRITE_ONCE(to_kvm_vmx(kvm)->global, true);
}

void unmap(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->stale, true);
	if (READ_ONCE(to_kvm_vmx(kvm)->global)) {
		kvm_for_each_vcpu(i, vcpu, kvm) {
			atomic {
				if (to_vmx(vcpu)->uses_global)
					to_vmx(vcpu)->stale = false;
			}
		}
	}
	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->stale, false);
}

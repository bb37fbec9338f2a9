/*
 * A CPU that goes idle says that it is lazy and is spared the flush. When it comes back it
 * does not look whether one was due meanwhile.
 */
struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool lazy;
	bool flush_due;
	bool stale;
};

void go_idle(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->lazy, true);
}

void wake_up(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->lazy, false);
}

void unmap(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		WRITE_ONCE(to_vmx(vcpu)->stale, true);
		WRITE_ONCE(to_vmx(vcpu)->flush_due, true);
		smp_mb();
		if (!READ_ONCE(to_vmx(vcpu)->lazy))
			WRITE_ONCE(to_vmx(vcpu)->stale, false);
	}
}

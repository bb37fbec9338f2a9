/*
 * FreeBSD EN-22:04.pcid (2022): a CPU elsewhere is to flush when it comes back.
 *
 * The one that invalidates sends its IPIs and marks the others afterwards. One that switches in
 * between gets no IPI and finds no mark: it takes its old entries up again.
 */
struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool active;
	bool must_flush;
	bool stale;
};

void activate(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->active, true);
	smp_mb();
	if (xchg(&to_vmx(vcpu)->must_flush, false))
		WRITE_ONCE(to_vmx(vcpu)->stale, false);
}

void deactivate(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->active, false);
}

void invalidate(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->stale, true);
	WRITE_ONCE(to_vmx(vcpu)->must_flush, true);
	smp_mb();
	if (READ_ONCE(to_vmx(vcpu)->active))
		WRITE_ONCE(to_vmx(vcpu)->stale, false);
}

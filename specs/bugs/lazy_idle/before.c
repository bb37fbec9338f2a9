/*
 * Linux 706a1ea65e (x86/mm, 2016): a CPU in lazy TLB mode is spared the flush.
 *
 * It says that it is lazy and later takes its old mm up again. If it does not look then whether a
 * flush was due meanwhile, it goes on with what it had cached.
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

void enter_lazy(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->lazy, true);
}

void leave_lazy(struct kvm_vcpu *vcpu)
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

/*
 * arm64 ASID allocator (check_and_switch_context(), 2012 and 2015): all ASIDs are used up.
 *
 * Whoever starts the next generation reserves what CPUs run with now, and takes it from them by
 * exchange. A CPU that stores its ASID plainly is not noticed: the ASID goes to somebody else as well.
 */
#define MINE	1
#define OTHER	2

struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int active;
	int reserved;
};

/* A task comes back with the ASID that it had; the CPU runs another one's until now. */
void switch_context(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *cpu = to_vmx(vcpu);
	int was = READ_ONCE(cpu->active);

	if (!was)
		return; /* takes the lock and a new ASID */
	WRITE_ONCE(cpu->active, MINE);
}

void roll_over(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->reserved, xchg(&to_vmx(vcpu)->active, 0));
}

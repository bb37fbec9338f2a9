/* A CPU that switches to the tables is in the mask of those to be flushed before it loads them. */
struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool in_mask;
	u64 tables;
	bool flushed;
};

void switch_mm(struct kvm_vcpu *vcpu, u64 next)
{
	WRITE_ONCE(to_vmx(vcpu)->in_mask, true);
	smp_mb();
	WRITE_ONCE(to_vmx(vcpu)->tables, next);
}

void leave_mm(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->tables, 0);
	WRITE_ONCE(to_vmx(vcpu)->in_mask, false);
}

int shoot_down(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int sent = 0;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		bool hit = READ_ONCE(to_vmx(vcpu)->in_mask);

		WRITE_ONCE(to_vmx(vcpu)->flushed, hit);
		if (hit)
			sent = 1;
	}
	return sent;
}

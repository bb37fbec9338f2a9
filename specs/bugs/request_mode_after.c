/*
 * Source: Linux 6b7e2d099148, KVM: requests and the vCPU's mode
 * A vCPU says that it is in the guest, then looks for requests. One that
 * is made later is followed by a kick.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool gone;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool in_guest;
	bool request;
	bool inside;
	bool cached;
};

void touch_page(struct kvm_vcpu *vcpu)
{
	atomic {
		if (to_vmx(vcpu)->inside && !to_kvm_vmx(vcpu->kvm)->gone)
			to_vmx(vcpu)->cached = true;
	}
}

void enter_guest(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->in_guest, true);
	smp_mb();
	if (xchg(&to_vmx(vcpu)->request, 0))
		WRITE_ONCE(to_vmx(vcpu)->cached, false);
	WRITE_ONCE(to_vmx(vcpu)->inside, true);
}

void leave_guest(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->inside, false);
	WRITE_ONCE(to_vmx(vcpu)->in_guest, false);
}

void zap(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(to_kvm_vmx(kvm)->gone, true);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		WRITE_ONCE(to_vmx(vcpu)->request, true);
		smp_mb();
		if (READ_ONCE(to_vmx(vcpu)->in_guest))
			WRITE_ONCE(to_vmx(vcpu)->cached, false);
	}
}

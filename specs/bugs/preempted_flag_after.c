/*
 * Source: CVE-2019-3016, Linux KVM steal time: KVM_VCPU_FLUSH_TLB
 * A vCPU that is not running is asked by a flag to flush. The host reads
 * the flag and clears it in one step.
 */
#define PREEMPTED 1
#define FLUSH_TLB 2

struct kvm_vmx {
	struct kvm kvm;

	bool gone;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int flag;
	bool cached;
};

void touch_page(struct kvm_vcpu *vcpu)
{
	atomic {
		if (!to_kvm_vmx(vcpu->kvm)->gone && !to_vmx(vcpu)->flag)
			to_vmx(vcpu)->cached = true;
	}
}

void sched_out(struct kvm_vcpu *vcpu)
{
	cmpxchg(&to_vmx(vcpu)->flag, 0, PREEMPTED);
}

void sched_in(struct kvm_vcpu *vcpu)
{
	int flag = xchg(&to_vmx(vcpu)->flag, 0);

	if (flag & FLUSH_TLB)
		WRITE_ONCE(to_vmx(vcpu)->cached, false);
}

void unmap(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(to_kvm_vmx(kvm)->gone, true);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (cmpxchg(&to_vmx(vcpu)->flag, PREEMPTED, PREEMPTED | FLUSH_TLB) != PREEMPTED)
			WRITE_ONCE(to_vmx(vcpu)->cached, false);
	}
}

/*
 * Linux b382f44e9850 (KVM, 2020), part of the fix of CVE-2019-3016: the flag of a vCPU that is preempted.
 *
 * A guest that wants a flush sets a bit there instead of sending an IPI. The host reads the flag and
 * then clears it: a bit set between the two is lost.
 */
#define PREEMPTED	1
#define FLUSH_TLB	2

struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	atomic_t preempted;
	bool stale;
};

void vcpu_put(struct kvm_vcpu *vcpu)
{
	atomic_cmpxchg(&to_vmx(vcpu)->preempted, 0, PREEMPTED);
}

void vcpu_run(struct kvm_vcpu *vcpu)
{
	int was = atomic_read(&to_vmx(vcpu)->preempted);

	atomic_set(&to_vmx(vcpu)->preempted, 0);
	if (was & FLUSH_TLB)
		WRITE_ONCE(to_vmx(vcpu)->stale, false);
}

/* Another vCPU of the guest unmaps something. One that runs gets an IPI, which flushes. */
void guest_unmap(struct kvm *kvm, struct kvm_vcpu *other)
{
	struct vcpu_vmx *vmx = to_vmx(other);

	WRITE_ONCE(vmx->stale, true);
	if (atomic_cmpxchg(&vmx->preempted, PREEMPTED, PREEMPTED | FLUSH_TLB) & PREEMPTED)
		return;
	WRITE_ONCE(vmx->stale, false);
}

/*
 * Linux 8c6de56a42e0, part of the fix of CVE-2019-3016 (KVM, 2020): steal time and a guest's wish.
 *
 * A vCPU that is being preempted writes its flag anew. The guest may have set the bit for a flush
 * meanwhile, which is then overwritten.
 */
#define PREEMPTED	1
#define FLUSH_TLB	2

struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int preempted;
	bool stale;
};

/* Called where the vCPU is put, and again where it is put while it is preempted already. */
void set_preempted(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->preempted, PREEMPTED);
}

void vcpu_run(struct kvm_vcpu *vcpu)
{
	if (xchg(&to_vmx(vcpu)->preempted, 0) & FLUSH_TLB)
		WRITE_ONCE(to_vmx(vcpu)->stale, false);
}

void guest_unmap(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int was;

	WRITE_ONCE(vmx->stale, true);
	was = cmpxchg(&vmx->preempted, PREEMPTED, PREEMPTED | FLUSH_TLB);
	if (!was)
		WRITE_ONCE(vmx->stale, false);
}

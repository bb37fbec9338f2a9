/*
 * Linux c142786c6291 (KVM, 2010) and its like: shadow pages are walked without a lock.
 *
 * Who frees a page first unlinks it, flushes, and waits for vCPUs that say that they walk. A walk that
 * does not say so may be at the page when it is given back.
 */
#define OUTSIDE	0
#define WALKING	1

struct kvm_vmx {
	struct kvm kvm;

	bool linked;
	bool freed;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int mode;
	bool hit_freed;
};

void walk_shadow_page(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	WRITE_ONCE(to_vmx(vcpu)->mode, WALKING);
	smp_mb();
	if (READ_ONCE(vmx->linked) && READ_ONCE(vmx->freed))
		WRITE_ONCE(to_vmx(vcpu)->hit_freed, true);
	smp_store_release(&to_vmx(vcpu)->mode, OUTSIDE);
}

void zap_page(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(vmx->linked, false);
	smp_mb();
	kvm_for_each_vcpu(i, vcpu, kvm)
		__wait(READ_ONCE(to_vmx(vcpu)->mode) == OUTSIDE);
	WRITE_ONCE(vmx->freed, true);
}

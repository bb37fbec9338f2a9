/*
 * Source: CVE-2018-18281, Linux mremap(), 2018
 * mremap moves an entry and flushes after the lock is free. Truncation
 * finds the entry at its new place, flushes there and frees the page.
 */
enum place { OLD, NEW, NOWHERE };

struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	enum place place;
	bool freed;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool old_cached;
};

void touch_old(struct kvm_vcpu *vcpu)
{
	atomic {
		if (to_kvm_vmx(vcpu->kvm)->place == OLD)
			to_vmx(vcpu)->old_cached = true;
	}
}

void mremap(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;

	spin_lock(&vmx->lock);
	if (vmx->place == OLD)
		WRITE_ONCE(vmx->place, NEW);
	spin_unlock(&vmx->lock);
	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->old_cached, false);
}

void truncate(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	spin_lock(&vmx->lock);
	if (vmx->place == NEW) {
		WRITE_ONCE(vmx->place, NOWHERE);
		WRITE_ONCE(vmx->freed, true);
	}
	spin_unlock(&vmx->lock);
}

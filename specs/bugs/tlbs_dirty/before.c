/*
 * Linux a4ee1ca4a36e and kvm->tlbs_dirty (KVM, 2010): entries that were dropped without a flush are counted.
 *
 * Who flushes sets the count back. A page dropped between the flush and that is forgotten, and the
 * next that relies on the count goes without a flush.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t mmu_lock;
	atomic_t tlbs_dirty;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool stale;
};

/* An entry is dropped under the lock and not flushed: a mark is enough, for the guest flushes. */
void sync_page(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vmx->mmu_lock);
	WRITE_ONCE(to_vmx(vcpu)->stale, true);
	atomic_inc(&vmx->tlbs_dirty);
	spin_unlock(&vmx->mmu_lock);
}

static void flush_remote_tlbs(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->stale, false);
	atomic_set(&vmx->tlbs_dirty, 0);
}

/* Somebody outside of the lock flushes, for reasons of its own. */
void flush_all(struct kvm *kvm)
{
	flush_remote_tlbs(kvm);
}

void invalidate_page(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	spin_lock(&vmx->mmu_lock);
	if (atomic_read(&vmx->tlbs_dirty))
		flush_remote_tlbs(kvm);
	spin_unlock(&vmx->mmu_lock);
}

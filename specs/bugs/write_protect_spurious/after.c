/*
 * KVM's write protection for dirty logging (kvm_mmu_slot_remove_write_access(), 2014).
 *
 * An entry that is read-only already may have been made so by somebody who has not flushed yet. Who
 * finds nothing to do must flush all the same, or the guest goes on writing unnoticed.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t mmu_lock;
	bool writable;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached_writable;
};

void guest_write(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	atomic {
		if (vmx->writable)
			to_vmx(vcpu)->cached_writable = true;
	}
}

void write_protect(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;
	bool flush;

	spin_lock(&vmx->mmu_lock);
	flush = true;
	WRITE_ONCE(vmx->writable, false);
	spin_unlock(&vmx->mmu_lock);
	if (flush) {
		kvm_for_each_vcpu(i, vcpu, kvm)
			WRITE_ONCE(to_vmx(vcpu)->cached_writable, false);
	}
}

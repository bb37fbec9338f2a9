/*
 * A CPU spins with interrupts off for a lock that the sender of an IPI holds (a bug of many trees).
 *
 * The sender waits for all CPUs to answer its IPI, and the CPU answers when it has the lock. It has to
 * answer while it spins, or the sender has to let the lock go first.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool irqs_off;
};

void take_lock(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	WRITE_ONCE(to_vmx(vcpu)->irqs_off, true);
	spin_lock(&vmx->lock);
	spin_unlock(&vmx->lock);
	WRITE_ONCE(to_vmx(vcpu)->irqs_off, false);
}

/* A CPU answers at once where its interrupts are on. */
void shoot_down(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;

	spin_lock(&vmx->lock);
	kvm_for_each_vcpu(i, vcpu, kvm)
		__wait(!READ_ONCE(to_vmx(vcpu)->irqs_off));
	spin_unlock(&vmx->lock);
}

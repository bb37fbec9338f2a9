/*
 * Source: Linux, mm_tlb_flush_nested(): parallel zaps
 * Zaps run beside each other and flush later. One that finds the page
 * gone returns, though the flush of the other is still to come.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	bool gone;
	bool pending;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached;
};

void touch_page(struct kvm_vcpu *vcpu)
{
	atomic {
		if (!to_kvm_vmx(vcpu->kvm)->gone)
			to_vmx(vcpu)->cached = true;
	}
}

void zap(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;
	bool due;

	spin_lock(&vmx->lock);
	due = !vmx->gone;
	if (due)
		vmx->pending = true;
	WRITE_ONCE(vmx->gone, true);
	spin_unlock(&vmx->lock);
	if (!due)
		return;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->cached, false);

	spin_lock(&vmx->lock);
	vmx->pending = false;
	spin_unlock(&vmx->lock);
}

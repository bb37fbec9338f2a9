/*
 * Source: Xen XSA-480: a page freed before the deferred flush
 * A page goes back to the allocator only once the flush that was put
 * off has been done.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool gone;
	bool freed;
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

void unmap(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(to_kvm_vmx(kvm)->gone, true);
	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->cached, false);
	WRITE_ONCE(to_kvm_vmx(kvm)->freed, true);
}

/*
 * Source: Linux 706a1ea65e, x86/mm: lazy TLB mode
 * A lazy CPU is spared the flush. It comes back to the same tables and
 * does not look whether they changed meanwhile.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool gone;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool lazy;
	bool cached;
};

void touch_page(struct kvm_vcpu *vcpu)
{
	atomic {
		if (!to_kvm_vmx(vcpu->kvm)->gone && !to_vmx(vcpu)->lazy)
			to_vmx(vcpu)->cached = true;
	}
}

void go_idle(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->lazy, true);
}

void wake_up(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->lazy, false);
}

void unmap(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(to_kvm_vmx(kvm)->gone, true);
	smp_mb();
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!READ_ONCE(to_vmx(vcpu)->lazy))
			WRITE_ONCE(to_vmx(vcpu)->cached, false);
	}
}

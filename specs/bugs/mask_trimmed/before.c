/*
 * Trimming mm_cpumask (powerpc radix 2020, x86 2024): a CPU that is lazy is taken out of the mask.
 *
 * It is spared all later flushes. If it takes the mm up again without a flush, and does not enter the
 * mask before it looks, it uses what it had cached before.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool mapped;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool in_mask;
	bool stale;
};

void resume_mm(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *mm = to_kvm_vmx(vcpu->kvm);

	if (!xchg(&to_vmx(vcpu)->in_mask, true)) {
	}
	atomic {
		if (mm->mapped)
			to_vmx(vcpu)->stale = true;
	}
}

void trim(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->in_mask, false);
}

void unmap(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(to_kvm_vmx(kvm)->mapped, false);
	smp_mb();
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (READ_ONCE(to_vmx(vcpu)->in_mask))
			WRITE_ONCE(to_vmx(vcpu)->stale, false);
	}
}

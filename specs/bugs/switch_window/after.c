/*
 * Linux CVE-2025-37964 (x86/mm should_flush_tlb(), 2025): a CPU is switching to an mm that is flushed.
 *
 * The flush goes to those that have the mm loaded. One that has the new tables already and does not
 * say so yet is left out, and may have cached what is unmapped.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool mapped;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool loaded;
	bool stale;
};

void switch_mm(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *mm = to_kvm_vmx(vcpu->kvm);

	WRITE_ONCE(to_vmx(vcpu)->loaded, true);
	smp_mb();
	/* CR3 is written, and what is used next is cached. */
	atomic {
		if (mm->mapped)
			to_vmx(vcpu)->stale = true;
	}
}

/* The page goes, and each CPU that has the mm is made to flush; it answers between two calls. */
void unmap(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(to_kvm_vmx(kvm)->mapped, false);
	smp_mb();
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (READ_ONCE(to_vmx(vcpu)->loaded))
			WRITE_ONCE(to_vmx(vcpu)->stale, false);
	}
}

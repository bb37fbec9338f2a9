/*
 * Linux 3ea277194daa (mm, 2017): reclaim clears an entry and puts the flush off, past its lock.
 *
 * Who changes protections next finds no entry, so has nothing to flush. It returns, and a CPU may
 * still write to the page. It has to look whether a flush was put off.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t ptl;
	bool present;
	bool flush_pending;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool writable;
};

void write_page(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *mm = to_kvm_vmx(vcpu->kvm);

	atomic {
		if (mm->present)
			to_vmx(vcpu)->writable = true;
	}
}

static void flush_all(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->writable, false);
}

void reclaim(struct kvm *kvm)
{
	struct kvm_vmx *mm = to_kvm_vmx(kvm);
	bool due;

	spin_lock(&mm->ptl);
	due = mm->present;
	WRITE_ONCE(mm->present, false);
	if (due)
		mm->flush_pending = true;
	spin_unlock(&mm->ptl);
	if (due)
		flush_all(kvm);
}

void protect(struct kvm *kvm)
{
	struct kvm_vmx *mm = to_kvm_vmx(kvm);
	bool due;

	spin_lock(&mm->ptl);
	due = mm->present;
	due |= mm->flush_pending;
	WRITE_ONCE(mm->present, false);
	if (due)
		flush_all(kvm);
	spin_unlock(&mm->ptl);
}

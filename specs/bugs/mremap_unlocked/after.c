/*
 * Linux CVE-2018-18281 (mm/mremap, 2018): entries are moved under a lock, and flushed after it.
 *
 * Somebody else may then find the page at its new place, drop it and give it back, and flushes what is
 * at the new place only: through the old one it is still reached.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t ptl;
	bool at_old;
	bool at_new;
	bool freed;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached_old;
	bool hit_freed;
};

/* A CPU accesses the old address: it walks the tables if it has not cached what they said. */
void access_old(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *mm = to_kvm_vmx(vcpu->kvm);

	atomic {
		if (mm->at_old)
			to_vmx(vcpu)->cached_old = true;
		if (to_vmx(vcpu)->cached_old && mm->freed)
			to_vmx(vcpu)->hit_freed = true;
	}
}

static void flush_old(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->cached_old, false);
}

void move_entry(struct kvm *kvm)
{
	struct kvm_vmx *mm = to_kvm_vmx(kvm);

	spin_lock(&mm->ptl);
	if (mm->at_old) {
		WRITE_ONCE(mm->at_old, false);
		WRITE_ONCE(mm->at_new, true);
	}
	flush_old(kvm);
	spin_unlock(&mm->ptl);
}

/* Nobody has cached the new place yet, so that nothing has to be flushed. */
void truncate(struct kvm *kvm)
{
	struct kvm_vmx *mm = to_kvm_vmx(kvm);

	spin_lock(&mm->ptl);
	if (mm->at_new) {
		WRITE_ONCE(mm->at_new, false);
		WRITE_ONCE(mm->freed, true);
	}
	spin_unlock(&mm->ptl);
}

/*
 * Linux a835429cda91 (KVM x86/mmu, 2021): whether a flush is due, over a walk of several roots.
 *
 * The result of one root overwrites that of the root before it, so the flush of what the first one
 * dropped is lost when nothing was dropped in the last.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	bool present[2];
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached;
};

void access_page(struct kvm_vcpu *vcpu, int which)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vmx->lock);
	if ((which == 0 || which == 1) && vmx->present[which])
		to_vmx(vcpu)->cached = true;
	spin_unlock(&vmx->lock);
}

void zap_all(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	bool flush = false;
	unsigned long i;
	int root;

	spin_lock(&vmx->lock);
	for (root = 0; root < 2; root++) {
		flush = vmx->present[root];
		vmx->present[root] = false;
	}
	if (flush) {
		kvm_for_each_vcpu(i, vcpu, kvm)
			to_vmx(vcpu)->cached = false;
	}
	spin_unlock(&vmx->lock);
}

/*
 * Xen XSA-480 (2026): a page is given back before the flush that was put off.
 *
 * Until then a CPU may go on with the translation that it has, and reach the page of somebody else.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	bool mapped;
	bool freed;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached;
	bool hit_freed;
};

void access_page(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vmx->lock);
	if (vmx->mapped)
		to_vmx(vcpu)->cached = true;
	if (to_vmx(vcpu)->cached && vmx->freed)
		to_vmx(vcpu)->hit_freed = true;
	spin_unlock(&vmx->lock);
}

static void flush_all(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		spin_lock(&vmx->lock);
		to_vmx(vcpu)->cached = false;
		spin_unlock(&vmx->lock);
	}
}

static void free_page(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	spin_lock(&vmx->lock);
	vmx->freed = true;
	spin_unlock(&vmx->lock);
}

void unmap(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	spin_lock(&vmx->lock);
	vmx->mapped = false;
	spin_unlock(&vmx->lock);
	flush_all(kvm);
	free_page(kvm);
}

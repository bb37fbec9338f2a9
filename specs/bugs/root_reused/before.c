/*
 * Linux e5c972c1fada (KVM SVM on Hyper-V, 2023): a root is freed, and a new one is at the same address.
 *
 * The hypervisor keeps translations by the address of the root. A vCPU that loads the new root and
 * does not flush takes those of the old one for its own.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	bool reused;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached;
	bool old;
};

/* The root has one address; what was cached under it may be from before it was freed. */
void load_root(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vmx->lock);
	if (!to_vmx(vcpu)->cached)
		to_vmx(vcpu)->old = !vmx->reused;
	to_vmx(vcpu)->cached = true;
	spin_unlock(&vmx->lock);
}

/* All vCPUs are made to load their roots anew before they enter the guest again. */
void free_and_reuse(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	spin_lock(&vmx->lock);
	vmx->reused = true;
	spin_unlock(&vmx->lock);
}

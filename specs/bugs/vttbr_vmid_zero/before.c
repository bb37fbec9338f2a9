/*
 * KVM/arm64 and RISC-V: the register with table base and VMID is made before the VMID is allocated.
 *
 * The vCPU then runs with VMID 0, which is the host's: what it caches is taken for the host's.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	int vmid;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int tag;
};

static void update_vmid(struct kvm_vmx *vmx)
{
	spin_lock(&vmx->lock);
	if (!vmx->vmid)
		WRITE_ONCE(vmx->vmid, 1);
	spin_unlock(&vmx->lock);
}

void enter_guest(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	int tag = READ_ONCE(vmx->vmid);

	update_vmid(vmx);
	to_vmx(vcpu)->tag = tag;
}

/*
 * Linux 92e450507d56 (KVM/arm64, 2017): all vCPUs of a VM share a VMID, and each has mappings of its own.
 *
 * When another vCPU of the VM comes to run on a CPU, the entries of the one before are taken for its
 * own, for they have the same tag. A CPU here is a vCPU of the model; `who` is the guest's vCPU.
 */
struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int last_ran;
	int tlb_of;
};

void vcpu_load(struct kvm_vcpu *vcpu, int who)
{
	struct vcpu_vmx *cpu = to_vmx(vcpu);

	if (who <= 0)
		return;
	cpu->last_ran = who;
}

/* The guest accesses memory: what is in the TLB is used, and nothing else is looked up. */
void guest_access(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *cpu = to_vmx(vcpu);

	if (!cpu->tlb_of)
		cpu->tlb_of = cpu->last_ran;
}

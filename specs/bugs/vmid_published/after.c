/*
 * KVM/arm64 update_vttbr() (2014 and later): the generation of a VMID is published before its table.
 *
 * A vCPU that finds the generation current takes no lock, and loads the table base that it reads.
 * Without a barrier it may see the new generation before the new base. (x86 keeps the order.)
 */
#define NEW_TABLES	0x1000

struct kvm_vmx {
	struct kvm kvm;

	bool current_gen;
	u64 vttbr;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool runs;
	bool old_tables;
};

void new_vmid(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	WRITE_ONCE(vmx->vttbr, NEW_TABLES);
	smp_wmb();
	WRITE_ONCE(vmx->current_gen, true);
}

void enter_guest(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	if (READ_ONCE(vmx->current_gen) && READ_ONCE(vmx->vttbr) != NEW_TABLES)
		to_vmx(vcpu)->old_tables = true;
	smp_mb();
}

/*
 * The order of a flush and a write of CR3 (Intel SDM volume 3, 5.10.4; a bug of several hypervisors).
 *
 * A CPU may fill its TLB at any time, and so between the flush and the switch to other tables: what it
 * caches then is of the old ones, and stays.
 */
#define OLD	0
#define NEW	1

struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int cr3;
	bool old_entry;
};

void switch_root(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->old_entry, false);
	WRITE_ONCE(to_vmx(vcpu)->cr3, NEW);
}

/* The CPU walks its tables, whatever the code does meanwhile. */
void fill_tlb(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	atomic {
		if (to_vmx(vcpu)->cr3 == OLD)
			to_vmx(vcpu)->old_entry = true;
	}
}

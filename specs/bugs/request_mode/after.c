/*
 * Linux 6b7e2d099148 (KVM, 2011): a request is made, and only a vCPU in guest mode is kicked.
 *
 * The vCPU looks for requests before it says that it is in guest mode. One that is made in between is
 * neither seen nor kicked for.
 */
struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool in_guest;
	bool request;
	bool kicked;
};

void enter_guest(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	WRITE_ONCE(vmx->in_guest, true);
	smp_mb();
	if (xchg(&vmx->request, false))
		WRITE_ONCE(vmx->in_guest, false);
}

void exit_guest(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->in_guest, false);
	smp_mb();
	WRITE_ONCE(to_vmx(vcpu)->kicked, false);
}

void make_request(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->request, true);
	smp_mb();
	if (READ_ONCE(to_vmx(vcpu)->in_guest))
		WRITE_ONCE(to_vmx(vcpu)->kicked, true);
}

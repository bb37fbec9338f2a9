/*
 * KVM's KVM_REQ_TLB_FLUSH (kvm_check_request(), and its like): a request is cleared once it is served.
 *
 * One that is made between the flush and that is lost with it. It has to be taken before the flush.
 */
struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool request;
	bool stale;
};

void enter_guest(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (READ_ONCE(vmx->request)) {
		WRITE_ONCE(vmx->stale, false);
		WRITE_ONCE(vmx->request, false);
	}
}

void unmap(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(to_vmx(vcpu)->stale, true);
	smp_mb();
	WRITE_ONCE(to_vmx(vcpu)->request, true);
}

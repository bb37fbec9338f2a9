/*
 * KVM Hyper-V PV TLB flush (hv_tlb_flush_enqueue(), 2022): addresses to flush wait in a queue, of one here.
 *
 * A queue that is full has to say that everything is to be flushed. If it drops the address instead,
 * the vCPU goes on with that translation.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	int queued[1];
	int used;
	bool all;
	bool stale;
};

/* The address of interest is 1; all others are of no matter. */
void flush_queue(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	spin_lock(&to_kvm_vmx(vcpu->kvm)->lock);
	if (vmx->all || (vmx->used && vmx->queued[0] == 1))
		vmx->stale = false;
	vmx->used = 0;
	vmx->all = false;
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->lock);
}

void unmap(struct kvm *kvm, struct kvm_vcpu *vcpu, int gva)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	spin_lock(&to_kvm_vmx(vcpu->kvm)->lock);
	if (gva == 1)
		vmx->stale = true;
	if (!vmx->used) {
		vmx->queued[0] = gva;
		vmx->used = 1;
	}
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->lock);
}

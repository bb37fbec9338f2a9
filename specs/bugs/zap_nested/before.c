/*
 * Linux mm_tlb_flush_nested() (56236a59556c, mm, 2017): two threads zap the same page and flush later.
 *
 * One finds the page gone already and returns without a flush, while that of the other is still
 * pending: its caller takes the page to be out of use.
 */
struct kvm_vmx {
	struct kvm kvm;

	spinlock_t lock;
	bool gone;
	int pending;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached;
};

/* The hardware fills a TLB entry: it walks the tables and keeps what it finds. */
void touch_page(struct kvm_vcpu *vcpu)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vmx->lock);
	if (!vmx->gone)
		to_vmx(vcpu)->cached = true;
	spin_unlock(&vmx->lock);
}

void zap(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	unsigned long i;
	bool mine, due;

	spin_lock(&vmx->lock);
	mine = !vmx->gone;
	vmx->gone = true;
	if (mine)
		vmx->pending = 1;
	due = mine;
	spin_unlock(&vmx->lock);
	if (!due)
		return;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(to_vmx(vcpu)->cached, false);

	spin_lock(&vmx->lock);
	vmx->pending = 0;
	spin_unlock(&vmx->lock);
}

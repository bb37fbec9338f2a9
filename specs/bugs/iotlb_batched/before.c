/*
 * Xen XSA-346 (CVE-2020-27671, 2020): flushes of the IOTLB are put off while many pages are handled.
 *
 * A page that is unmapped meanwhile is given back at once. Until the flush at the end a device still
 * reaches it. Here each vCPU stands for a device.
 */
struct kvm_vmx {
	struct kvm kvm;

	bool mapped;
	bool freed;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;

	bool cached;
	bool hit_freed;
};

void dma(struct kvm_vcpu *device)
{
	struct kvm_vmx *vmx = to_kvm_vmx(device->kvm);

	atomic {
		if (vmx->mapped)
			to_vmx(device)->cached = true;
		if (to_vmx(device)->cached && vmx->freed)
			to_vmx(device)->hit_freed = true;
	}
}

static void flush_iotlb(struct kvm *kvm, bool suppressed)
{
	struct kvm_vcpu *device;
	unsigned long i;

	if (suppressed)
		return;
	kvm_for_each_vcpu(i, device, kvm)
		WRITE_ONCE(to_vmx(device)->cached, false);
}

void remove_pages(struct kvm *kvm)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);

	WRITE_ONCE(vmx->mapped, false);
	flush_iotlb(kvm, true);
	WRITE_ONCE(vmx->freed, true);
	flush_iotlb(kvm, false);
}

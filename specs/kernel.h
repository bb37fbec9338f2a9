/*
 * What a kernel file may leave to headers that are not at hand. It comes behind the prelude, and each
 * of these is used only where neither the file nor what it includes defines the name.
 */

#define CONFIG_KVM_HYPERV 1
#define CONFIG_KVM_INTEL 1
#define CONFIG_KVM_AMD 1
#define BITS_PER_LONG 64
#define KVM_BUG_ON(condition, kvm) (!!(condition))
#define KVM_BUG(condition, kvm, ...) (!!(condition))
#define WARN_ONCE(condition, ...) (!!(condition))
#define WARN(condition, ...) (!!(condition))
#define BUILD_BUG_ON(condition) ((void)0)
#define BUILD_BUG_ON_MSG(condition, text) ((void)0)
#define PTR_ERR(p) (-EINVAL)
#define EPERM 1
#define ENOENT 2
#define EINTR 4
#define ENXIO 6
#define EAGAIN 11
#define EFAULT 14
#define EBUSY 16
#define ENODEV 19
#define ENOSYS 38
#define ETIMEDOUT 110

/* Any value whatsoever: what code outside the model computes. */
s64 __any_value(void) __free;

/* The VM, for code that may write to it and is not at hand. */
struct kvm_vcpu *__first_vcpu(void) __vcpu_at(0);
static inline struct kvm *__the_vm(void)
{
	return __first_vcpu()->kvm;
}

struct kvm_vmx {
	struct kvm kvm;
};

struct vcpu_vmx {
	struct kvm_vcpu vcpu;
};

struct kvm_svm {
	struct kvm kvm;
};

struct vcpu_svm {
	struct kvm_vcpu vcpu;
};

static inline struct kvm_svm *to_kvm_svm(struct kvm *kvm)
{
	return container_of(kvm, struct kvm_svm, kvm);
}

static inline struct vcpu_svm *to_svm(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_svm, vcpu);
}

enum ept_pointers_status {
	EPT_POINTERS_CHECK = 0,
	EPT_POINTERS_MATCH = 1,
	EPT_POINTERS_MISMATCH = 2
};

/* The flush is installed where two-dimensional paging is in use. */
bool enable_ept = 1;
bool npt_enabled = 1;

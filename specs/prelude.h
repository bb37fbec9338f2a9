/*
 * What the machine provides to a variant: types, structs, and the kernel API. A prototype with a
 * trailing word has its meaning from the machine; a function with a body means that body; a file
 * may define any of the latter itself.
 *
 *   __acquires(lock) __releases(lock)        take or free the lock
 *   __hypercall(root, whole, start, pages)   flush a root for everything or for a range of pages
 *   __free                                   any result
 *   __ignored                                no effect, arguments are not looked at
 *   __vcpu_at(i) __num_vcpus                 the vCPUs of the VM
 *   __fence __load(p) __store(p, v) __exchange(p, v) __compare_exchange(p, old, v)
 */

typedef signed char s8;
typedef unsigned char u8;
typedef short s16;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned long uintptr_t;
typedef unsigned long size_t;
typedef long ssize_t;
typedef unsigned int gfp_t;
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef u64 hpa_t;
typedef u64 hfn_t;
typedef unsigned long gva_t;
typedef unsigned long hva_t;

#define NULL ((void *)0)
#define true 1
#define false 0
#define CONFIG_HYPERV 1
#define CONFIG_X86_64 1
#define CONFIG_SMP 1

#define likely(x) (x)
#define unlikely(x) (x)
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))

#define EINVAL 22
#define ENOTSUPP 524
#define EOPNOTSUPP 95
#define ENOMEM 12
#define EIO 5

/* Pages and roots. 0 is a valid page to VALID_PAGE(). */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define INVALID_PAGE (~(hpa_t)0)
#define VALID_PAGE(x) ((x) != INVALID_PAGE)

/* Locks. A thread that takes one it holds waits for itself. */
typedef struct spinlock { } spinlock_t;
typedef struct raw_spinlock { } raw_spinlock_t;
struct mutex { };

void spin_lock(spinlock_t *lock) __acquires(lock);
void spin_unlock(spinlock_t *lock) __releases(lock);
void raw_spin_lock(raw_spinlock_t *lock) __acquires(lock);
void raw_spin_unlock(raw_spinlock_t *lock) __releases(lock);
void mutex_lock(struct mutex *lock) __acquires(lock);
void mutex_unlock(struct mutex *lock) __releases(lock);
void spin_lock_init(spinlock_t *lock) __ignored;
void raw_spin_lock_init(raw_spinlock_t *lock) __ignored;
void mutex_init(struct mutex *lock) __ignored;
void lockdep_assert_held(spinlock_t *lock) __ignored;

#define spin_lock_irqsave(lock, flags) do { (flags) = 0; spin_lock(lock); } while (0)
#define spin_unlock_irqrestore(lock, flags) do { (void)(flags); spin_unlock(lock); } while (0)
#define spin_lock_irq(lock) spin_lock(lock)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_bh(lock) spin_lock(lock)
#define spin_unlock_bh(lock) spin_unlock(lock)

/* Single accesses. */
int __read_marked(void *p) __load(p);
void __write_marked(void *p, u64 v) __store(p, v);
#define READ_ONCE(x) __read_marked(&(x))
#define WRITE_ONCE(x, v) __write_marked(&(x), (v))

void smp_mb(void) __fence;

/* Words without meaning here. */
void trace_printk(void) __ignored;
void pr_err(void) __ignored;
void pr_warn(void) __ignored;
void pr_info(void) __ignored;
void pr_debug(void) __ignored;
void might_sleep(void) __ignored;
#define BUG_ON(condition) do { } while (0)
#define WARN_ON_ONCE(condition) (!!(condition))
#define WARN_ON(condition) (!!(condition))

/* The virtual machine and its vCPUs. */
struct kvm_arch { };

struct kvm {
	struct kvm_arch arch;
};

struct kvm_vcpu_arch { };

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	int vcpu_idx;
	struct kvm_vcpu_arch arch;
};

struct kvm_tlb_range {
	u64 start_gfn;
	u64 pages;
};

struct kvm_vcpu *kvm_get_vcpu(struct kvm *kvm, int i) __vcpu_at(i);
int __online_vcpus(struct kvm *kvm) __num_vcpus;

static inline struct kvm_vmx *to_kvm_vmx(struct kvm *kvm)
{
	return container_of(kvm, struct kvm_vmx, kvm);
}

static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

/* The two hypercalls: 0, or any error. */
struct hv_guest_mapping_flush_list { };
typedef int (*hyperv_fill_flush_list_func)(struct hv_guest_mapping_flush_list *flush, void *data);

int hyperv_flush_guest_mapping(u64 as) __hypercall(as, true, 0, 0);
int hyperv_flush_guest_mapping_range(u64 as, hyperv_fill_flush_list_func fill,
				     struct kvm_tlb_range *data)
	__hypercall(as, false, data->start_gfn, data->pages);
int kvm_fill_hv_flush_list_func(struct hv_guest_mapping_flush_list *flush, void *data) __free;

/* An EPT pointer is a root with attribute bits that depend on nothing else. */
static inline u64 construct_eptp(struct kvm_vcpu *vcpu, u64 root, int level)
{
	return (root & PAGE_MASK) | 0x1e;
}

enum { EPT_POINTER = 0x201a, GUEST_CR3 = 0x6802 };
void vmcs_write64(unsigned long field, u64 value) __ignored;
void vmcs_writel(unsigned long field, unsigned long value) __ignored;

/* What vCPU creation sets in every vCPU. */
static inline void machine_boot(struct kvm_vcpu *vcpu, int index)
{
	vcpu->vcpu_id = index;
	vcpu->vcpu_idx = index;
}

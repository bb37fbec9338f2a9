/*
 * What the machine provides to a variant: types, structs, and the kernel API. A prototype with a
 * trailing word has its meaning from the machine; a function with a body means that body; a file
 * may define any of the latter itself.
 *
 *   __acquires(lock) __releases(lock)        take the lock; free it by a plain store
 *   __acquires_shared(l) __releases_shared(l)   the same as one of its readers
 *   __releases_fenced(lock)                  free the lock by a locked instruction
 *   __tries(lock) __tries_shared(lock)       take the lock and return 1, or return 0 at once
 *   __hypercall(root, whole, start, pages)   flush a root for everything or for a range of pages
 *   __free                                   any result
 *   __initialises(lock)                      refused: others may hold the lock
 *   __ignored                                no effect; arguments are evaluated for theirs only
 *   __vcpu_at(i) __num_vcpus                 the vCPUs of the VM
 *   __flag_of(mask, vcpu)                    where a mask says whether a vCPU is in it
 *   __fence __load(p) __store(p, v) __exchange(p, v) __compare_exchange(p, old, v)
 *   __store_fence __store_release(p, v)      barriers between stores, of them all and before one
 *   __exchange_add(p, v) __exchange_or(p, v) __exchange_and(p, v)
 *   __waits_for(p, condition)   read *p until the condition holds of it, by the name VAL; *p
 *   __value(v)                               the value, as it is now
 *   __typed(x, v)                            (typeof(x))(v); x is not evaluated
 *   __least(a, b) __greatest(a, b)           the one or the other, in their common type
 *   __first(a, b)                            a, once b has been evaluated
 *   __elements(x)                            how many an array has; x is not evaluated
 *   __constant(x)                            1 for a constant, else any of 0 and 1; x is not evaluated
 *   __unreachable                            undefined, as C has it
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

/* Numbers. What a kernel evaluates once is evaluated once, in the order in which it stands. */
struct __number { };
u64 __number_value(struct __number v) __value(v);
u64 __number_typed(struct __number x, struct __number v) __typed(x, v);
u64 __number_least(struct __number a, struct __number b) __least(a, b);
u64 __number_greatest(struct __number a, struct __number b) __greatest(a, b);
u64 __number_first(struct __number a, struct __number b) __first(a, b);
u64 __number_elements(struct __number x) __elements(x);

#define min(a, b) __number_least(__number_value(a), __number_value(b))
#define max(a, b) __number_greatest(__number_value(a), __number_value(b))
#define min3(a, b, c) min(min(a, b), c)
#define max3(a, b, c) max(max(a, b), c)
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define clamp(v, low, high) min(max(v, low), high)
#define clamp_t(type, v, low, high) min_t(type, max_t(type, v, low), high)
#define swap(a, b) do { (b) = __number_first(__number_value(a), (a) = (b)); } while (0)
#define ARRAY_SIZE(array) __number_elements(array)
#define GENMASK(high, low) ((~0UL << (low)) & (~0UL >> (63 - (high))))
#define GENMASK_ULL(high, low) ((~0ULL << (low)) & (~0ULL >> (63 - (high))))
#define lower_32_bits(n) ((u32)((n) & 0xffffffff))
#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define __ALIGN_BITS(x, a) (__number_typed(x, a) - 1)
#define ALIGN(x, a) (((x) + __ALIGN_BITS(x, a)) & ~__ALIGN_BITS(x, a))
#define ALIGN_DOWN(x, a) ALIGN((x) - ((a) - 1), a)
#define IS_ALIGNED(x, a) (((x) & __ALIGN_BITS(x, a)) == 0)
#define __ROUND_BITS(x, y) __number_typed(x, (y) - 1)
#define round_up(x, y) ((((x) - 1) | __ROUND_BITS(x, y)) + 1)
#define round_down(x, y) ((x) & ~__ROUND_BITS(x, y))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))

/* What gcc defines by itself. */
#define __x86_64__ 1
#define __LP64__ 1
#define __STDC__ 1
#define __ORDER_LITTLE_ENDIAN__ 1234
#define __ORDER_BIG_ENDIAN__ 4321
#define __BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__
#define __CHAR_BIT__ 8
#define __SCHAR_MAX__ 0x7f
#define __SHRT_MAX__ 0x7fff
#define __INT_MAX__ 0x7fffffff
#define __LONG_MAX__ 0x7fffffffffffffffL
#define __LONG_LONG_MAX__ 0x7fffffffffffffffLL
#define __SIZE_MAX__ 0xffffffffffffffffUL
#define __SIZEOF_SHORT__ 2
#define __SIZEOF_INT__ 4
#define __SIZEOF_LONG__ 8
#define __SIZEOF_LONG_LONG__ 8
#define __SIZEOF_POINTER__ 8
#define __SIZEOF_INT128__ 16
#define __ORDER_LITTLE_ENDIAN__ 1234
#define __ORDER_BIG_ENDIAN__ 4321
#define __ORDER_PDP_ENDIAN__ 3412
#define __BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__
#define __x86_64__ 1
#define __LP64__ 1
#define __linux__ 1
#define __OPTIMIZE__ 1
#define __SIZE_TYPE__ unsigned long
#define __PTRDIFF_TYPE__ long
#define __INTPTR_TYPE__ long
#define __UINTPTR_TYPE__ unsigned long
#define __INT8_TYPE__ signed char
#define __INT16_TYPE__ short
#define __INT32_TYPE__ int
#define __INT64_TYPE__ long
#define __UINT8_TYPE__ unsigned char
#define __UINT16_TYPE__ unsigned short
#define __UINT32_TYPE__ unsigned int
#define __UINT64_TYPE__ unsigned long

static inline long __builtin_expect(long v, long usual) { return v; }
int __builtin_constant_p(struct __number x) __constant(x);
void __builtin_unreachable(void) __unreachable;
static inline int __builtin_abs(int v) { return v < 0 ? -v : v; }
static inline long __builtin_labs(long v) { return v < 0 ? -v : v; }
static inline long long __builtin_llabs(long long v) { return v < 0 ? -v : v; }
static inline u16 __builtin_bswap16(u16 v) { return v << 8 | v >> 8; }
static inline u32 __builtin_bswap32(u32 v)
{
	return v << 24 | (v & 0xff00) << 8 | (v >> 8 & 0xff00) | v >> 24;
}
static inline u64 __builtin_bswap64(u64 v)
{
	return (u64)__builtin_bswap32(v) << 32 | __builtin_bswap32(v >> 32);
}
static inline int __builtin_popcountll(unsigned long long v)
{
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	v = v + (v >> 4) & 0x0f0f0f0f0f0f0f0f;
	return v * 0x0101010101010101 >> 56;
}
static inline int __builtin_popcountl(unsigned long v) { return __builtin_popcountll(v); }
static inline int __builtin_popcount(unsigned int v) { return __builtin_popcountll(v); }
static inline int __builtin_parityll(unsigned long long v) { return __builtin_popcountll(v) & 1; }
static inline int __builtin_parityl(unsigned long v) { return __builtin_popcountll(v) & 1; }
static inline int __builtin_parity(unsigned int v) { return __builtin_popcountll(v) & 1; }
static inline int __builtin_ctzll(unsigned long long v)
{
	if (!v)
		__builtin_unreachable();
	return __builtin_popcountll((v & -v) - 1);
}
static inline int __builtin_ctzl(unsigned long v) { return __builtin_ctzll(v); }
static inline int __builtin_ctz(unsigned int v) { return __builtin_ctzll(v); }
static inline int __builtin_clzll(unsigned long long v)
{
	if (!v)
		__builtin_unreachable();
	v |= v >> 1;
	v |= v >> 2;
	v |= v >> 4;
	v |= v >> 8;
	v |= v >> 16;
	v |= v >> 32;
	return 64 - __builtin_popcountll(v);
}
static inline int __builtin_clzl(unsigned long v) { return __builtin_clzll(v); }
static inline int __builtin_clz(unsigned int v) { return __builtin_clzll(v) - 32; }
static inline int __builtin_ffsll(long long v) { return v ? __builtin_ctzll(v) + 1 : 0; }
static inline int __builtin_ffsl(long v) { return __builtin_ffsll(v); }
static inline int __builtin_ffs(int v) { return __builtin_ffsll(v); }

#define EINVAL 22
#define ENOTSUPP 524
#define EOPNOTSUPP 95
#define ENOMEM 12
#define EIO 5

/* Pages and roots. 0 is a valid page to VALID_PAGE(). */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) ALIGN(x, PAGE_SIZE)
#define INVALID_PAGE (~(hpa_t)0)
#define VALID_PAGE(x) ((x) != INVALID_PAGE)

/*
 * Locks. A thread that takes one it holds waits for itself. As on x86-64, all are taken by a locked
 * instruction, which is a full barrier. Spinlocks, and rwlocks by a writer, are freed by a plain
 * store, so that they stay held for others until it is in memory; mutexes, semaphores, and rwlocks
 * by a reader, by a locked instruction. An attempt reads the lock first and fails without any
 * barrier (that of some kernels' semaphores is one; no code may rely on it).
 */
typedef struct spinlock { } spinlock_t;
typedef struct raw_spinlock { } raw_spinlock_t;
struct mutex { };
typedef struct rwlock { } rwlock_t;
struct rw_semaphore { };

void spin_lock(spinlock_t *lock) __acquires(lock);
void spin_unlock(spinlock_t *lock) __releases(lock);
void raw_spin_lock(raw_spinlock_t *lock) __acquires(lock);
void raw_spin_unlock(raw_spinlock_t *lock) __releases(lock);
void mutex_lock(struct mutex *lock) __acquires(lock);
void mutex_unlock(struct mutex *lock) __releases_fenced(lock);
int spin_trylock(spinlock_t *lock) __tries(lock);
int raw_spin_trylock(raw_spinlock_t *lock) __tries(lock);
int mutex_trylock(struct mutex *lock) __tries(lock);

/* Readers do not keep each other out, and a reader does not wait for a writer that waits. */
void read_lock(rwlock_t *lock) __acquires_shared(lock);
void read_unlock(rwlock_t *lock) __releases_shared(lock);
void write_lock(rwlock_t *lock) __acquires(lock);
void write_unlock(rwlock_t *lock) __releases(lock);
int read_trylock(rwlock_t *lock) __tries_shared(lock);
int write_trylock(rwlock_t *lock) __tries(lock);
void down_read(struct rw_semaphore *sem) __acquires_shared(sem);
void up_read(struct rw_semaphore *sem) __releases_shared(sem);
void down_write(struct rw_semaphore *sem) __acquires(sem);
void up_write(struct rw_semaphore *sem) __releases_fenced(sem);
int down_read_trylock(struct rw_semaphore *sem) __tries_shared(sem);
int down_write_trylock(struct rw_semaphore *sem) __tries(sem);

void spin_lock_init(spinlock_t *lock) __initialises(lock);
void raw_spin_lock_init(raw_spinlock_t *lock) __initialises(lock);
void mutex_init(struct mutex *lock) __initialises(lock);
void rwlock_init(rwlock_t *lock) __initialises(lock);
void init_rwsem(struct rw_semaphore *sem) __initialises(sem);
void lockdep_assert_held(spinlock_t *lock) __ignored;
void lockdep_assert_held_once(spinlock_t *lock) __ignored;
void lockdep_assert_not_held(spinlock_t *lock) __ignored;
void lockdep_assert(int condition) __ignored;
void assert_spin_locked(spinlock_t *lock) __ignored;
int lockdep_is_held(spinlock_t *lock) __free;
int spin_is_locked(spinlock_t *lock) __free;
void lockdep_assert_held_read(rwlock_t *lock) __ignored;
void lockdep_assert_held_write(rwlock_t *lock) __ignored;

#define spin_lock_irqsave(lock, flags) do { (flags) = 0; spin_lock(lock); } while (0)
#define spin_unlock_irqrestore(lock, flags) do { (void)(flags); spin_unlock(lock); } while (0)
#define spin_lock_irq(lock) spin_lock(lock)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_bh(lock) spin_lock(lock)
#define spin_unlock_bh(lock) spin_unlock(lock)
#define spin_lock_nested(lock, subclass) spin_lock(lock)
#define mutex_lock_nested(lock, subclass) mutex_lock(lock)
#define raw_spin_lock_irqsave(lock, flags) do { (flags) = 0; raw_spin_lock(lock); } while (0)
#define raw_spin_unlock_irqrestore(lock, flags) \
	do { (void)(flags); raw_spin_unlock(lock); } while (0)
#define raw_spin_lock_irq(lock) raw_spin_lock(lock)
#define raw_spin_unlock_irq(lock) raw_spin_unlock(lock)
#define read_lock_irqsave(lock, flags) do { (flags) = 0; read_lock(lock); } while (0)
#define read_unlock_irqrestore(lock, flags) do { (void)(flags); read_unlock(lock); } while (0)
#define read_lock_irq(lock) read_lock(lock)
#define read_unlock_irq(lock) read_unlock(lock)
#define read_lock_bh(lock) read_lock(lock)
#define read_unlock_bh(lock) read_unlock(lock)
#define write_lock_irqsave(lock, flags) do { (flags) = 0; write_lock(lock); } while (0)
#define write_unlock_irqrestore(lock, flags) do { (void)(flags); write_unlock(lock); } while (0)
#define write_lock_irq(lock) write_lock(lock)
#define write_unlock_irq(lock) write_unlock(lock)
#define write_lock_bh(lock) write_lock(lock)
#define write_unlock_bh(lock) write_unlock(lock)

/* Single accesses. */
int __read_marked(void *p) __load(p);
void __write_marked(void *p, u64 v) __store(p, v);
#define READ_ONCE(x) __read_marked(&(x))
#define WRITE_ONCE(x, v) __write_marked(&(x), (v))

/*
 * Barriers, as they are on x86-64. A full one is a locked instruction or MFENCE: it waits until the
 * stores before it are in memory. All others keep the compiler from reordering, and nothing more:
 * x86 does not reorder loads, or stores, and LFENCE (rmb) and SFENCE (wmb) wait for no store to
 * ordinary memory. Under `memory pso` stores are reordered, and wmb keeps those before it before
 * those after it; a store that releases comes after those before it. What stands beside an atomic access or behind a lock is empty, for these are
 * locked instructions themselves.
 */
void smp_mb(void) __fence;
void mb(void) __fence;
void dma_mb(void) __fence;
void virt_mb(void) __fence;
void __smp_mb(void) __fence;
void barrier(void) __ignored;
void rmb(void) __ignored;
void wmb(void) __store_fence;
void smp_rmb(void) __ignored;
void smp_wmb(void) __store_fence;
void dma_rmb(void) __ignored;
void dma_wmb(void) __store_fence;
void virt_rmb(void) __ignored;
void virt_wmb(void) __store_fence;
void __smp_rmb(void) __ignored;
void __smp_wmb(void) __store_fence;
void smp_mb__before_atomic(void) __ignored;
void smp_mb__after_atomic(void) __ignored;
void __smp_mb__before_atomic(void) __ignored;
void __smp_mb__after_atomic(void) __ignored;
void smp_mb__after_spinlock(void) __ignored;
void smp_mb__after_unlock_lock(void) __ignored;
void smp_acquire__after_ctrl_dep(void) __ignored;
void smp_read_barrier_depends(void) __ignored;
void read_barrier_depends(void) __ignored;
void barrier_nospec(void) __ignored;
static inline void cpu_relax(void) { }

/* Goes on once the condition holds; that it ever will is for no_deadlock to say. */
#define __wait(condition) while (!(condition)) cpu_relax()

/* Plain accesses of x86; the store of smp_store_mb() is XCHG, which is a store and a full barrier. */
#define smp_load_acquire(p) READ_ONCE(*(p))
void __write_release(void *p, u64 v) __store_release(p, v);
#define smp_store_release(p, v) __write_release(p, v)
#define smp_store_mb(x, v) do { WRITE_ONCE(x, v); smp_mb(); } while (0)
u64 __cond_load(struct __number p, struct __number condition) __waits_for(p, condition);
#define smp_cond_load_relaxed(p, condition) __cond_load(p, condition)
#define smp_cond_load_acquire(p, condition) __cond_load(p, condition)
#define virt_load_acquire(p) smp_load_acquire(p)
#define virt_store_release(p, v) smp_store_release(p, v)
#define virt_store_mb(x, v) smp_store_mb(x, v)
#define __smp_load_acquire(p) smp_load_acquire(p)
#define __smp_store_release(p, v) smp_store_release(p, v)
#define __smp_store_mb(x, v) smp_store_mb(x, v)

/* Read and write at once, also where a comparison fails. */
int __xchg(void *p, u64 v) __exchange(p, v);
int __cmpxchg(void *p, u64 old, u64 v) __compare_exchange(p, old, v);
#define xchg(p, v) __xchg(p, v)
#define cmpxchg(p, old, v) __cmpxchg(p, old, v)
#define try_cmpxchg(p, old, v) ({			\
	u64 __old = *(old);				\
	u64 __seen = cmpxchg(p, __old, v);		\
	if (__seen != __old)				\
		*(old) = __seen;			\
	__seen == __old; })

/*
 * Bits of words, and of bitmaps, which are arrays of words. The first five are atomic; on x86 a
 * change that is atomic is a locked instruction, and so a full barrier.
 */
#define BITS_PER_LONG 64
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]
#define BIT_MASK(nr) (1UL << ((nr) % BITS_PER_LONG))
#define BIT_WORD(nr) ((nr) / BITS_PER_LONG)
/* The same of a number without a sign; that no division is left makes proofs easier. */
#define __mask_of(nr) (1UL << ((nr) & (BITS_PER_LONG - 1)))
#define __word_of(nr) ((nr) >> 6)
unsigned long __word_or(unsigned long *p, unsigned long v) __exchange_or(p, v);
unsigned long __word_and(unsigned long *p, unsigned long v) __exchange_and(p, v);
static inline bool test_bit(unsigned long nr, unsigned long *addr)
{
	return (READ_ONCE(addr[__word_of(nr)]) & __mask_of(nr)) != 0;
}
static inline bool test_and_set_bit(unsigned long nr, unsigned long *addr)
{
	return (__word_or(&addr[__word_of(nr)], __mask_of(nr)) & __mask_of(nr)) != 0;
}
static inline bool test_and_clear_bit(unsigned long nr, unsigned long *addr)
{
	return (__word_and(&addr[__word_of(nr)], ~__mask_of(nr)) & __mask_of(nr)) != 0;
}
static inline void set_bit(unsigned long nr, unsigned long *addr) { test_and_set_bit(nr, addr); }
static inline void clear_bit(unsigned long nr, unsigned long *addr)
{
	test_and_clear_bit(nr, addr);
}
static inline void __set_bit(unsigned long nr, unsigned long *addr)
{
	addr[__word_of(nr)] |= __mask_of(nr);
}
static inline void __clear_bit(unsigned long nr, unsigned long *addr)
{
	addr[__word_of(nr)] &= ~__mask_of(nr);
}

typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
#define atomic_cond_read_relaxed(v, condition) smp_cond_load_relaxed(&(v)->counter, condition)
#define atomic_cond_read_acquire(v, condition) smp_cond_load_acquire(&(v)->counter, condition)
#define atomic64_cond_read_relaxed(v, condition) smp_cond_load_relaxed(&(v)->counter, condition)
#define atomic64_cond_read_acquire(v, condition) smp_cond_load_acquire(&(v)->counter, condition)
#define ATOMIC_INIT(i) { (i) }
#define ATOMIC64_INIT(i) { (i) }

int atomic_fetch_add(int i, atomic_t *v) __exchange_add(&v->counter, i);
int atomic_fetch_sub(int i, atomic_t *v) __exchange_add(&v->counter, -i);
int atomic_fetch_or(int i, atomic_t *v) __exchange_or(&v->counter, i);
int atomic_fetch_and(int i, atomic_t *v) __exchange_and(&v->counter, i);
int atomic_fetch_andnot(int i, atomic_t *v) __exchange_and(&v->counter, ~i);
int atomic_xchg(atomic_t *v, int i) __exchange(&v->counter, i);
int atomic_cmpxchg(atomic_t *v, int old, int i) __compare_exchange(&v->counter, old, i);
static inline int atomic_read(atomic_t *v) { return READ_ONCE(v->counter); }
static inline void atomic_set(atomic_t *v, int i) { WRITE_ONCE(v->counter, i); }
static inline void atomic_add(int i, atomic_t *v) { atomic_fetch_add(i, v); }
static inline void atomic_sub(int i, atomic_t *v) { atomic_fetch_sub(i, v); }
static inline void atomic_or(int i, atomic_t *v) { atomic_fetch_or(i, v); }
static inline void atomic_and(int i, atomic_t *v) { atomic_fetch_and(i, v); }
static inline void atomic_andnot(int i, atomic_t *v) { atomic_fetch_andnot(i, v); }
static inline void atomic_inc(atomic_t *v) { atomic_fetch_add(1, v); }
static inline void atomic_dec(atomic_t *v) { atomic_fetch_sub(1, v); }
static inline int atomic_add_return(int i, atomic_t *v) { return atomic_fetch_add(i, v) + i; }
static inline int atomic_sub_return(int i, atomic_t *v) { return atomic_fetch_sub(i, v) - i; }
static inline int atomic_inc_return(atomic_t *v) { return atomic_add_return(1, v); }
static inline int atomic_dec_return(atomic_t *v) { return atomic_sub_return(1, v); }
static inline bool atomic_inc_and_test(atomic_t *v) { return atomic_inc_return(v) == 0; }
static inline bool atomic_dec_and_test(atomic_t *v) { return atomic_dec_return(v) == 0; }

s64 atomic64_fetch_add(s64 i, atomic64_t *v) __exchange_add(&v->counter, i);
s64 atomic64_fetch_sub(s64 i, atomic64_t *v) __exchange_add(&v->counter, -i);
s64 atomic64_fetch_or(s64 i, atomic64_t *v) __exchange_or(&v->counter, i);
s64 atomic64_fetch_and(s64 i, atomic64_t *v) __exchange_and(&v->counter, i);
s64 atomic64_fetch_andnot(s64 i, atomic64_t *v) __exchange_and(&v->counter, ~i);
s64 atomic64_xchg(atomic64_t *v, s64 i) __exchange(&v->counter, i);
s64 atomic64_cmpxchg(atomic64_t *v, s64 old, s64 i) __compare_exchange(&v->counter, old, i);
static inline s64 atomic64_read(atomic64_t *v) { return READ_ONCE(v->counter); }
static inline void atomic64_set(atomic64_t *v, s64 i) { WRITE_ONCE(v->counter, i); }
static inline void atomic64_add(s64 i, atomic64_t *v) { atomic64_fetch_add(i, v); }
static inline void atomic64_sub(s64 i, atomic64_t *v) { atomic64_fetch_sub(i, v); }
static inline void atomic64_or(s64 i, atomic64_t *v) { atomic64_fetch_or(i, v); }
static inline void atomic64_and(s64 i, atomic64_t *v) { atomic64_fetch_and(i, v); }
static inline void atomic64_andnot(s64 i, atomic64_t *v) { atomic64_fetch_andnot(i, v); }
static inline void atomic64_inc(atomic64_t *v) { atomic64_fetch_add(1, v); }
static inline void atomic64_dec(atomic64_t *v) { atomic64_fetch_sub(1, v); }
static inline s64 atomic64_add_return(s64 i, atomic64_t *v) { return atomic64_fetch_add(i, v) + i; }
static inline s64 atomic64_sub_return(s64 i, atomic64_t *v) { return atomic64_fetch_sub(i, v) - i; }
static inline s64 atomic64_inc_return(atomic64_t *v) { return atomic64_add_return(1, v); }
static inline s64 atomic64_dec_return(atomic64_t *v) { return atomic64_sub_return(1, v); }
static inline bool atomic64_inc_and_test(atomic64_t *v) { return atomic64_inc_return(v) == 0; }
static inline bool atomic64_dec_and_test(atomic64_t *v) { return atomic64_dec_return(v) == 0; }

/* Words without meaning here. */
void trace_printk(void) __ignored;
void pr_err(void) __ignored;
void pr_warn(void) __ignored;
void pr_info(void) __ignored;
void pr_debug(void) __ignored;
void might_sleep(void) __ignored;
#define BUG_ON(condition) ((void)(condition))
#define WARN_ON_ONCE(condition) (!!(condition))
#define WARN_ON(condition) (!!(condition))

/*
 * The virtual machine and its vCPUs. Their number is read by atomic_read(&kvm->online_vcpus), or as
 * kvm->created_vcpus. What code outside the model changes at any time has any value whenever it is
 * read: `mode`, `cpu` and `requests` of a vCPU.
 */
struct kvm_arch { };

struct kvm {
	struct kvm_arch arch;
};

struct kvm_vcpu_arch { };

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	int vcpu_idx;
	int cpu;
	int mode;
	u64 requests;
	struct kvm_vcpu_arch arch;
};

enum {
	OUTSIDE_GUEST_MODE,
	IN_GUEST_MODE,
	EXITING_GUEST_MODE,
	READING_SHADOW_PAGE_TABLES
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

/*
 * The two hypercalls: 0, or any error. The second is for a range, which a callback enters in a list;
 * it returns how many entries there are. With another number the range is not the one entered.
 */
struct hv_guest_mapping_flush_list {
	u64 __start;
	u64 __pages;
	int __entries;
};
typedef int (*hyperv_fill_flush_list_func)(struct hv_guest_mapping_flush_list *flush, void *data);

int __some_entries(void) __free;
static inline int hyperv_fill_flush_guest_mapping_list(struct hv_guest_mapping_flush_list *flush,
						       u64 start_gfn, u64 pages)
{
	flush->__start = start_gfn;
	flush->__pages = pages;
	flush->__entries = __some_entries();
	return flush->__entries;
}

int hyperv_flush_guest_mapping(u64 as) __hypercall(as, true, 0, 0);
int __flush_entered(u64 as, u64 start, u64 pages) __hypercall(as, false, start, pages);
static inline int hyperv_flush_guest_mapping_range(u64 as, hyperv_fill_flush_list_func fill,
						   void *data)
{
	struct hv_guest_mapping_flush_list flush = { };
	int entries = fill(&flush, data);

	return __flush_entered(as, flush.__start,
			       entries == flush.__entries ? flush.__pages : 0);
}

/* What enters the range that a flush is given, where a file has no callback of its own. */
static inline int kvm_fill_hv_flush_list_func(struct hv_guest_mapping_flush_list *flush, void *data)
{
	struct kvm_tlb_range *given = data;

	return hyperv_fill_flush_guest_mapping_list(flush, given->start_gfn, given->pages);
}

/* An EPT pointer is a root with attribute bits that depend on nothing else. */
static inline u64 construct_eptp(struct kvm_vcpu *vcpu, u64 root, int level)
{
	return (root & PAGE_MASK) | 0x1e;
}

enum { EPT_POINTER = 0x201a, GUEST_CR3 = 0x6802 };
void vmcs_write64(unsigned long field, u64 value) __ignored;
void vmcs_writel(unsigned long field, unsigned long value) __ignored;

/*
 * Masks of CPUs, which are those of the vCPUs: each vCPU has a flag for each mask. So a change of one
 * bit loses no other one; what does so in the kernel (__cpumask_set_cpu, cpumask_or) is not here.
 */
#define NR_CPUS 8192
typedef struct cpumask { unsigned long bits[NR_CPUS / 64]; } cpumask_t;
bool *__flag_in(struct cpumask *mask, struct kvm_vcpu *vcpu) __flag_of(mask, vcpu);
struct kvm_vcpu *__cpu_number(int cpu) __vcpu_at(cpu);
int __number_of_cpus(void) __num_vcpus;
#define __cpu_flag(cpu, mask) __flag_in(mask, __cpu_number(cpu))
static inline bool cpumask_test_cpu(int cpu, struct cpumask *mask)
{
	return READ_ONCE(*__cpu_flag(cpu, mask));
}
static inline bool cpumask_test_and_set_cpu(int cpu, struct cpumask *mask)
{
	return xchg(__cpu_flag(cpu, mask), true);
}
static inline bool cpumask_test_and_clear_cpu(int cpu, struct cpumask *mask)
{
	return xchg(__cpu_flag(cpu, mask), false);
}
static inline void cpumask_set_cpu(int cpu, struct cpumask *mask)
{
	xchg(__cpu_flag(cpu, mask), true);
}
static inline void cpumask_clear_cpu(int cpu, struct cpumask *mask)
{
	xchg(__cpu_flag(cpu, mask), false);
}
#define for_each_cpu(cpu, mask) \
	for ((cpu) = 0; (cpu) < __number_of_cpus(); (cpu)++) \
		if (!cpumask_test_cpu(cpu, mask)) { } else
static inline void cpumask_clear(struct cpumask *mask)
{
	struct kvm_vcpu *vcpu;
	int cpu;

	kvm_for_each_vcpu(cpu, vcpu, 0)
		*__flag_in(mask, vcpu) = false;
}
static inline bool cpumask_empty(struct cpumask *mask)
{
	struct kvm_vcpu *vcpu;
	int cpu;

	kvm_for_each_vcpu(cpu, vcpu, 0)
		if (READ_ONCE(*__flag_in(mask, vcpu)))
			return false;
	return true;
}

/* What vCPU creation sets in every vCPU. */
static inline void machine_boot(struct kvm_vcpu *vcpu, int index)
{
	vcpu->vcpu_id = index;
	vcpu->vcpu_idx = index;
}

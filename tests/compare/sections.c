/*
 * Every interleaving of pairs of variants, compiled. Threads are coroutines that stop before they
 * take a lock and, where a pair asks for it, before each access. A run is made again and again, each
 * time with other choices of who goes on and how a hypercall ends. What each call did, and when it
 * began and ended, is the history of a run; two variants are alike if they have the same histories.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef unsigned long long u64;
typedef struct { int held; } spinlock_t;
struct kvm { int anything; };
struct kvm_vcpu { struct kvm *kvm; int number; };

#define VCPUS 2
#define THREADS 4
#define STACK 65536
#define DEPTH 256

static ucontext_t scheduler;
static struct thread {
	ucontext_t context;
	char stack[STACK];
	bool alive, ended;
	spinlock_t *wants;
	void (*run)(void);
	int calls;
} threads[THREADS];
static int self, count, fine;

static unsigned char chosen[DEPTH], options[DEPTH];
static int depth, known;
static u64 history;

static void tell(u64 what)
{
	history = (history ^ what) * 0x100000001b3ULL;
	history ^= history >> 29;
}

static int choose(int among)
{
	if (depth == DEPTH)
		abort();
	if (depth == known) {
		chosen[known] = 0;
		options[known++] = among;
	}
	return chosen[depth++];
}

static void stop(spinlock_t *wants)
{
	threads[self].wants = wants;
	swapcontext(&threads[self].context, &scheduler);
}

static void spin_lock(spinlock_t *lock)
{
	stop(lock);
	lock->held = 1;
}

static void spin_unlock(spinlock_t *lock)
{
	lock->held = 0;
}

static void touch(void)
{
	if (fine)
		stop(NULL);
}

static int hyperv_flush_guest_mapping(u64 root)
{
	int failed = choose(2);

	tell(100 + self);
	tell(root);
	tell(failed);
	return failed ? -5 : 0;
}

#define READ_ONCE(x) (touch(), (x))
#define WRITE_ONCE(x, v) do { __typeof__(x) new_ = (v); touch(); (x) = new_; } while (0)

STRUCTS
static struct kvm_vmx the_vm;
static struct vcpu_vmx the_vcpus[VCPUS];
static int present;

#define to_kvm_vmx(k) ((void)(k), &the_vm)
#define to_vmx(v) (&the_vcpus[(v)->number])
#define kvm_get_vcpu(k, i) (&the_vcpus[i].vcpu)
#define kvm_for_each_vcpu(i, v, k) \
	for (i = 0; i < present && ((v) = kvm_get_vcpu(k, i), 1); i++)

VARIANTS
static struct { int (*flush)(struct kvm *); void (*load)(struct kvm_vcpu *, u64); } variants[] = {
	TABLE
};
static int now;

static void run_loads(void)
{
	int me = self, call, root;

	for (call = 0; call < threads[me].calls; call++) {
		root = choose(2);
		tell(200 + me);
		tell(root);
		variants[now].load(&the_vcpus[me].vcpu, root ? 0x2000 : 0x1000);
		tell(300 + me);
	}
}

static void run_flushes(void)
{
	int me = self, call, ret;

	for (call = 0; call < threads[me].calls; call++) {
		tell(200 + me);
		ret = variants[now].flush(&the_vm.kvm);
		tell(400 + me);
		tell(ret);
	}
}

static void body(void)
{
	threads[self].run();
	threads[self].ended = true;
	swapcontext(&threads[self].context, &scheduler);
}

static void start(int thread, void (*run)(void), int calls)
{
	struct thread *t = &threads[thread];

	*t = (struct thread){ .alive = true, .run = run, .calls = calls };
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK;
	makecontext(&t->context, body, 0);
}

/* One run, by the choices made so far and the first of each that is new. */
static void run(int loads, int flushes, int flushers)
{
	int i, ready[THREADS], many;

	memset(&the_vm, 0, sizeof(the_vm));
	memset(the_vcpus, 0, sizeof(the_vcpus));
	for (i = 0; i < VCPUS; i++)
		the_vcpus[i].vcpu = (struct kvm_vcpu){ &the_vm.kvm, i };
	for (i = 0; i < present; i++)
		start(i, run_loads, loads);
	for (i = 0; i < flushers; i++)
		start(present + i, run_flushes, flushes);
	count = present + flushers;
	history = 0xcbf29ce484222325ULL;
	depth = 0;
	for (;;) {
		for (many = i = 0; i < count; i++)
			if (!threads[i].ended && !(threads[i].wants && threads[i].wants->held))
				ready[many++] = i;
		if (!many)
			break;
		self = ready[many > 1 ? choose(many) : 0];
		threads[self].wants = NULL;
		swapcontext(&scheduler, &threads[self].context);
	}
	for (i = 0; i < count; i++)
		tell(threads[i].ended);
}

static bool next(void)
{
	known = depth;
	while (known && chosen[known - 1] + 1 == options[known - 1])
		known--;
	if (!known)
		return false;
	chosen[known - 1]++;
	return true;
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static size_t histories(int variant, u64 **found, int loads, int flushes, int flushers)
{
	size_t many = 0, room = 0, i, kept = 0;

	now = variant;
	known = 0;
	do {
		run(loads, flushes, flushers);
		if (many == room)
			*found = realloc(*found, (room = 2 * room + 64) * sizeof(u64));
		(*found)[many++] = history;
	} while (next());
	qsort(*found, many, sizeof(u64), by_value);
	for (i = 0; i < many; i++)
		if (!i || (*found)[i] != (*found)[i - 1])
			(*found)[kept++] = (*found)[i];
	return kept;
}

int main(void)
{
	int pair, loads, flushes, flushers;

	for (pair = 0; scanf("%d %d %d %d %d", &present, &loads, &flushes, &flushers, &fine) == 5; pair++) {
		u64 *found[2] = { NULL, NULL };
		size_t many[2];
		int i;

		for (i = 0; i < 2; i++)
			many[i] = histories(2 * pair + i, &found[i], loads, flushes, flushers);
		printf("%d %zu\n", many[0] == many[1] &&
		       !memcmp(found[0], found[1], many[0] * sizeof(u64)), many[0]);
		free(found[0]);
		free(found[1]);
	}
	return 0;
}

/*
 * Every sequence of loads and flushes from boot, with every outcome of each hypercall, of compiled
 * code that takes a lock for each whole operation. Says for each number of vCPUs which claims fail.
 */

typedef unsigned long long drv_word;

extern int drv_printf(const char *, ...) __asm__("printf");
extern int drv_setitimer(int, const void *, void *) __asm__("setitimer");

#define ROOTS 3
#define NONE 1
#define LOADS 1
#define FLUSHES 2
#define SEEN (1 << 18)
#define MOST_HYPERCALLS 12

enum { COVERAGE = 1, NO_REPEAT = 2, NO_BOGUS = 4, NO_WASTED = 8, FAILURE_KEPT = 16, FAILURE_TRUE = 32 };

struct drv_step {
	int op, self, given;
	drv_word vcpu, root, whole, start, pages, free[FREE_ARGUMENTS];
	int results[RESULTS];
};

/* What the machine is beyond the objects of the code. */
struct drv_world {
	drv_word runs_on[MOST_VCPUS];
	int loads[MOST_VCPUS], flushes;
};

static const int drv_outcomes[] = { 0, -5, 1, 8, 256, -2147483647 - 1 };
#define OUTCOMES ((int)(sizeof(drv_outcomes) / sizeof(*drv_outcomes)))
static const drv_word drv_starts[] = { 0, 1, 3, 200, -1ull };
#define STARTS ((int)(sizeof(drv_starts) / sizeof(*drv_starts)))

static struct drv_step drv_steps[1], *drv_now = drv_steps;
static struct drv_world drv_world;
static drv_word drv_boot[OUTSIDE + 1];
static int drv_failed;		/* the claims that fail */
static int drv_chosen[MOST_HYPERCALLS], drv_taken, drv_errors, drv_flush;
static drv_word drv_asked[MOST_HYPERCALLS];
static void *drv_stuck[5];
static drv_word drv_seen[SEEN];

static void drv_set_up(void);
static void drv_show(void);
static long long drv_operate(void);
static unsigned drv_size(void);
static void drv_save(unsigned char *);
static void drv_restore(const unsigned char *);

static long long visit(enum kind kind, const void *place)
{
	struct lock_state *l = (void *)place;

	switch (kind) {
	case LOCK:
		if (l->writer)
			__builtin_longjmp(drv_stuck, 1);
		l->writer = drv_now->self + 1;
		return 1;
	case TRY_LOCK:
		return l->writer ? 0 : (l->writer = drv_now->self + 1, 1);
	case UNLOCK:
		l->writer = 0;
		return 0;
	default:
		return 0;
	}
}

static int hypercall(unsigned long long as, _Bool whole, unsigned long long start,
		     unsigned long long pages)
{
	int result;

	if (drv_taken == MOST_HYPERCALLS)
		__builtin_trap();
	if (as == 0 || as == -1ull || as == (-1ull & ~0xfffull) || as & 0xfff)
		drv_failed |= NO_BOGUS;
	for (int i = 0; i < drv_taken; i++)
		if (drv_asked[i] == as)
			drv_failed |= NO_REPEAT;
	if (drv_errors)
		drv_failed |= NO_WASTED;
	result = drv_outcomes[drv_chosen[drv_taken]];
	drv_errors |= result != 0;
	drv_asked[drv_taken++] = as;
	return result;
}

static int drv_number(const volatile void *vcpu)
{
	for (int i = 0; i < VCPUS; i++)
		if ((char *)vcpu >= (char *)&the_vcpus[i] && (char *)vcpu < (char *)&the_vcpus[i + 1])
			return i;
	return -1;
}

static void drv_show_lock(struct lock_state *l)
{
	drv_printf(" %d", l->writer);
}

/* Whether a state is new. */
static int drv_is_new(const unsigned char *objects, unsigned size)
{
	drv_word hash = 14695981039346656037ull;
	const unsigned char *world = (const void *)&drv_world;

	for (unsigned i = 0; i < size; i++)
		hash = (hash ^ objects[i]) * 1099511628211ull;
	for (unsigned i = 0; i < sizeof(drv_world); i++)
		hash = (hash ^ world[i]) * 1099511628211ull;
	hash += !hash;
	for (unsigned at = hash % SEEN, n = 0; n < SEEN; n++, at = (at + 1) % SEEN) {
		if (drv_seen[at] == hash)
			return 0;
		if (!drv_seen[at]) {
			drv_seen[at] = hash;
			return 1;
		}
	}
	__builtin_trap();
}

static void drv_end_flush(long long result)
{
	if (drv_errors ? !result : result)
		drv_failed |= drv_errors ? FAILURE_KEPT : FAILURE_TRUE;
	for (int v = 0; v < VCPUS && !result; v++) {
		int flushed = drv_world.runs_on[v] == NONE;

		for (int i = 0; i < drv_taken; i++)
			if (drv_asked[i] == drv_world.runs_on[v] && !drv_outcomes[drv_chosen[i]])
				flushed = 1;
		if (!flushed)
			drv_failed |= COVERAGE;
	}
}

/* Do the next operation; return whether it came to its end. */
static int drv_do(void)
{
	static long long result;

	drv_taken = drv_errors = 0;
	if (__builtin_setjmp(drv_stuck))
		return 0;
	result = drv_operate();
	if (drv_flush)
		drv_end_flush(result);
	return 1;
}

/* Choose the outcomes that come next; return whether there are any. */
static int drv_next(void)
{
	for (int i = drv_taken - 1; i >= 0; i--) {
		if (++drv_chosen[i] < OUTCOMES)
			return 1;
		drv_chosen[i] = 0;
	}
	return 0;
}

static void drv_explore(void);

static void drv_try(const unsigned char *objects, const struct drv_world *before)
{
	int chosen[MOST_HYPERCALLS];

	for (int i = 0; i < MOST_HYPERCALLS; i++)
		drv_chosen[i] = 0;
	for (int more = 1; more;) {
		drv_restore(objects);
		drv_world = *before;
		if (drv_do()) {
			if (!drv_flush)
				drv_world.runs_on[drv_now->vcpu] = drv_now->root;
			struct drv_step step = *drv_now;
			int taken = drv_taken, flush = drv_flush;

			__builtin_memcpy(chosen, drv_chosen, sizeof(chosen));
			drv_explore();
			__builtin_memcpy(drv_chosen, chosen, sizeof(chosen));
			*drv_now = step;
			drv_taken = taken;
			drv_flush = flush;
		}
		more = drv_next();
	}
}

static void drv_explore(void)
{
	unsigned size = drv_size();
	unsigned char objects[size];
	struct drv_world before;

	drv_save(objects);
	if (!drv_is_new(objects, size))
		return;
	for (int v = 0; v < VCPUS; v++) {
		if (drv_world.loads[v] == LOADS)
			continue;
		for (int r = 1; r <= ROOTS; r++) {
			before = drv_world;
			before.loads[v]++;
			*drv_now = (struct drv_step){ .op = LOAD_OPERATION, .self = v, .vcpu = v,
						      .root = r * 0x1000ull };
			drv_flush = 0;
			drv_try(objects, &before);
			before.loads[v]--;
			drv_world = before;
		}
	}
	if (drv_world.flushes == FLUSHES)
		return;
	for (int whole = 0; whole < 2; whole++) {
		before = drv_world;
		before.flushes++;
		*drv_now = (struct drv_step){ .op = FLUSH_OPERATION, .self = VCPUS, .whole = whole,
					      .start = 16, .pages = 4 };
		drv_flush = 1;
		drv_try(objects, &before);
		before.flushes--;
		drv_world = before;
	}
}

static void drv_start(void)
{
	static unsigned char pristine[1 << 16];

	if (drv_size() > sizeof(pristine))
		__builtin_trap();
	drv_save(pristine);
	for (int starts = 0, most = 1; starts < most; starts++) {
		for (int k = 0, left = starts; k < OUTSIDE; k++, left /= STARTS) {
			drv_boot[k] = drv_starts[left % STARTS];
			if (!starts)
				most *= STARTS;
		}
		drv_restore(pristine);
		drv_world = (struct drv_world){ .runs_on = { NONE, NONE, NONE } };
		__builtin_memset(drv_seen, 0, sizeof(drv_seen));
		drv_set_up();
		drv_explore();
	}
	drv_restore(pristine);
}

int main(void)
{
	static const long limit[4] = { 0, 0, 20, 0 };

	drv_setitimer(1, limit, (void *)0);
	for (vcpu_count = 1; vcpu_count <= MOST_VCPUS; vcpu_count++) {
		drv_failed = 0;
		drv_start();
		drv_printf("%d\n", drv_failed);
	}
	return 0;
}

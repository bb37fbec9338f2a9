/*
 * The driver: reads sequences of operations, runs each from boot in a process of its own, and says
 * what each operation did. Nothing is included, so that no name of the code means anything else.
 */

typedef unsigned long long drv_word;

extern int drv_printf(const char *, ...) __asm__("printf");
extern int drv_scanf(const char *, ...) __asm__("scanf");
extern int drv_fflush(void *) __asm__("fflush");
extern int drv_fork(void) __asm__("fork");
extern int drv_waitpid(int, int *, int) __asm__("waitpid");
extern void drv_exit(int) __asm__("_exit");
extern int drv_setitimer(int, const void *, void *) __asm__("setitimer");

struct drv_step {
	int op, self, given;
	drv_word vcpu, root, whole, start, pages, free[FREE_ARGUMENTS];
	int results[RESULTS];
};

static struct drv_step drv_steps[STEPS], *drv_now;
static int drv_taken;
static drv_word drv_boot[OUTSIDE + 1];

static _Bool drv_is_free(struct lock_state *l, _Bool shared)
{
	for (int i = 0; i < THREADS; i++)
		if (!shared && l->readers[i])
			return 0;
	return !l->writer;
}

static long long drv_take(struct lock_state *l, _Bool shared, _Bool waits)
{
	if (!drv_is_free(l, shared)) {
		if (!waits)
			return 0;
		drv_printf(" stuck\n");
		drv_fflush((void *)0);
		drv_exit(0);
	}
	if (shared)
		l->readers[drv_now->self]++;
	else
		l->writer = drv_now->self + 1;
	return 1;
}

static long long visit(enum kind kind, const void *place)
{
	struct lock_state *l = (void *)place;

	switch (kind) {
	case LOCK:
	case READ_LOCK:
		return drv_take(l, kind == READ_LOCK, 1);
	case TRY_LOCK:
	case TRY_READ_LOCK:
		return drv_take(l, kind == TRY_READ_LOCK, 0);
	case UNLOCK:
		l->writer = 0;
		return 0;
	case READ_UNLOCK:
		if (l->readers[drv_now->self])
			l->readers[drv_now->self]--;
		return 0;
	default:
		return 0;
	}
}

static int hypercall(unsigned long long as, _Bool whole, unsigned long long start,
		     unsigned long long pages)
{
	drv_printf(" h%llx:%d:%llx:%llx", as, whole, whole ? 0 : start, whole ? 0 : pages);
	return drv_now->results[drv_taken++ % drv_now->given];
}

/* The number of the vCPU that a pointer points into, -1 for none. */
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
	for (int i = 0; i < THREADS; i++)
		drv_printf("/%d", l->readers[i]);
}

static void drv_set_up(void);
static void drv_show(void);
static long long drv_operate(void);

static void drv_run(int count)
{
	/* A loop that does not end is cut off after a quarter of a second of work. */
	static const long limit[4] = { 0, 0, 0, 250000 };

	drv_setitimer(1, limit, (void *)0);
	drv_set_up();
	drv_show();
	drv_fflush((void *)0);
	for (int i = 0; i < count; i++) {
		drv_now = &drv_steps[i];
		drv_taken = 0;
		drv_printf(" r%llx", (drv_word)drv_operate());
		drv_show();
		drv_fflush((void *)0);
	}
	drv_exit(0);
}

static _Bool drv_read(struct drv_step *s)
{
	int fine = drv_scanf("%d %d %llx %llx %llx %llx %llx", &s->op, &s->self, &s->vcpu, &s->root,
			     &s->whole, &s->start, &s->pages);

	for (int i = 0; i < FREE_ARGUMENTS; i++)
		fine += drv_scanf("%llx", &s->free[i]);
	fine += drv_scanf("%d", &s->given);
	for (int i = 0; i < s->given && i < RESULTS; i++)
		drv_scanf("%d", &s->results[i]);
	return fine == 8 + FREE_ARGUMENTS;
}

int main(void)
{
	int count, status, child;

	while (drv_scanf(" n %d %d", &vcpu_count, &count) == 2) {
		for (int i = 0; i < OUTSIDE; i++)
			drv_scanf("%llx", &drv_boot[i]);
		for (int i = 0; i < count; i++)
			if (i >= STEPS || !drv_read(&drv_steps[i]))
				return 1;
		drv_fflush((void *)0);
		child = drv_fork();
		if (child == 0)
			drv_run(count);
		if (child < 0 || drv_waitpid(child, &status, 0) != child)
			return 1;
		if (status)
			drv_printf(" trap\n");
		drv_printf("end\n");
	}
	return 0;
}

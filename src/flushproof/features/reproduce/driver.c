/* The driver: threads are coroutines; each row of the schedule lets one of them do one thing. */

static struct thread {
	ucontext_t context;
	const struct call *call;	/* the one it is in, if any */
	enum kind kind;			/* what it is about to do, and where */
	const void *place;
	struct flush_request request;
	long long value;		/* how that ends, or what the call returned */
	char stack[STACK];
} threads[THREADS];

static ucontext_t scheduler;

static long long visit(enum kind kind, const void *place)
{
	struct thread *t = &threads[self];

	t->kind = kind;
	t->place = place;
	swapcontext(&t->context, &scheduler);
	return t->value;
}

static int hypercall(unsigned long long as, _Bool whole, unsigned long long start,
		     unsigned long long pages)
{
	threads[self].request = (struct flush_request){ as, start, pages, whole };
	return (int)visit(HYPERCALL, NULL);
}

static void driver_go_on(struct thread *t)
{
	swapcontext(&scheduler, &t->context);
}

static void driver_thread_body(void)
{
	struct thread *t = &threads[self];

	t->value = t->call->run();
	visit(RETURN, NULL);
}

static void driver_begin(struct thread *t, const struct call *call)
{
	t->call = call;
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = sizeof(t->stack);
	t->context.uc_link = &scheduler;
	makecontext(&t->context, driver_thread_body, 0);
	if (call->load)
		runs_on[call->vcpu] = NONE;
	on_enter(call);
	on_step();
	driver_go_on(t);
}

static void driver_finish(struct thread *t)
{
	const struct call *call = t->call;

	if (call->load)
		runs_on[call->vcpu] = call->root;
	t->call = NULL;
	on_return(call, t->value);
	on_step();
}

static int driver_available(const struct lock_state *l, int shared)
{
	int i;

	for (i = 0; i < THREADS; i++)
		if (!shared && l->readers[i])
			return 0;
	return !l->writer;
}

static void driver_take(struct lock_state *l, int shared)
{
	if (shared)
		l->readers[self]++;
	else
		l->writer = self + 1;
}

static void driver_give_back(struct lock_state *l, int shared)
{
	if (!shared)
		*l = (struct lock_state){ 0 };
	else if (l->readers[self])
		l->readers[self]--;
}

/* Whether a thread is about to take a lock, or to try to, as a row says that it takes it. */
static int driver_takes(const struct thread *t, const struct step *row)
{
	return (row->kind == LOCK && t->kind == TRY_LOCK) ||
	       (row->kind == READ_LOCK && t->kind == TRY_READ_LOCK);
}

/* Do what a row says; 0 where the thread is about to do something else, or cannot. */
static int driver_act(const struct step *row)
{
	struct thread *t = &threads[row->thread];
	struct lock_state *lock = (struct lock_state *)row->place;
	int shared = row->kind == READ_LOCK || row->kind == READ_UNLOCK ||
		     row->kind == TRY_READ_LOCK;

	self = row->thread;
	if (row->kind == ENTER) {
		if (t->call)
			return 0;
		driver_begin(t, row->call);
		return 1;
	}
	/* A value that nothing depends on is no part of the schedule. */
	while (t->call && t->kind == ANYTHING && row->kind != ANYTHING) {
		t->value = 0;
		driver_go_on(t);
	}
	if (!t->call || t->place != row->place)
		return 0;
	if (t->kind != row->kind && !driver_takes(t, row))
		return 0;
	t->value = row->kind == RETURN ? t->value : row->value;
	switch (row->kind) {
	case LOCK:
	case READ_LOCK:
		on_lock(lock, shared);
		if (violated)
			return 1;
		if (!driver_available(lock, shared))
			return 0;
		driver_take(lock, shared);
		t->value = 1;
		break;
	case TRY_LOCK:
	case TRY_READ_LOCK:
		t->value = driver_available(lock, shared);
		if (t->value)
			driver_take(lock, shared);
		break;
	case UNLOCK:
	case READ_UNLOCK:
		on_unlock(lock, shared);
		driver_give_back(lock, shared);
		on_step();
		break;
	case HYPERCALL:
		on_hypercall(t->call, &t->request, t->value == 0);
		break;
	case RETURN:
		driver_finish(t);
		return 1;
	default:
		break;
	}
	driver_go_on(t);
	switch (row->kind) {
	case READ:
	case READ_MARKED:
		on_access(row->place, 0, row->kind == READ_MARKED);
		break;
	case WRITE:
	case WRITE_MARKED:
	case EXCHANGE:
		on_access(row->place, 1, row->kind != WRITE);
		on_step();
		break;
	default:
		break;
	}
	return 1;
}

/* Whether a thread that reads or exchanges comes back to that again, and does nothing else. */
static int driver_goes_round(struct thread *t)
{
	const void *place = t->place;
	enum kind kind = t->kind;
	int left = 16;

	self = t - threads;
	do {
		t->value = 0;
		driver_go_on(t);
		if (t->place == place && t->kind == kind)
			return 1;
	} while (left-- && (t->kind == FENCE || t->kind == ANYTHING || t->kind == READ ||
			    t->kind == READ_MARKED || t->kind == EXCHANGE));
	return 0;
}

/* Whether a thread waits for a lock or a value, be it by trying again and again. */
static int driver_waits(struct thread *t)
{
	const void *place = t->place;
	int shared = t->kind == READ_LOCK || t->kind == TRY_READ_LOCK;

	if (t->kind == READ || t->kind == READ_MARKED || t->kind == EXCHANGE)
		return driver_goes_round(t);
	if (t->kind != LOCK && t->kind != TRY_LOCK && !shared)
		return 0;
	if (driver_available(place, shared))
		return 0;
	if (t->kind == LOCK || t->kind == READ_LOCK)
		return 1;
	self = t - threads;
	do {
		t->value = 0;
		driver_go_on(t);
	} while (t->kind == FENCE || t->kind == ANYTHING);
	return t->place == place &&
	       t->kind == (shared ? TRY_READ_LOCK : TRY_LOCK);
}

/* Whether some thread is in a call, and each of those waits for a lock. */
static int driver_deadlocked(void)
{
	int i, inside = 0;

	for (i = 0; i < THREADS; i++) {
		struct thread *t = &threads[i];

		if (!t->call)
			continue;
		inside = 1;
		if (!driver_waits(t))
			return 0;
	}
	return inside;
}

/* Whether every thread is between calls. */
static int driver_all_over(void)
{
	int i;

	for (i = 0; i < THREADS; i++)
		if (threads[i].call)
			return 0;
	return 1;
}

int main(void)
{
	unsigned long i;

	set_up();
	on_step();
	for (i = 0; i < sizeof(schedule) / sizeof(*schedule) && !violated; i++) {
		printf("%4lu  %s\n", i + 1, schedule[i].says);
		if (!driver_act(&schedule[i])) {
			printf("the code does not do this: not reproduced\n");
			return 2;
		}
	}
	if (!violated && driver_deadlocked())
		on_deadlock();
	if (!violated && driver_all_over())
		on_end();
	printf(violated ? "reproduced: %s\n" : "not reproduced: %s\n", FAILURE);
	return !violated;
}

/* The machine below the code: locks, hypercalls and accesses are places where a thread can stop. */

enum kind {
	ENTER, LOCK, READ_LOCK, TRY_LOCK, TRY_READ_LOCK, UNLOCK, READ_UNLOCK,
	READ, WRITE, READ_MARKED, WRITE_MARKED, EXCHANGE, FENCE, HYPERCALL, ANYTHING, RETURN
};

/* A lock: its writer's number plus one, and how often each thread is a reader. */
struct lock_state {
	int writer;
	int readers[THREADS];
};

/* What a hypercall was asked to flush. */
struct flush_request {
	unsigned long long as, start, pages;
	_Bool whole;
};

/* Stop before an event at a place; the value is the event's result. */
static long long visit(enum kind kind, const void *place);

#define MAYBE __attribute__((unused))
MAYBE static int hypercall(unsigned long long as, _Bool whole, unsigned long long start,
			   unsigned long long pages);

/* One access to shared state. */
#define HOOK_READ_AS(x, kind) __extension__ ({		\
	__typeof__(x) *hook_at = &(x);			\
	visit(kind, hook_at);				\
	*hook_at; })
#define HOOK_WRITE_AS(x, v, kind) __extension__ ({	\
	__typeof__(x) hook_value = (v);			\
	__typeof__(x) *hook_at = &(x);			\
	visit(kind, hook_at);				\
	*hook_at = hook_value; })
#define HOOK_READ(x) HOOK_READ_AS(x, READ)
#define HOOK_WRITE(x, v) HOOK_WRITE_AS(x, v, WRITE)
/* `x op= v`: a read and a write. */
#define HOOK_UPDATE(x, op, v) __extension__ ({		\
	__typeof__(x) *hook_at = &(x), hook_old;	\
	__auto_type hook_value = (v);			\
	visit(READ, hook_at);				\
	hook_old = *hook_at;				\
	hook_old = hook_old op hook_value;		\
	visit(WRITE, hook_at);				\
	*hook_at = hook_old; })
/* `x++` and `x--`. */
#define HOOK_AFTER(x, op) __extension__ ({		\
	__typeof__(x) *hook_at = &(x), hook_old;	\
	visit(READ, hook_at);				\
	hook_old = *hook_at;				\
	visit(WRITE, hook_at);				\
	*hook_at = hook_old op 1;			\
	hook_old; })
/* The value of a variable that is declared without one. */
#define HOOK_UNSET visit(ANYTHING, (void *)0)
/* Marked accesses and read-modify-write. */
#define MARKED_LOAD(p) HOOK_READ_AS(*(p), READ_MARKED)
#define MARKED_STORE(p, v) ((void)HOOK_WRITE_AS(*(p), v, WRITE_MARKED))
#define ATOMIC_EXCHANGE(p, v) __extension__ ({		\
	__typeof__(*(p)) hook_value = (v), hook_old;	\
	__typeof__(p) hook_at = (p);			\
	visit(EXCHANGE, hook_at);			\
	hook_old = *hook_at;				\
	*hook_at = hook_value;				\
	hook_old; })
#define ATOMIC_COMPARE_EXCHANGE(p, o, v) __extension__ ({	\
	__typeof__(*(p)) hook_expected = (o), hook_value = (v), hook_old; \
	__typeof__(p) hook_at = (p);			\
	visit(EXCHANGE, hook_at);			\
	hook_old = *hook_at;				\
	if (hook_old == hook_expected)			\
		*hook_at = hook_value;			\
	hook_old; })
#define ATOMIC_WITH(operator, p, i) __extension__ ({	\
	__typeof__(*(p)) hook_value = (i), hook_old;	\
	__typeof__(p) hook_at = (p);			\
	visit(EXCHANGE, hook_at);			\
	hook_old = *hook_at;				\
	*hook_at = hook_old operator hook_value;	\
	hook_old; })
#define ATOMIC_ADD(p, i) ATOMIC_WITH(+, p, i)
#define ATOMIC_OR(p, i) ATOMIC_WITH(|, p, i)
#define ATOMIC_AND(p, i) ATOMIC_WITH(&, p, i)
/* Read until a condition holds of what was read, which it calls VAL. */
#define WAITS_FOR(p, condition) __extension__ ({	\
	__typeof__(p) hook_from = (p);			\
	__typeof__(*(p)) VAL;				\
	do						\
		VAL = MARKED_LOAD(hook_from);		\
	while (!(condition));				\
	VAL; })
/* Numbers. */
#define VALUE(v) (v)
#define TYPED(x, v) ((__typeof__(x))(v))
#define LEAST(a, b) __extension__ ({			\
	__auto_type hook_a = (a);			\
	__auto_type hook_b = (b);			\
	hook_a < hook_b ? hook_a : hook_b; })
#define GREATEST(a, b) __extension__ ({			\
	__auto_type hook_a = (a);			\
	__auto_type hook_b = (b);			\
	hook_a > hook_b ? hook_a : hook_b; })
#define FIRST(a, b) __extension__ ({			\
	__auto_type hook_a = (a);			\
	(void)(b);					\
	hook_a; })
#define ELEMENTS(x) (sizeof(x) / sizeof((x)[0]))

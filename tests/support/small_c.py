"""Small pieces of C run twice: in the interpreter, and compiled by gcc.

A piece is the body of `int f(struct kvm *kvm, int a, int b)` with declarations before it; both
sides see the structs of `HEADER` and a VM with two vCPUs.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flushproof.engines.interpreter import interpreter
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.code import Havoc, Hypercall, Return
from flushproof.ir.program import Operation, Program
from flushproof.ir.types import Int, Type
from flushproof.machine.build import Machine, build_machine

VCPUS = 2

HEADER = """\
enum status { OFF, ON = 5, LATER };
struct pair { int x; u8 y; };
struct outer { struct pair in; long z; };
struct kvm_vmx {
	struct kvm kvm;
	spinlock_t lock;
	int word;
	u64 wide;
	u8 byte;
	s16 half;
	bool flag;
	enum status status;
	struct pair pair;
	atomic_t count;
	atomic64_t total;
	rwlock_t rw;
	struct rw_semaphore sem;
	struct mutex mutex;
	u16 table[12];
};
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; int tag; struct pair own; };
"""

LOAD = """
void some_load(struct kvm_vcpu *vcpu, u64 root) { to_vmx(vcpu)->root = root; }
"""

SPEC = """\
spec small {{
	variant "{variant}";
	operations {{ {operations} load some_load(vcpu, root); }}
	{clauses}
}}
"""

SHIM = """\
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
typedef signed char s8; typedef unsigned char u8; typedef short s16; typedef unsigned short u16;
typedef int s32; typedef unsigned int u32; typedef long long s64; typedef unsigned long long u64;
typedef struct { int held; } spinlock_t;
struct kvm { int anything; };
struct kvm_vcpu { struct kvm *kvm; int vcpu_id; int vcpu_idx; };
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, v) ((void)((x) = (v)))
#define smp_mb() __sync_synchronize()
#define smp_rmb() smp_mb()
#define smp_wmb() smp_mb()
#define barrier() __asm__ volatile("" : : : "memory")
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_store_mb(x, v) do { (x) = (v); smp_mb(); } while (0)
#define xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define cmpxchg(p, o, n) __sync_val_compare_and_swap(p, o, n)
#define try_cmpxchg(p, o, n) \
	__atomic_compare_exchange_n(p, o, n, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
typedef struct { int counter; } atomic_t;
typedef struct { long long counter; } atomic64_t;
#define ATOMICS(p, t) \
	static inline t p##_read(p##_t *v) { return v->counter; } \
	static inline void p##_set(p##_t *v, t i) { v->counter = i; } \
	static inline t p##_fetch_add(t i, p##_t *v) { return __sync_fetch_and_add(&v->counter, i); } \
	static inline t p##_fetch_sub(t i, p##_t *v) { return __sync_fetch_and_sub(&v->counter, i); } \
	static inline t p##_fetch_or(t i, p##_t *v) { return __sync_fetch_and_or(&v->counter, i); } \
	static inline t p##_fetch_and(t i, p##_t *v) { return __sync_fetch_and_and(&v->counter, i); } \
	static inline void p##_or(t i, p##_t *v) { p##_fetch_or(i, v); } \
	static inline void p##_and(t i, p##_t *v) { p##_fetch_and(i, v); } \
	static inline void p##_andnot(t i, p##_t *v) { p##_fetch_and(~i, v); } \
	static inline t p##_add_return(t i, p##_t *v) { return __sync_add_and_fetch(&v->counter, i); } \
	static inline t p##_sub_return(t i, p##_t *v) { return __sync_sub_and_fetch(&v->counter, i); } \
	static inline void p##_add(t i, p##_t *v) { p##_fetch_add(i, v); } \
	static inline void p##_sub(t i, p##_t *v) { p##_fetch_sub(i, v); } \
	static inline void p##_inc(p##_t *v) { p##_fetch_add(1, v); } \
	static inline void p##_dec(p##_t *v) { p##_fetch_sub(1, v); } \
	static inline t p##_inc_return(p##_t *v) { return p##_add_return(1, v); } \
	static inline t p##_dec_return(p##_t *v) { return p##_sub_return(1, v); } \
	static inline bool p##_inc_and_test(p##_t *v) { return p##_inc_return(v) == 0; } \
	static inline bool p##_dec_and_test(p##_t *v) { return p##_dec_return(v) == 0; } \
	static inline t p##_xchg(p##_t *v, t i) { return xchg(&v->counter, i); } \
	static inline t p##_cmpxchg(p##_t *v, t o, t i) { return cmpxchg(&v->counter, o, i); }
ATOMICS(atomic, int)
ATOMICS(atomic64, long long)
#define BIT_OF(n) (1UL << ((n) % 64))
#define test_bit(n, a) (((a)[(n) / 64] & BIT_OF(n)) != 0)
#define test_and_set_bit(n, a) \
	((__sync_fetch_and_or(&(a)[(n) / 64], BIT_OF(n)) & BIT_OF(n)) != 0)
#define test_and_clear_bit(n, a) \
	((__sync_fetch_and_and(&(a)[(n) / 64], ~BIT_OF(n)) & BIT_OF(n)) != 0)
#define set_bit(n, a) ((void)test_and_set_bit(n, a))
#define clear_bit(n, a) ((void)test_and_clear_bit(n, a))
#define __set_bit(n, a) ((void)((a)[(n) / 64] |= BIT_OF(n)))
#define __clear_bit(n, a) ((void)((a)[(n) / 64] &= ~BIT_OF(n)))
typedef struct { int readers, held; } rwlock_t;
struct rw_semaphore { int readers, held; };
struct mutex { int held; };
#define TAKE(l) ((l)->held ? 0 : ((l)->held = 1))
#define spin_trylock(l) TAKE(l)
#define mutex_trylock(l) TAKE(l)
#define mutex_unlock(l) ((l)->held = 0)
#define write_trylock(l) ((l)->readers ? 0 : TAKE(l))
#define read_trylock(l) ((l)->held ? 0 : ((l)->readers++, 1))
#define read_lock(l) ((void)(l)->readers++)
#define read_unlock(l) ((l)->readers--)
#define write_lock(l) ((l)->held = 1)
#define write_unlock(l) ((l)->held = 0)
#define down_write_trylock(l) write_trylock(l)
#define down_read_trylock(l) read_trylock(l)
#define down_read(l) read_lock(l)
#define up_read(l) read_unlock(l)
#define down_write(l) write_lock(l)
#define up_write(l) write_unlock(l)
#define likely(x) (x)
#define PICK(a, op, b) ({ __typeof__(a) x_ = (a); __typeof__(b) y_ = (b); x_ op y_ ? x_ : y_; })
#define PICK_AS(t, a, op, b) ({ t x_ = (a); t y_ = (b); x_ op y_ ? x_ : y_; })
#define min(a, b) PICK(a, <, b)
#define max(a, b) PICK(a, >, b)
#define min3(a, b, c) ({ __typeof__(a) m_ = min(a, b); min(m_, c); })
#define max3(a, b, c) ({ __typeof__(a) m_ = max(a, b); max(m_, c); })
#define min_t(t, a, b) PICK_AS(t, a, <, b)
#define max_t(t, a, b) PICK_AS(t, a, >, b)
#define clamp(v, l, h) ({ __typeof__(v) v_ = (v), l_ = (l), h_ = (h); \
	v_ >= h_ ? h_ : v_ <= l_ ? l_ : v_; })
#define clamp_t(t, v, l, h) clamp((t)(v), (t)(l), (t)(h))
#define swap(a, b) do { __typeof__(a) t_ = (a); (a) = (b); (b) = t_; } while (0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define GENMASK(h, l) (((~0UL) - (1UL << (l)) + 1) & (~0UL >> (64 - 1 - (h))))
#define GENMASK_ULL(h, l) (((~0ULL) - (1ULL << (l)) + 1) & (~0ULL >> (64 - 1 - (h))))
#define lower_32_bits(n) ((u32)((n) & 0xffffffff))
#define upper_32_bits(n) ((u32)(((n) >> 16) >> 16))
#define ALIGN_MASK(x, m) (((x) + (m)) & ~(m))
#define ALIGN(x, a) ALIGN_MASK(x, (__typeof__(x))(a) - 1)
#define ALIGN_DOWN(x, a) ALIGN((x) - ((a) - 1), (a))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define round_mask(x, y) ((__typeof__(x))((y) - 1))
#define round_up(x, y) ((((x) - 1) | round_mask(x, y)) + 1)
#define round_down(x, y) ((x) & ~round_mask(x, y))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define PAGE_ALIGN(x) ALIGN(x, 4096UL)
#define BIT(n) (1UL << (n))
static inline void spin_lock(spinlock_t *lock) { lock->held = 1; }
static inline void spin_unlock(spinlock_t *lock) { lock->held = 0; }
"""

MACHINE = """
extern struct kvm_vmx the_vm;
extern struct vcpu_vmx the_vcpus[2];
static inline struct kvm_vmx *to_kvm_vmx(struct kvm *k)
{ return container_of(k, struct kvm_vmx, kvm); }
static inline struct vcpu_vmx *to_vmx(struct kvm_vcpu *v)
{ return container_of(v, struct vcpu_vmx, vcpu); }
static inline struct kvm_vcpu *kvm_get_vcpu(struct kvm *k, int i)
{
	return i >= 0 && i < 2 ? &the_vcpus[i].vcpu : NULL;
}
#define kvm_for_each_vcpu(i, v, k) for (i = 0; i < 2 && ((v) = kvm_get_vcpu(k, i)) != NULL; i++)
"""

MAIN = """
#include <stdio.h>
struct kvm_vmx the_vm;
struct vcpu_vmx the_vcpus[2];
{declared}
static int (*pieces[])(struct kvm *, int, int) = {{ {listed} }};
static int inputs[][2] = {{ {inputs} }};
int main(void)
{{
	for (unsigned p = 0; p < sizeof(pieces) / sizeof(*pieces); p++)
		for (unsigned i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {{
			memset(&the_vm, 0, sizeof(the_vm));
			memset(the_vcpus, 0, sizeof(the_vcpus));
			for (int v = 0; v < 2; v++)
				the_vcpus[v].vcpu = (struct kvm_vcpu){{ &the_vm.kvm, v, v }};
			printf("%d\\n", pieces[p](&the_vm.kvm, inputs[i][0], inputs[i][1]));
		}}
	return 0;
}}
"""


class CompilerError(Exception):
    """What gcc cannot compile for a defect of its own, it cannot say the meaning of."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The body of `f`, and declarations that stand before it."""

    body: str
    before: str = ""

    @property
    def text(self) -> str:
        """The piece as C, without the header."""
        body = "\n\t".join(self.body.strip().splitlines())
        return f"{self.before}\nint f(struct kvm *kvm, int a, int b)\n{{\n\t{body}\n}}\n"


def machine(folder: Path, text: str, operations: str, clauses: str = "") -> Machine:
    """Build the machine of a variant with `HEADER` before and a load after `text`."""
    (folder / "small.c").write_text(HEADER + text + LOAD)
    spec = folder / "small.spec"
    spec.write_text(SPEC.format(variant="small.c", operations=operations, clauses=clauses))
    return build_machine(from_spec(str(spec)))


def piece_machine(folder: Path, piece: Piece) -> Machine:
    """Build the machine of one piece; its operation is `f`."""
    return machine(folder, piece.text, "flush f(kvm, free, free);")


def call(
    program: Program, name: str, arguments: Mapping[str, int], choices: Sequence[int] = ()
) -> interpreter.State:
    """Run one call of an operation from boot, on a VM with two vCPUs.

    Raises:
        concrete.Undefined: the code does something undefined.
    """
    plan = ThreadPlan(VCPUS, "flusher0", (Call(name, arguments, tuple(choices)),))
    schedule = Schedule(VCPUS, {}, (plan,), (0,))
    state = interpreter.initial_state(program, schedule)
    run_call(state, state.threads[0], Choices())
    return state


@dataclass(slots=True)
class Choices:
    """Where free values come from: hypercall results in order, and one value for each type."""

    hypercalls: Iterator[int] = field(default_factory=lambda: iter(()))
    havoc: int = 0

    def of(self, instr: object) -> Iterator[int]:
        """Return the free value that an instruction takes, if it takes any."""
        match instr:
            case Hypercall():
                return iter((next(self.hypercalls, 0),))
            case Havoc(target):
                return iter((self.value(target.type),))
            case _:
                return iter(())

    def value(self, t: Type) -> int:
        """Return a value of a type."""
        return t.wrap(self.havoc) if isinstance(t, Int) else 0


def each(operation: Operation) -> frozenset[int]:
    """Return the granularity at which every instruction is a step of its own."""
    return frozenset(range(len(operation.code)))


def run_call(state: interpreter.State, thread: interpreter.Thread, choices: Choices) -> None:
    """Run a thread's next call to its end; free values are chosen as they are needed."""
    interpreter.step_thread(state, thread, each)
    fuel = 100_000
    while thread.operation is not None:
        thread.choices = choices.of(thread.operation.code[thread.pc])
        interpreter.step_thread(state, thread, each)
        fuel -= 1
        assert fuel, "a loop does not end"


def returned(state: interpreter.State) -> int | None:
    """Return the value that the last call returned."""
    values = [h.value for h in state.happenings if isinstance(h.instr, Return)]
    return values[-1]


def interpret(made: Machine, inputs: Iterable[tuple[int, int]]) -> list[int | None]:
    """Run `f` of a piece on pairs of arguments."""
    return [returned(call(made.base, "f", {"a": a, "b": b})) for a, b in inputs]


def have_gcc() -> bool:
    """Tell whether gcc can be called."""
    return shutil.which("gcc") is not None


def compiled(
    folder: Path, pieces: Sequence[Piece], inputs: Sequence[tuple[int, int]]
) -> list[list[int]]:
    """Compile all pieces into one program; return what each gives on each pair of arguments."""
    names = [f"piece{n}" for n in range(len(pieces))]
    files = _files(names, pieces)
    for name, text in files.items():
        (folder / name).write_text(SHIM + HEADER + MACHINE + text)
    declared = "\n".join(f"int {name}(struct kvm *, int, int);" for name in names)
    pairs = ", ".join(f"{{ {_literal(a)}, {_literal(b)} }}" for a, b in inputs)
    main = MAIN.format(declared=declared, listed=", ".join(names), inputs=pairs)
    (folder / "main.c").write_text(SHIM + HEADER + main)
    sources = [*files, "main.c"]
    flags = ["-std=gnu11", "-fwrapv", "-fno-strict-aliasing", "-w", "-O0", "-o", "all"]
    made = subprocess.run(
        ["gcc", *flags, *sources], cwd=folder, check=False, capture_output=True, text=True
    )
    if "internal compiler error" in made.stderr:
        raise CompilerError(made.stderr)
    assert made.returncode == 0, made.stderr
    done = subprocess.run([folder / "all"], check=True, capture_output=True, text=True)
    flat = [int(line) for line in done.stdout.split()]
    step = len(inputs)
    return [flat[n * step : (n + 1) * step] for n in range(len(pieces))]


def _files(names: Sequence[str], pieces: Sequence[Piece]) -> dict[str, str]:
    """Return the text of each file: pieces with declarations of their own stand alone."""
    texts = [
        f"#define f {name}\n{piece.text}#undef f\n"
        for name, piece in zip(names, pieces, strict=True)
    ]
    if any(piece.before for piece in pieces):
        return {f"{name}.c": text for name, text in zip(names, texts, strict=True)}
    return {"pieces.c": "".join(texts)}


def _literal(value: int) -> str:
    return "(-2147483647 - 1)" if value == -(1 << 31) else str(value)

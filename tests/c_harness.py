"""A variant compiled by gcc, driven operation by operation from outside.

One process per variant: commands go in on stdin, what each operation did comes out on stdout.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flushproof.engines import concrete, words
from flushproof.engines.schedule import Call, Plan, Schedule
from flushproof.engines.values import Values, evaluate
from flushproof.frontend import syntax as c
from flushproof.ir.code import Havoc, Hypercall, Return
from flushproof.ir.program import BOOT_VCPU, Operation, Role
from flushproof.ir.types import LockWord, VcpuRef
from flushproof.machine.build import Machine
from flushproof.machine.monitors import RUNS_ON
from flushproof.reproduce import code as variant
from flushproof.reproduce.layout import Layout, layout
from flushproof.reproduce.monitor import literal

HEAD = """\
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#define VCPUS {vcpus}
#define THREADS {threads}
"""

DRIVER = """
typedef unsigned long long word;
static int self, results[8], given, taken;
static jmp_buf stuck;
static struct args {{ word op, vcpu, root, whole, start, pages, free; }} args;

static int free_for(struct lock_state *l, int shared)
{{
	for (int i = 0; i < THREADS; i++)
		if (!shared && l->readers[i])
			return 0;
	return !l->writer;
}}

static long long visit(enum kind kind, const void *place)
{{
	struct lock_state *l = (void *)place;
	int shared = kind == READ_LOCK || kind == READ_UNLOCK || kind == TRY_READ_LOCK;
	int ok;

	switch (kind) {{
	case LOCK: case READ_LOCK: case TRY_LOCK: case TRY_READ_LOCK:
		ok = free_for(l, shared);
		if (!ok && (kind == LOCK || kind == READ_LOCK))
			longjmp(stuck, 1);
		if (ok && shared)
			l->readers[self]++;
		else if (ok)
			l->writer = self + 1;
		return ok;
	case UNLOCK:
		*l = (struct lock_state){{ 0 }};
		return 0;
	case READ_UNLOCK:
		if (l->readers[self])
			l->readers[self]--;
		return 0;
	default:
		return 0;
	}}
}}

static int hypercall(unsigned long long as, _Bool whole, unsigned long long start,
			unsigned long long pages)
{{
	printf(" h%llx:%d:%llx:%llx", as, whole, whole ? 0 : start, whole ? 0 : pages);
	return results[taken++ % given];
}}

static int number_of(const void *vcpu)
{{
	for (int i = 0; i < VCPUS; i++)
		if (vcpu == vcpu_at(i) || vcpu == &the_vcpus[i])
			return i;
	return -1;
}}

static void set_up(void)
{{
	memset(&the_vm, 0, sizeof(the_vm));
	memset(the_vcpus, 0, sizeof(the_vcpus));
{boot}}}

static void show(void)
{{
{show}	printf("\\n");
}}

{operations}
static long long (*const operations[])(void) = {{ {names} }};

int main(void)
{{
	char what;
	int late = 0;

	while (scanf(" %c", &what) == 1) {{
		if (what == 'n') {{
			set_up();
			late = 0;
			continue;
		}}
		if (scanf("%d %llx %llx %llx %llx %llx %llx %llx %d", &self, &args.op, &args.vcpu,
				&args.root, &args.whole, &args.start, &args.pages, &args.free,
				&given) != 9)
			return 1;
		for (int i = 0; i < given; i++)
			if (scanf("%d", &results[i]) != 1)
				return 1;
		taken = 0;
		if (late) {{
			printf("\\n");
			continue;
		}}
		if (setjmp(stuck)) {{
			printf(" stuck\\n");
			late = 1;
			continue;
		}}
		printf(" r%d", (int)operations[args.op]());
		show();
	}}
	return 0;
}}
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a sequence: which one, by which thread, and all that is chosen."""

    operation: int
    thread: int
    root: int
    whole: int
    start: int
    pages: int
    free: int
    results: tuple[int, ...]

    def command(self) -> str:
        """Return the line for the C program."""
        numbers = (self.operation, self.thread, self.root, self.whole, self.start, self.pages)
        words_ = " ".join(f"{n:x}" for n in (*numbers, self.free))
        results = " ".join(str(r) for r in self.results)
        return f"o {self.thread} {words_} {len(self.results)} {results}\n"


LENGTH = 21
"""Operations of one random sequence."""

ROOTS = (0x1000, 0x2000, 0x3000)


def sequences(machine: Machine, vcpus: int, count: int, seed: str) -> list[list[Step]]:
    """Return random sequences of operations."""
    dice = random.Random(seed)
    operations = list(enumerate(machine.base.operations))
    out: list[list[Step]] = []
    for _ in range(count):
        sequence: list[Step] = []
        for _ in range(LENGTH):
            number, operation = dice.choice(operations)
            load = operation.role is Role.LOAD
            thread = dice.randrange(vcpus) if load else vcpus
            results = tuple(dice.choice((0, 0, -5)) for _ in range(4))
            root = dice.choice(ROOTS)
            whole, start, pages = dice.randrange(2), dice.randrange(32), dice.randrange(8)
            free = dice.randrange(3)
            sequence.append(Step(number, thread, root, whole, start, pages, free, results))
        out.append(sequence)
    return out


def source(machine: Machine, vcpus: int) -> str:
    """Return the C program of a variant."""
    where = layout(machine)
    text = variant.code(machine, where, frozenset())
    operations = machine.base.operations
    driver = DRIVER.format(
        boot="".join(_boot(machine, where, vcpus)),
        show="".join(_shows(machine, where, vcpus)),
        operations="".join(_operation(machine, where, k, o) for k, o in enumerate(operations)),
        names=", ".join(f"operation{k}" for k in range(len(operations))),
    )
    head = HEAD.format(vcpus=vcpus, threads=vcpus + 1)
    return "".join((head, variant.BEFORE, text.before, text.proper, text.after, driver))


def _boot(machine: Machine, where: Layout, vcpus: int) -> list[str]:
    out = [
        f"\t{pointer.format(v)} = &{where.structs[struct]};\n"
        for pointer, struct in where.pointers
        for v in range(vcpus)
    ]
    used = {f.name for f in machine.base.fields}
    for f, value in machine.base.boot:
        if f != RUNS_ON and f.name in used:
            for x in concrete.locations(f, vcpus):
                number = evaluate(value, Values({BOOT_VCPU: x[1]}, vcpus))
                out.append(f"\t{where.place(x)} = {literal(number)};\n")
    return out


def _shows(machine: Machine, where: Layout, vcpus: int) -> list[str]:
    out: list[str] = []
    for f in machine.places:
        for x in concrete.locations(f, vcpus):
            place = where.place(x)
            match f.type:
                case LockWord():
                    parts = (f"{place}.state.writer", f"{place}.state.readers[self]")
                    out.append(f'\tprintf(" %d/%d", {parts[0]} == self + 1, {parts[1]} > 0);\n')
                case VcpuRef():
                    out.append(f'\tprintf(" %d", number_of({place}));\n')
                case _:
                    out.append(f'\tprintf(" %llx", (word)(long long){place});\n')
    return out


def _operation(machine: Machine, where: Layout, k: int, o: Operation) -> str:
    decl = next(d for d in machine.setup.operations if d.function == o.name)
    f = machine.env.declarations.functions[o.name]
    named = [p for p in f.parameters if p.declarator.name]
    before = ""
    given: list[str] = []
    for p, role in zip(named, decl.roles, strict=True):
        match role.value:
            case "kvm":
                given.append(f"&{where.structs[p.type.name]}")
            case "vcpu":
                given.append(f"&{where.structs[p.type.name].format('args.vcpu')}")
            case "range":
                start, pages = list(machine.env.declarations.structs[p.type.name].members)[:2]
                values = f".{start} = args.start, .{pages} = args.pages"
                before = f"\tstruct {p.type.name} range = {{ {values} }};\n"
                given.append("args.whole ? (void *)0 : &range")
            case "root" | "start" | "pages":
                given.append(f"args.{role.value}")
            case _:
                given.append("(void *)0" if _opaque(p) else "args.free")
    call = f"{o.name}({', '.join(given)})"
    plain = f.type.name == "void" and not f.pointers
    end = f"\t{call};\n\treturn 0;\n" if plain else f"\treturn {call};\n"
    return f"static long long operation{k}(void)\n{{\n{before}{end}}}\n"


def _opaque(p: c.Parameter) -> bool:
    return bool(p.declarator.pointers) or p.type.kind == "struct"


def compiled(
    machine: Machine, vcpus: int, sequences: Sequence[Sequence[Step]], folder: Path
) -> str:
    """Compile a variant, run sequences from boot, and return a line for each operation."""
    path = folder / "driven.c"
    path.write_text(source(machine, vcpus))
    flags = ["-std=gnu11", "-fwrapv", "-fno-strict-aliasing", "-w", "-O1"]
    made = subprocess.run(
        ["gcc", *flags, "-o", str(folder / "driven"), str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    commands = "".join("n\n" + "".join(s.command() for s in q) for q in sequences)
    done = subprocess.run(
        [folder / "driven"], input=commands, check=True, capture_output=True, text=True
    )
    return done.stdout


# The interpreter ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Run:
    """One sequence in the interpreter."""

    machine: Machine
    state: concrete.State
    stuck: bool = False
    lines: list[str] = field(default_factory=list)

    def step(self, s: Step) -> str:
        thread = self.state.threads[s.thread]
        said: list[str] = []
        taken = 0
        seen = len(self.state.happenings)
        try:
            while True:
                instr = None if thread.operation is None else thread.operation.code[thread.pc]
                thread.choices = iter(())
                if isinstance(instr, Hypercall):
                    thread.choices = iter((s.results[taken % len(s.results)],))
                    taken += 1
                elif isinstance(instr, Havoc):
                    thread.choices = iter((0,))
                concrete.step(self.state, thread, _each)
                if thread.operation is None:
                    break
        except concrete.Stuck:
            self.stuck = True
        result = 0
        for h in self.state.happenings[seen:]:
            if h.root is not None and h.reach is not None:
                whole, start, pages = h.reach
                reach = (0, 0) if whole else (start, pages)
                said.append(f" h{h.root:x}:{whole}:{reach[0]:x}:{reach[1]:x}")
            if isinstance(h.instr, Return) and h.value is not None:
                result = h.value
        if self.stuck:
            return "".join((*said, " stuck"))
        return "".join((*said, f" r{_int(result)}", *self._fields(s.thread)))

    def _fields(self, thread: int) -> list[str]:
        out: list[str] = []
        for f in self.machine.places:
            for x in concrete.locations(f, self.state.vcpus):
                value = self.state.memory[x]
                match f.type:
                    case LockWord():
                        owns = words.owns(value, thread)
                        reads = words.holds(value, thread) and not owns
                        out.append(f" {int(owns)}/{int(reads)}")
                    case VcpuRef():
                        out.append(f" {value}")
                    case _:
                        out.append(f" {value & ((1 << 64) - 1):x}")
        return out


def _each(operation: Operation) -> frozenset[int]:
    return frozenset(range(len(operation.code)))


def _int(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def interpreted(machine: Machine, vcpus: int, sequences: Sequence[Sequence[Step]]) -> str:
    """Run sequences from boot in the interpreter, and return a line for each operation."""
    lines: list[str] = []
    for sequence in sequences:
        plans = tuple(
            Plan(t, f"thread{t}", tuple(_call(machine, s) for s in sequence if s.thread == t))
            for t in range(vcpus + 1)
        )
        schedule = Schedule(vcpus, {}, plans, ())
        run = _Run(machine, concrete.start(machine.base, schedule))
        lines += ("" if run.stuck else run.step(s) for s in sequence)
    return "".join(f"{line}\n" for line in lines)


def _call(machine: Machine, s: Step) -> Call:
    operation = machine.base.operations[s.operation]
    p = operation.parameters
    given = {x.name: s.free for x in p.free}
    pairs = (
        (p.vcpu, s.thread),
        (p.root, s.root),
        (p.whole, s.whole),
        (p.start, s.start),
        (p.pages, s.pages),
    )
    given |= {x.name: value for x, value in pairs if x is not None}
    return Call(operation.name, given, ())

"""A claim as C: its witnesses and ghosts as variables, each of its handlers as a function.

In: a claim and the counterexample of it. Out: C text that defines `on_enter()` and the other events
that the driver announces. The handlers' bodies are the claim's own text.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter import interpreter
from flushproof.features.reproduce.layout import ObjectLayout
from flushproof.features.reproduce.named_operations import (
    BOOL,
    VCPU,
    handlers_of_claim,
    members_of_call,
    require_subject,
    tells_operations,
    told_by_name,
)
from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.rewrite import rewrite_expression, rewrite_statement
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.syntax import ClaimSpec, Handler, Witness
from flushproof.ir.program import Program
from flushproof.ir.types import NO_VCPU, NONE, Type, VcpuRef
from flushproof.machine.build import Machine
from flushproof.machine.instrument import PLACE_STRIDE
from flushproof.report.plain import escape_unprintable
from flushproof.support.record import Record, replace

ROOT, U64 = "root ", "u64 "
TYPES = {
    "enter load": (VCPU, ROOT),
    "return load": (VCPU, ROOT),
    "enter flush": (BOOL, U64, U64),
    "return flush": ("int ",),
    "hypercall": (U64, BOOL, BOOL, U64, U64),
    "lock": ("const void *", BOOL),
    "unlock": ("const void *", BOOL),
    "access": ("long ", BOOL, BOOL),
    "step": (),
    "deadlock": (),
    "end": (),
}
GIVEN = {
    "enter load": "vcpu_at(current->vcpu), current->root",
    "return load": "vcpu_at(current->vcpu), current->root",
    "enter flush": "current->whole, current->start, current->pages",
    "return flush": "(int)value",
    "hypercall": "asked->as, ok, asked->whole, asked->start, asked->pages",
    "lock": "lock, shared",
    "unlock": "lock, shared",
    "access": "place, write, once",
    "step": "",
    "deadlock": "",
    "end": "",
}
WITNESS_TYPES = {"vcpu": VCPU, "root": ROOT, "gfn": U64, "thread": "int "}
PARTS = (("thread", "int "), ("place", "long "), ("write", BOOL), ("once", BOOL), ("locks", U64))

WORDS = """\
/* The words of the claim language. */
typedef unsigned __int128 root;

#define NONE ((root)1 << 64)
#define SELF (self + 1)
#define LOCKS held_locks()
#define LOAD_FLUSHES {load_flushes}
#define CALLS_END {calls_end}
{cache}#define assert(condition, ...) ((condition) ? (void)0 : violate("" __VA_ARGS__))
#define holds(l) holds_lock(l, 0)
#define owns(l) holds_lock(l, 1)
#define unlocked() all_free()
#define every(v, c) __extension__ ({{ int every_i, every_all = 1;		\\
	for (every_i = 0; every_i < VCPUS; every_i++) {{			\\
		struct kvm_vcpu *v = vcpu_at(every_i);			\\
		if (!(c)) every_all = 0;				\\
	}} every_all; }})
#define some(v, c) (!every(v, !(c)))

struct call {{
{named}	int load, vcpu;
	root root;
	_Bool whole;
	unsigned long long start, pages;
	unsigned chosen;
	long long (*run)(void);
}};

struct place {{
	const void *at;
	long number;
}};

static int self, violated;
static root runs_on[VCPUS];
static struct kvm *kvm;
static const struct call *current;
static struct lock_state *all_locks[] = {{ {locks} }};
static const struct place all_places[] = {{
{places}}};

static void violate(const char *text)
{{
	violated = 1;
	if (*text)
		printf("      %s\\n", text);
}}

MAYBE static int number_of(const struct kvm_vcpu *vcpu)
{{
	int i;

	for (i = 0; i < VCPUS; i++)
		if (vcpu_at(i) == vcpu)
			return i;
	return 0;
}}

MAYBE static int holds_lock(const void *l, int sole)
{{
	const struct lock_state *lock = l;

	return lock->writer == self + 1 || (!sole && lock->readers[self]);
}}

MAYBE static u64 held_locks(void)
{{
	u64 set = 0;
	int k;

	for (k = 0; all_locks[k]; k++)
		set |= (u64)holds_lock(all_locks[k], 0) << k |
			(u64)holds_lock(all_locks[k], 1) << (k + 32);
	return set;
}}

MAYBE static int all_free(void)
{{
	int k, i;

	for (k = 0; all_locks[k]; k++)
		for (i = 0; i < THREADS; i++)
			if (all_locks[k]->writer || all_locks[k]->readers[i])
				return 0;
	return 1;
}}
"""

ANNOUNCED = """
static void on_enter(const struct call *call)
{{
	current = call;
	if (call->load) {{
{enter load}	}} else {{
{enter flush}	}}
}}

static void on_return(const struct call *call, long long value)
{{
	current = call;
	if (call->load) {{
{return load}	}} else {{
{return flush}	}}
	(void)value;
}}

static void on_hypercall(const struct call *call, const struct flush_request *asked, int ok)
{{
	current = call;
{hypercall}	(void)asked;
	(void)ok;
}}

static void on_lock(const struct lock_state *lock, int shared)
{{
{lock}	(void)lock;
	(void)shared;
}}

static void on_unlock(const struct lock_state *lock, int shared)
{{
{unlock}	(void)lock;
	(void)shared;
}}

static void on_access(const void *at, int write, int once)
{{
	unsigned k;

	for (k = 0; all_places[k].at; k++)
		if (all_places[k].at == at) {{
			long place = all_places[k].number;

{access}			(void)place;
		}}
	(void)write;
	(void)once;
}}

static void on_step(void)
{{
{step}}}

static void on_deadlock(void)
{{
{deadlock}}}

static void on_end(void)
{{
{end}}}
"""


class Monitored(Record, frozen=True):
    """A claim, the program with its monitor, and the values of its witnesses."""

    machine: Machine
    layout: ObjectLayout
    claim: ClaimSpec
    program: Program
    witnesses: dict[str, int]
    vcpus: int


def code_of(claim: ClaimSpec) -> tuple[c.Stmt, ...]:
    """Return the code whose functions a claim needs."""
    return tuple(h.body for h in claim.handlers)


def define_claim_words(m: Monitored) -> str:
    """Return what the claim language's words mean."""
    machine = m.machine
    cache = machine.cache
    text = ""
    if cache is not None:
        text = (
            f"#define CACHE_IN_USE ({printer.print_expression(cache.condition)})\n"
            f"#define CACHE_ROOT ({printer.print_expression(cache.root)})\n"
        )
    locks = interpreter.lock_locations(m.program, m.vcpus)
    places = (
        f"\t{{ &{m.layout.place(x)}, {number * PLACE_STRIDE + (x[1] or 0)} }},\n"
        for number, f in enumerate(machine.places)
        if f.label not in machine.setup.exempt
        for x in interpreter.field_locations(f, m.vcpus)
    )
    return WORDS.format(
        named=members_of_call(m.program) if tells_operations(machine.setup, m.claim) else "",
        load_flushes=int(machine.setup.assumptions.load_flushes),
        calls_end=int(machine.calls_end),
        cache=text,
        locks=", ".join((*(f"&{m.layout.place(x)}.state" for x in locks), "(void *)0")),
        places="".join((*places, "\t{ (void *)0, 0 },\n")),
    )


def emit_handlers(m: Monitored) -> str:
    """Return the claim's variables and its handlers."""
    claim = m.claim
    arrays = frozenset(d.declarator.name for d in _ghosts(claim) if d.declarator.arrays)
    lines = [
        f"/* The claim: {escape_comment(claim.text)}. */\n",
        *_witnesses(m),
        *_ghost_lines(claim),
        "\n",
    ]
    handlers = handlers_of_claim(m.machine.setup, claim)
    lines += [_handler(m, k, h, arrays | {"runs_on"}) for k, h in enumerate(handlers)]
    return "".join(lines)


def announcing_functions(m: Monitored) -> str:
    """Return the functions by which the driver announces events."""
    return ANNOUNCED.format(**{key: "".join(_calls(m, key)) for key in TYPES})


def start_lines(m: Monitored) -> str:
    """Return the statements that set what cannot be initialised at file level."""
    out = [f"\truns_on[{v}] = NONE;\n" for v in range(m.vcpus)]
    out.append(f"\tkvm = &{m.layout.structs['kvm']};\n")
    known = {
        w.name: m.witnesses[f"{m.claim.name}:{w.name}"] for w in m.claim.witnesses if _is_vcpu(w)
    }
    return "".join((*out, *(f"\t{name} = {vcpu_pointer(v)};\n" for name, v in known.items())))


def _is_vcpu(w: Witness) -> bool:
    return w.kind == "vcpu"


def vcpu_pointer(number: int) -> str:
    """Return a pointer to a vCPU."""
    return "(void *)0" if number == NO_VCPU else f"vcpu_at({number})"


def escape_comment(text: str) -> str:
    """Write a text so that it stays within the comment around it."""
    return escape_unprintable(text).replace("*/", "* /")


def c_literal(value: int) -> str:
    """Return a number as C writes it."""
    if value == NONE:
        return "NONE"
    return f"{value}" if -(1 << 31) < value < 1 << 31 else f"{value:#x}ull"


def initial_literal(value: int, t: Type) -> str:
    """Return what a field of a type starts as; a pointer to a vCPU may be NULL."""
    if not isinstance(t, VcpuRef):
        return c_literal(value)
    return "(void *)0" if value == NO_VCPU else f"(void *)vcpu_at({value})"


# Variables -------------------------------------------------------------------------------------


def _witnesses(m: Monitored) -> Iterator[str]:
    for w in m.claim.witnesses:
        match w.kind:
            case "call":
                bit = 1 << witness_bits(m.claim)[w.name]
                yield f"#define IS_{w.name} (current->chosen & {bit}u)\n"
            case "access":
                yield from _access(m, w)
            case "vcpu":
                yield f"static struct kvm_vcpu *{w.name};\n"
            case kind:
                value = c_literal(m.witnesses[f"{m.claim.name}:{w.name}"])
                yield f"static {WITNESS_TYPES[kind]}{w.name} = {value};\n"


def _access(m: Monitored, w: Witness) -> Iterator[str]:
    for part, t in PARTS:
        value = m.witnesses[f"{m.claim.name}:{w.name}_{part}"]
        yield f"MAYBE static {t}{w.name}_{part} = {c_literal(value)};\n"
    n = w.name
    yield (
        f"#define IS_{n} ({n}_thread == SELF && {n}_place == place && {n}_write == write && \\\n"
        f"\t{n}_once == once && {n}_locks == held_locks())\n"
    )


def witness_bits(claim: ClaimSpec) -> dict[str, int]:
    """Return the bit of each call witness."""
    names = [w.name for w in claim.witnesses if w.kind == "call"]
    return {name: k for k, name in enumerate(names)}


def _ghosts(claim: ClaimSpec) -> Iterator[c.InitDeclarator]:
    return (d for g in claim.ghosts for d in g.declarators)


def _ghost_lines(claim: ClaimSpec) -> Iterator[str]:
    for g in claim.ghosts:
        for d in g.declarators:
            size = (c.Name("VCPUS", d.span),) if d.declarator.arrays else ()
            one = replace(d, declarator=replace(d.declarator, arrays=size))
            yield "MAYBE " + printer.print_item(
                replace(g, qualifiers=("static",), declarators=(one,))
            )
            yield "\n"


# Handlers --------------------------------------------------------------------------------------


def _handler(m: Monitored, k: int, h: Handler, arrays: frozenset[str]) -> str:
    told = told_by_name(m.program, h)
    types = TYPES[_key(m.machine.setup, h)] if told is None else told.types
    given = [f"{t}{p.value}" for t, p in zip(types, h.parameters, strict=False)]
    given += [f"{t}unused{n}" for n, t in enumerate(types[len(given) :])]
    body = printer.print_statement(_indexed(h.body, arrays))
    return f"static void handler{k}({', '.join(given) or 'void'})\n{body}\n\n"


def _key(setup: Setup, h: Handler) -> str:
    """Return the event of a handler; what goes by its own name is told where flushes are."""
    if h.event not in ("enter", "return"):
        return h.event
    loads = {"load", *(o.function for o in setup.operations if o.role == "load")}
    return f"{h.event} {'load' if h.subject in loads else 'flush'}"


def _calls(m: Monitored, key: str) -> Iterator[str]:
    claim, setup = m.claim, m.machine.setup
    known = {w.name: w.kind for w in claim.witnesses}
    for k, h in enumerate(handlers_of_claim(setup, claim)):
        if _key(setup, h) != key:
            continue
        names = sorted({h.inside, h.subject} & known.keys())
        tests = [f"IS_{n}" for n in names if known[n] in ("call", "access")]
        if any(known[n] == "call" for n in names):
            tests.insert(0, "current && !current->load")
        named = known.get(h.subject) != "call" and h.event in ("enter", "return")
        tests += require_subject(setup, claim, h.subject) if named else ()
        condition = f"if ({' && '.join(tests)}) " if tests else ""
        told = told_by_name(m.program, h)
        values = GIVEN[key] if told is None else told.values
        yield f"\t\t{condition}handler{k}({values});\n"


def _indexed(s: c.Stmt, arrays: frozenset[str]) -> c.Stmt:
    """Turn vCPUs into numbers where they index a ghost array."""

    def expr(e: c.Expr) -> c.Expr:
        e = rewrite_expression(e, expr, stmt)
        if isinstance(e, c.Index) and isinstance(e.base, c.Name) and e.base.id in arrays:
            call = c.CallExpr(c.Name("number_of", e.span), (e.index,), e.span)
            return replace(e, index=call)
        return e

    def stmt(x: c.Stmt) -> c.Stmt:
        return rewrite_statement(x, expr, stmt)

    return stmt(s)


def listens_to(claim: ClaimSpec, event: str) -> bool:
    """Tell whether a claim listens to an event."""
    return any(h.event == event for h in claim.handlers)

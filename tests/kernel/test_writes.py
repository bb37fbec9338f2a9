"""Nothing that may write what the flush reads is left out, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options, Sanity
from kernel.forms import Form

SET = "static void set_it(bool *p) { *p = true; }"
MARK = "static void do_mark(struct kvm_vmx *vm) { vm->skip = true; }"
OPS = "struct kvm_vmx;\nstruct ops { void (*mark)(struct kvm_vmx *vm); };\n"
DECLARED = "static void do_mark(struct kvm_vmx *vm);\n"
GLOBAL = "if (dirty) continue;"


WRITES = {
    "a member": Form("vm->skip = true;"),
    "a member of a vCPU": Form(
        "vmx->seen = true;",
        of_vcpu="bool seen;",
        reads="if (to_vmx(vcpu)->seen) continue;",
        resets="vmx->seen = 0;",
    ),
    "a step": Form("vm->n++;", members="int n;", reads="if (vm->n) continue;", resets="vm->n = 0;"),
    "a step of a pointer's target": Form(
        "(*&vm->n)++;", members="int n;", reads="if (vm->n) continue;", resets="vm->n = 0;"
    ),
    "a comma": Form("vm->other = 1, vm->skip = true;"),
    "a condition": Form("level ? (vm->skip = true) : (vm->other = 1);"),
    "a chosen place": Form(
        "*(level ? &vm->skip : &vm->spare) = true;", members="bool skip, spare;"
    ),
    "a short circuit": Form("level && (vm->skip = true);"),
    "a statement expression": Form("({ vm->skip = true; });"),
    "a macro": Form("SKIP(vm);", before="#define SKIP(v) do { (v)->skip = true; } while (0)"),
    "a marked store": Form("WRITE_ONCE(vm->skip, true);"),
    "an exchange": Form(
        "xchg(&vm->n, 1);", members="int n;", reads="if (vm->n) continue;", resets="vm->n = 0;"
    ),
    "an atomic": Form(
        "atomic_inc(&vm->n);",
        members="atomic_t n;",
        reads="if (atomic_read(&vm->n)) continue;",
        resets="atomic_set(&vm->n, 0);",
    ),
    "the counter of an atomic": Form(
        "vm->n.counter = 1;",
        members="atomic_t n;",
        reads="if (atomic_read(&vm->n)) continue;",
        resets="atomic_set(&vm->n, 0);",
    ),
    "a bit": Form(
        "set_bit(0, &vm->flags);",
        members="unsigned long flags;",
        reads="if (vm->flags) continue;",
        resets="vm->flags = 0;",
    ),
    "a bit through a pointer": Form(
        "{ unsigned long *p = &vm->flags; set_bit(0, p); }",
        members="unsigned long flags;",
        reads="if (vm->flags) continue;",
        resets="vm->flags = 0;",
    ),
    "an alias": Form("{ bool *q = &vm->skip; *q = true; }"),
    "an alias that is indexed": Form("{ bool *q = &vm->skip; q[0] = true; }"),
    "an alias handed on": Form("{ bool *q = &vm->skip; set_it(q); }", before=SET),
    "an alias in a struct": Form(
        "{ struct box b = { .p = &vm->skip }; *b.p = true; }", before="struct box { bool *p; };"
    ),
    "an alias in a struct that is handed on": Form(
        "{ struct box b; b.p = &vm->skip; fill(&b); }",
        before="struct box { bool *p; };\nstatic void fill(struct box *b) { *b->p = true; }",
    ),
    "an alias of the struct": Form("{ struct kvm_vmx *w = vm; w->skip = true; }"),
    "an alias at file level": Form(
        "where = &vm->skip; put();",
        before="static bool *where;\nstatic void put(void) { *where = true; }",
    ),
    "a helper that yields the place": Form(
        "*at(vm) = true;", between="static bool *at(struct kvm_vmx *vm) { return &vm->skip; }"
    ),
    "a helper": Form("do_mark(vm);", between=MARK),
    "a helper of a helper": Form(
        "outer(vm);", between=MARK + "\nstatic void outer(struct kvm_vmx *vm) { do_mark(vm); }"
    ),
    "a helper behind": Form("do_mark(vm);", before="struct kvm_vmx;\n" + DECLARED, after=MARK),
    "a container": Form(
        "from(&vm->node);",
        between=(
            "static void from(struct list_head *n)\n"
            "{\n\tcontainer_of(n, struct kvm_vmx, node)->skip = true;\n}"
        ),
    ),
    "a table": Form(
        "the_ops.mark(vm);",
        before=OPS + DECLARED + "static struct ops the_ops = { .mark = do_mark };",
        after=MARK,
    ),
    "a table filled by position": Form(
        "the_ops.mark(vm);",
        before=OPS + DECLARED + "static struct ops the_ops = { do_mark };",
        after=MARK,
    ),
    "a table that is assigned": Form(
        "the_ops.mark(vm);",
        before=OPS + "static struct ops the_ops;",
        after=MARK + "\nvoid install(void) { the_ops.mark = do_mark; }",
    ),
    "a table with two": Form(
        "the_ops.mark(vm);",
        before=OPS + DECLARED + "static struct ops the_ops = { .mark = do_nothing };",
        after=MARK + "\nvoid install(void) { the_ops.mark = &do_mark; }"
        "\nstatic void do_nothing(struct kvm_vmx *vm) { }",
    ),
    "a table in the VM": Form(
        "vm->ops->mark(vm);", before=OPS, members="bool skip; struct ops *ops;"
    ),
    "a pointer to a function": Form(
        "hook(vm);",
        before="struct kvm_vmx;\nstatic void (*hook)(struct kvm_vmx *vm);",
        after=MARK + "\nvoid install(void) { hook = do_mark; }",
    ),
    "a local pointer to a function": Form(
        "{ void (*f)(struct kvm_vmx *) = do_mark; (*f)(vm); }",
        before="struct kvm_vmx;\n" + DECLARED,
        after=MARK,
    ),
    "a static call": Form(
        "static_call(mark)(vm);",
        before="struct kvm_vmx;\n" + DECLARED + "DEFINE_STATIC_CALL(mark, do_mark);",
        after=MARK,
    ),
    "a callback": Form(
        "call_rcu(&vm->rcu, late);",
        members="bool skip; struct rcu_head rcu;",
        after=(
            "static void late(struct rcu_head *h)\n"
            "{\n\tcontainer_of(h, struct kvm_vmx, rcu)->skip = true;\n}"
        ),
        before="struct rcu_head;\nstatic void late(struct rcu_head *h);",
    ),
    "a call on each CPU": Form(
        "on_each_cpu(late, vm, 1);",
        before="static void late(void *data);",
        after="static void late(void *data) { struct kvm_vmx *vm = data; vm->skip = true; }",
    ),
    "an unknown function": Form("mystery(vm);"),
    "an unknown function of the vCPU": Form("mystery(vcpu);"),
    "an unknown function of another type": Form("mystery((void *)vm);"),
    "an unknown function of a number": Form("mystery((unsigned long)vm);"),
    "an unknown function of a part": Form("mystery(&vm->node);"),
    "an unknown function in a helper": Form(
        "tell(vm);", between="static void tell(struct kvm_vmx *vm) { mystery(vm); }"
    ),
    "an unknown function for its value": Form("vm->other = mystery(vm);"),
    "an unknown function in an initialiser": Form("{ int unused = mystery(vm); }"),
    "an unknown function in a condition": Form("if (mystery(vm)) vm->other = 1;"),
    "an unknown macro": Form("SET_TRUE(vm->skip);"),
    "a struct": Form("*vm = *blank;", between="static struct kvm_vmx *blank;"),
    "a struct within": Form(
        "vm->in = (struct inner){ .skip = true };",
        before="struct inner { bool skip; };",
        members="struct inner in;",
        reads="if (vm->in.skip) continue;",
        resets="vm->in.skip = 0;",
    ),
    "a struct within by a pointer": Form(
        "{ struct inner *p = &vm->in; struct inner v = { .skip = true }; *p = v; }",
        before="struct inner { bool skip; };",
        members="struct inner in;",
        reads="if (vm->in.skip) continue;",
        resets="vm->in.skip = 0;",
    ),
    "an array": Form(
        "vm->a[0] = 1;",
        members="int a[2];",
        reads="if (vm->a[0]) continue;",
        resets="vm->a[0] = 0;",
    ),
    "memset": Form("memset(&vm->skip, 1, 1);"),
    "memset of all": Form("memset(vm, 1, sizeof(*vm));"),
    "memset of a part": Form(
        "memset(&vm->in, 1, sizeof(vm->in));",
        before="struct inner { bool skip; };",
        members="struct inner in;",
        reads="if (vm->in.skip) continue;",
        resets="vm->in.skip = 0;",
    ),
    "memcpy": Form("memcpy(vm, blank, sizeof(*vm));", between="static struct kvm_vmx *blank;"),
    "kfree": Form("kfree(vm);"),
    "memzero_explicit": Form(
        "memzero_explicit(vmx, sizeof(*vmx));",
        of_vcpu="bool seen;",
        reads="if (to_vmx(vcpu)->seen) continue;",
        resets="vmx->seen = 0;",
    ),
    "assembly": Form('asm volatile("movb $1, %0" : "=m" (vm->skip));'),
    "assembly through a pointer": Form(
        'asm volatile("movb $1, (%0)" : : "r" (&vm->skip) : "memory");'
    ),
    "assembly through the struct": Form('asm volatile("call f" : : "D" (vm) : "memory");'),
    "a variable": Form(
        "dirty = true;", before="static bool dirty;", reads=GLOBAL, resets="dirty = false;"
    ),
    "a variable with a value": Form(
        "dirty = true;", before="static bool dirty = false;", reads=GLOBAL, resets="dirty = false;"
    ),
    "an extern variable": Form(
        "dirty = true;", before="extern bool dirty;", reads=GLOBAL, resets="dirty = false;"
    ),
    "a variable by its address": Form(
        "set_it(&dirty);",
        before=SET + "\nstatic bool dirty;",
        reads=GLOBAL,
        resets="dirty = false;",
    ),
    "a variable in a helper": Form(
        "put();",
        before="static bool dirty = false;\nstatic void put(void) { dirty = true; }",
        reads=GLOBAL,
        resets="dirty = false;",
    ),
    "a struct at file level": Form(
        "all.dirty = true;",
        before="static struct { bool dirty; } all;",
        reads="if (all.dirty) continue;",
        resets="all.dirty = 0;",
    ),
    "an array at file level": Form(
        "seen[0] = 1;",
        before="static int seen[4];",
        reads="if (seen[0]) continue;",
        resets="seen[0] = 0;",
    ),
    "a static local": Form("{ static bool *p; *p = true; }"),
    "a pointer member": Form(
        "vm->page = vm;",
        members="void *page;",
        reads="if (vm->page) continue;",
        resets="vm->page = 0;",
    ),
    "a pointer member nobody sets": Form(
        "", members="void *page;", reads="if (vm->page) continue;"
    ),
    "what a pointer member points to": Form(
        "",
        members="struct far *far;",
        before="struct far { int x; };",
        reads="if (vm->far->x) continue;",
    ),
    "a local struct by a pointer": Form(
        "{ struct box b = { .v = 0 }; struct box *p = &b; p->v = 1; if (b.v) vm->skip = true; }",
        before="struct box { int v; };",
    ),
    "a local by an unknown function": Form("{ int x = 0; mystery(&x); if (x) vm->skip = true; }"),
    "a local by the value of one": Form(
        "{ int x = 0, y = mystery(&x); vm->other = y; if (x) vm->skip = true; }"
    ),
    "a local by a pointer to it": Form(
        "{ int x = 0; int *p = &x; mystery(p); if (x) vm->skip = true; }"
    ),
    "a macro that is defined within": Form(
        "\n#undef MARK\n#define MARK(v) ((v)->skip = true)\nMARK(vm);",
        before="#define MARK(v) do { } while (0)\n",
    ),
    "a file included within": Form('\n#include "body.h"\n'),
    "a file included within a helper": Form(
        "outer(vm);",
        between='static void outer(struct kvm_vmx *vm)\n{\n#include "body.h"\n}\n',
    ),
    "an argument of a trace": Form("trace_kvm_load(vm->skip = true, root);"),
    "a statement in an argument": Form("trace_kvm_load(vcpu, ({ vm->skip = true; 1; }));"),
    "a step in an argument": Form(
        "trace_kvm_load(vcpu, vm->n++);",
        members="int n;",
        reads="if (vm->n) continue;",
        resets="vm->n = 0;",
    ),
    "a local by a step in an argument": Form(
        "{ int x = 0; trace_kvm_load(vcpu, x++); if (x) vm->skip = true; }"
    ),
    "an unknown function in an argument": Form("trace_kvm_load(vcpu, mystery(vm));"),
    "an argument that the model has no place for": Form(
        "vmcs_write64(EPT_POINTER, construct_eptp(vcpu, root, level, vm->skip = true));"
    ),
    "a return in an expression": Form(
        "({ if (level) { vmx->hv_tlb_pgd = INVALID_PAGE; } });",
    ),
}

HARMLESS = {
    "nothing": Form(""),
    "another member": Form("vm->other = 1;"),
    "another member by a step": Form("vm->other++; vmx->mark |= 2;"),
    "messages": Form('pr_info("%p %d\\n", vm, vm->other); trace_kvm_load(vcpu, root);'),
    "a helper": Form(
        "note(vm);", between="static void note(struct kvm_vmx *vm) { vm->other = 2; }"
    ),
    "a list": Form("list_add(&vm->node, &all);", before="static LIST_HEAD(all);"),
    "memset of a part": Form(
        "memset(&vm->in, 0, sizeof(vm->in));",
        before="struct inner { int x; };",
        members="bool skip; struct inner in;",
    ),
    "bits of a bitmap": Form(
        "set_bit(MARKED, vm->map); if (test_and_clear_bit(2, vm->map)) vm->other = 1;",
        members="bool skip; unsigned long map[2];",
    ),
    "a struct within": Form(
        "note(vm);",
        before="struct inner { int x; };",
        members="bool skip; struct inner in;",
        between=(
            "static void note(struct kvm_vmx *vm)\n"
            "{\n\tstruct inner v = { .x = 1 };\n\n\tvm->in = v;\n}"
        ),
    ),
    "a table": Form(
        "the_ops.note(vcpu, level);",
        before=(
            "struct ops { void (*note)(struct kvm_vcpu *vcpu, int level); };\n"
            "static void do_note(struct kvm_vcpu *vcpu, int level);\n"
            "static struct ops the_ops = { .note = do_note };"
        ),
        after=(
            "static void do_note(struct kvm_vcpu *vcpu, int level)\n"
            "{\n\tto_vmx(vcpu)->mark = level;\n}"
        ),
    ),
    "a number for an unknown function": Form("mystery(level);"),
    "a function of the kernel": Form("if (is_paging(vcpu)) vm->other = kvm_read_cr3(vcpu);"),
    "assembly": Form('asm volatile("nop" : : : "memory");'),
    "assembly of a number": Form('asm volatile("outb %0" : : "a" (level));'),
}


def _refusal(error: InputError) -> str:
    first = error.diagnostics[0]
    placed = error.exit_code == 4 and first.span is not None
    return f"refused: {first.title}" if placed else f"refused without a place: {first.title}"


def verdict_of(text: str, to: Path) -> tuple[str, tuple[str, ...]]:
    """Ask for every number of vCPUs, as a user does who says nothing."""
    path = to / "k.c"
    path.write_text(text)
    options = Options(claims=("coverage",), sanity=Sanity.OFF, jobs=1)
    try:
        (result,) = pipeline.prove(str(path), None, options, lambda _: None).results
    except InputError as error:
        return _refusal(error), ()
    return result.verdict.value, result.assumptions


@pytest.mark.sample(every=32)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_not_left_out(name: str, tmp_path: Path) -> None:
    """A vCPU is left out once this is written; who drops the write calls the flush right.

    Guards Lemma L28 of docs/soundness.md.
    """
    verdict, _ = verdict_of(WRITES[name].text, tmp_path)
    assert verdict not in {Verdict.PROVED.value, Verdict.BOUNDED.value}
    assert not verdict.startswith("refused without a place")


@pytest.mark.sample("a table", "bits of a bitmap")
@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_shown_to_write_nothing_is_left_out(name: str, tmp_path: Path) -> None:
    """A fork's own code around the flush must not lose the proof for every number of vCPUs."""
    verdict, _ = verdict_of(HARMLESS[name].text, tmp_path)
    assert verdict == Verdict.PROVED.value

"""What creation sets counts if it surely runs; what others write may be written at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options, Sanity
from kernel.forms import Form

SET = "vmx->hv_tlb_pgd = INVALID_PAGE;"
OTHER_VCPU = "static struct kvm_vcpu *other;\n"


def _created(body: str, before: str = "") -> str:
    """Return a file with a function that creates vCPUs."""
    creates = (
        f"{before}\nstatic struct kvm_vcpu *vmx_create_vcpu(struct kvm *kvm, unsigned int id)\n{{\n"
        "\tstruct vcpu_vmx *vmx = kmem_cache_zalloc(kvm_vcpu_cache, GFP_KERNEL);\n"
        f"\tint i, err = 0;\n\n\t{body}\n\treturn &vmx->vcpu;\n}}\n"
    )
    return Form("", after=creates).text


SURE = {
    "set": _created(SET),
    "set twice": _created(f"vmx->hv_tlb_pgd = 5; {SET}"),
    "set behind a way out": _created(f"if (!vmx) return ERR_PTR(-ENOMEM); {SET}"),
    "set before one": _created(f"{SET} err = prepare(id); if (err) return ERR_PTR(err);"),
    "set on both branches": _created(f"if (id) {{ {SET} }} else {SET}"),
    "set in a helper": _created(
        "init(vmx);", f"static void init(struct vcpu_vmx *vmx)\n{{\n\t{SET}\n}}\n"
    ),
    "set in one round": _created(f"do {{ {SET} }} while (0);"),
    "set by a macro": _created("INIT(vmx);", f"#define INIT(vmx) do {{ {SET} }} while (0)\n"),
    "set with a jump": _created(
        f"err = prepare(id); if (err) goto out; {SET} return &vmx->vcpu;"
        " out: kfree(vmx); return NULL;"
    ),
    "set behind memset": _created(f"memset(vmx, 0, sizeof(*vmx)); {SET}"),
}
NOT_SURE = {
    "nothing": _created(""),
    "a comment": _created(f"/* {SET} */"),
    "a line comment": _created(f"// {SET}\n"),
    "what is not compiled": _created(f"\n#if 0\n{SET}\n#endif\n"),
    "an option that is off": _created(f"\n#ifdef CONFIG_NOTHING\n{SET}\n#endif\n"),
    "a text": _created(f'pr_info("{SET}");'),
    "a branch": _created(f"if (id) {SET}"),
    "a branch that is never taken": _created(f"if (0) {SET}"),
    "behind a return": _created(f"return &vmx->vcpu; {SET}"),
    "behind one that may be taken": _created(f"if (id) return &vmx->vcpu; {SET}"),
    "behind a jump": _created(f"goto out; {SET} out:;"),
    "in a loop": _created(f"for (i = 0; i < id; i++) {SET}"),
    "in a case": _created(f"switch (id) {{ case 1: {SET} }}"),
    "another value behind": _created(f"{SET} vmx->hv_tlb_pgd = 0;"),
    "a number of no meaning": _created("vmx->hv_tlb_pgd = id;"),
    "memset behind": _created(f"{SET} memset(vmx, 0, sizeof(*vmx));"),
    "memset of it behind": _created(f"{SET} memset(&vmx->hv_tlb_pgd, 0, 8);"),
    "a helper with memset": _created(
        f"{SET} clear(vmx);",
        "static void clear(struct vcpu_vmx *v) { memset(v, 0, sizeof(*v)); }\n",
    ),
    "a helper nobody calls": _created(
        "", f"static void init(struct vcpu_vmx *vmx)\n{{\n\t{SET}\n}}\n"
    ),
    "a helper for some": _created(
        "if (id) init(vmx);", f"static void init(struct vcpu_vmx *vmx)\n{{\n\t{SET}\n}}\n"
    ),
    "an alias": _created(f"{{ hpa_t *p = &vmx->hv_tlb_pgd; {SET} *p = 0; }}"),
    "another struct": _created(
        "other.hv_tlb_pgd = INVALID_PAGE;",
        "struct o { hpa_t hv_tlb_pgd; };\nstatic struct o other;\n",
    ),
    "a helper that sets the whole": _created(
        f"{SET} clear(vmx);",
        "static void clear(struct vcpu_vmx *v) { *v = (struct vcpu_vmx){ .mark = 1 }; }\n",
    ),
    "a helper that sets what is within": _created(
        f"{SET} clear(vmx);",
        "static struct vcpu_vmx blank[2];\n"
        "static void clear(struct vcpu_vmx *v) { v[0] = blank[1]; }\n",
    ),
    "the whole": _created(f"{SET} *vmx = blank;", "static struct vcpu_vmx blank;\n"),
    "bytes": _created(f"{SET} {{ u8 *p = (u8 *)vmx; p[8] = 0; }}"),
    "a loop over bytes": _created(f"{SET} for (i = 0; i < 16; i++) ((char *)vmx)[i] = 0;"),
    "a helper for bytes": _created(
        f"{SET} clear(vmx, 16);",
        "static void clear(void *p, int n) { char *c = p; while (n--) *c++ = 0; }\n",
    ),
    "assembly": _created(f'{SET} asm volatile("" : : "r" (vmx) : "memory");'),
    "another fill": _created(f"{SET} memset64((u64 *)vmx, 0, 4);"),
    "a fill of the compiler's": _created(f"{SET} __builtin_memset(vmx, 0, sizeof(*vmx));"),
    "another vCPU": _created("to_vmx(other)->hv_tlb_pgd = INVALID_PAGE;", OTHER_VCPU),
    "another vCPU in a helper": _created(
        "init(to_vmx(other));",
        f"{OTHER_VCPU}static void init(struct vcpu_vmx *vmx)\n{{\n\t{SET}\n}}\n",
    ),
    "another vCPU by the same name": _created(
        f"{{ struct vcpu_vmx *vmx = to_vmx(other); {SET} }}", OTHER_VCPU
    ),
    "another vCPU that is found": _created(
        f"{{ struct vcpu_vmx *v = to_vmx(kvm_get_vcpu(kvm, 0)); v->{SET.partition('->')[2]} }}"
    ),
    "one that is made anew": _created(f"{SET} vmx = kmem_cache_zalloc(kvm_vcpu_cache, 1);"),
    "one of an array": _created(
        "all[0].hv_tlb_pgd = INVALID_PAGE;", "static struct vcpu_vmx all[3];\n"
    ),
    "a condition": _created("if (id && (vmx->hv_tlb_pgd = INVALID_PAGE)) i = 1;"),
}
BESIDE = {
    "memset of a part": "void f(struct vcpu_vmx *v)\n{\n\tmemset(&v->mark, 0, 4);\n}\n",
    "memset of something else": (
        "struct far { int x; };\nvoid f(struct far *v)\n{\n\tmemset(v, 0, sizeof(*v));\n}\n"
    ),
    "something else as a whole": (
        "struct far { int x; };\nvoid f(struct far *v, struct far *w)\n{\n\t*v = *w;\n}\n"
    ),
    "another glued name": (
        "#define CAT(a, b) a##b\nvoid f(struct vcpu_vmx *v)\n{\n\tv->CAT(ma, rk) = 0;\n}\n"
    ),
    "a size": "static_assert(sizeof(((struct vcpu_vmx *)0)->hv_tlb_pgd) == 8);\n",
    "memset of what points to one": (
        "struct s { struct vcpu_vmx *v; };\n"
        "void f(struct s *x)\n{\n\tmemset(x, 0, sizeof(*x));\n}\n"
    ),
    "a pointer to a vCPU": (
        "struct far { struct kvm_vcpu *vcpu; };\n"
        "void f(struct far *v, struct kvm_vcpu *vcpu)\n{\n\tv->vcpu = vcpu;\n}\n"
    ),
}
WRITES = "to_vmx(vcpu)->hv_tlb_pgd = 0;"
OTHERS = {
    "a reset": f"void vmx_vcpu_reset(struct kvm_vcpu *vcpu)\n{{\n\t{WRITES}\n}}\n",
    "under a condition": f"void f(struct kvm_vcpu *vcpu, int x)\n{{\n\tif (x)\n\t\t{WRITES}\n}}\n",
    "by an address": "void f(struct vcpu_vmx *v)\n{\n\tput(&v->hv_tlb_pgd);\n}\n",
    "a marked store": "void f(struct vcpu_vmx *v)\n{\n\tWRITE_ONCE(v->hv_tlb_pgd, 0);\n}\n",
    "a macro": (
        "#define CLEAR(v) ((v)->hv_tlb_pgd = 0)\nvoid f(struct vcpu_vmx *v)\n{\n\tCLEAR(v);\n}\n"
    ),
    "code that cannot be read": (
        "void f(struct vcpu_vmx *v, int x)\n"
        "{\n\tswitch (x) { case 1 ... 5: v->hv_tlb_pgd = 0; }\n}\n"
    ),
    "memset": "void f(struct vcpu_vmx *v)\n{\n\tmemset(v, 0, sizeof(*v));\n}\n",
    "memset of what a call yields": (
        "void f(struct kvm_vcpu *v)\n{\n\tmemset(to_vmx(v), 0, 16);\n}\n"
    ),
    "the whole": (
        "static struct vcpu_vmx blank;\nvoid f(struct vcpu_vmx *v)\n{\n\t*v = blank;\n}\n"
    ),
    "the whole of what a call yields": (
        "static struct vcpu_vmx blank;\n"
        "void f(struct kvm_vcpu *v)\n{\n\tif (v)\n\t\t*to_vmx(v) = blank;\n}\n"
    ),
    "a macro of a macro": (
        "#define SET(v) ((v)->hv_tlb_pgd = 0)\n#define CLEAR(v) SET(v)\n"
        "void f(struct vcpu_vmx *v)\n{\n\tCLEAR(v);\n}\n"
    ),
    "a glued name": (
        "#define M(x) hv_##x\nvoid f(struct vcpu_vmx *v)\n{\n\tv->M(tlb_pgd) = 0;\n}\n"
    ),
    "a name glued of two": (
        "#define CAT(a, b) a##b\nvoid f(struct vcpu_vmx *v)\n{\n\tv->CAT(hv_tlb, _pgd) = 0;\n}\n"
    ),
    "a macro that makes a function": (
        "#define DEFINE_F(n) void n(struct vcpu_vmx *v) { v->hv_tlb_pgd = 0; }\nDEFINE_F(f)\n"
    ),
    "a macro that makes a function, before another": (
        "#define SET(v) ((v)->hv_tlb_pgd = 0)\n"
        "#define DEFINE_F(n) void n(struct vcpu_vmx *v) { SET(v); }\n"
        "DEFINE_F(f)\nvoid g(void)\n{\n}\n"
    ),
    "in the style of before C89": "void f(v) struct vcpu_vmx *v;\n{\n\tv->hv_tlb_pgd = 0;\n}\n",
    "memset of what holds one": (
        "struct s { int a; struct vcpu_vmx v; };\n"
        "void f(struct s *x)\n{\n\tmemset(x, 0, sizeof(*x));\n}\n"
    ),
    "the whole of what holds one": (
        "struct s { int a; struct vcpu_vmx v; };\n"
        "void f(struct s *x, struct s *y)\n{\n\t*x = *y;\n}\n"
    ),
    "bytes": "void f(struct vcpu_vmx *v)\n{\n\tchar *p = (char *)v;\n\n\tp[8] = 0;\n}\n",
    "a late callback": (
        "static void late(struct rcu_head *h)\n"
        "{\n\tcontainer_of(h, struct vcpu_vmx, rcu)->hv_tlb_pgd = 0;\n}\n"
    ),
}


def _result(text: str, claim: str, to: Path) -> ClaimResult:
    """Ask for every number of vCPUs, as a user does who says nothing."""
    path = to / "k.c"
    path.write_text(text)
    options = Options(claims=(claim,), sanity=Sanity.OFF, jobs=1)
    return pipeline.prove(str(path), None, options, lambda _: None).results[0]


@pytest.mark.sample(every=12)
@pytest.mark.parametrize("name", SURE)
def test_creation_that_surely_sets(name: str, tmp_path: Path) -> None:
    """Creation is followed along every way that makes a vCPU; an error makes none.

    So it is proved for every number of vCPUs.
    """
    assert _result(SURE[name], "no_bogus", tmp_path).verdict is Verdict.PROVED


@pytest.mark.sample(every=12)
@pytest.mark.parametrize("name", NOT_SURE)
def test_creation_that_does_not(name: str, tmp_path: Path) -> None:
    """What is not compiled, not reached or set anew leaves a root that is zero."""
    result = _result(NOT_SURE[name], "no_bogus", tmp_path)
    assert result.verdict in {Verdict.REFUTED, Verdict.UNKNOWN}


@pytest.mark.sample(every=12)
@pytest.mark.parametrize("name", OTHERS)
def test_another_function_that_writes(name: str, tmp_path: Path) -> None:
    """A function that is no load may forget a root at any time: nobody may rely on it.

    Guards Lemma L28 of docs/soundness.md.
    """
    result = _result(Form("", after=OTHERS[name]).text, "coverage", tmp_path)
    assert result.verdict is Verdict.UNKNOWN
    assert "it depends on what other code writes: " in result.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", BESIDE)
def test_another_function_that_writes_something_else(name: str, tmp_path: Path) -> None:
    """What is written beside the state disturbs nobody."""
    assert _result(Form("", after=BESIDE[name]).text, "coverage", tmp_path).verdict is (
        Verdict.PROVED
    )


@pytest.mark.slow
def test_what_creation_calls_elsewhere(tmp_path: Path) -> None:
    """A function that is not at hand is believed to set nothing, and that is said."""
    said = "what vmx_create_vcpu() calls and is not at hand, or not read, sets none of it"
    with_, without = (
        _result(_created(f"{SET} {call}"), "no_bogus", tmp_path)
        for call in ("mystery(vmx);", "mystery(id);")
    )
    assert with_.verdict is without.verdict is Verdict.PROVED
    assert said in with_.assumptions
    assert said not in without.assumptions


def test_a_refutation_without_others_stands(tmp_path: Path) -> None:
    """A counterexample that needs nobody else is none the less one."""
    text = Form("vm->skip = true;", after=OTHERS["a reset"]).text
    result = _result(text, "coverage", tmp_path)
    assert (result.verdict, result.smallest_vcpus) == (Verdict.REFUTED, 1)


def test_a_claim_that_does_not_depend_on_it(tmp_path: Path) -> None:
    """What holds whatever others write is proved for every number of vCPUs."""
    text = Form("", after=OTHERS["a reset"]).text
    assert _result(text, "lock_balanced", tmp_path).verdict is Verdict.PROVED


@pytest.mark.sample("cache_sound")
@pytest.mark.parametrize("claim", ["no_race", "cache_sound"])
def test_a_claim_that_looks_at_the_state(claim: str, tmp_path: Path) -> None:
    """Accesses of others are not seen, so a race with one is not excluded."""
    text = Form("", after=OTHERS["a reset"]).text
    assert not _result(text, claim, tmp_path).verdict.holds


@pytest.mark.sample(every=4)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("static bool dirty = false;", "void set(void) { dirty = true; }\n"),
        ("static bool dirty = false;", "module_param(dirty, bool, 0644);\n"),
        ("static bool dirty = false;", "void set(void) { mark(&dirty); }\n"),
        ("bool dirty = false;", "void set(void) { dirty |= 1; }\n"),
    ],
)
def test_a_variable_that_others_write(before: str, after: str, tmp_path: Path) -> None:
    """A variable keeps its initial value only if nothing in the file may change it."""
    form = Form("", before=before, after=after, reads="if (dirty) continue;", resets="")
    assert not _result(form.text, "coverage", tmp_path).verdict.holds


READS = "if (dirty) continue;"
SETS = "void set(void)\n{\n\tdirty = true;\n}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "name", "text", "proved"),
    [
        ("static bool dirty = false;", "other.c", SETS, True),
        ("static bool dirty = false;", "other.c", f"static bool dirty;\n{SETS}", True),
        ("bool dirty = false;", "other.c", f"static bool dirty;\n{SETS}", True),
        ("bool dirty = false;", "other.c", f"extern bool dirty;\n{SETS}", False),
        ('static bool dirty = false;\n#include "o.h"', "o.h", SETS, False),
        ('#include "o.h"', "o.h", f"static bool dirty = false;\n{SETS}", False),
        ('static bool dirty = false;\n#include "o.c"', "o.c", SETS, False),
        ('#include "o.c"', "o.c", f"static bool dirty = false;\n{SETS}", False),
    ],
)
def test_which_variable_another_file_writes(
    before: str, name: str, text: str, *, proved: bool, tmp_path: Path
) -> None:
    """A file's own variable is written by the file, and what it includes, alone."""
    (tmp_path / name).write_text(text)
    form = Form("", before=before, reads=READS, resets="")
    assert (_result(form.text, "coverage", tmp_path).verdict is Verdict.PROVED) is proved


def test_a_variable_of_a_companion(tmp_path: Path) -> None:
    """What only another file can see says nothing of a variable that is declared nowhere."""
    (tmp_path / "o.h").write_text("void other(void);\n")
    (tmp_path / "o.c").write_text("static bool dirty = false;\n")
    form = Form("", before='#include "o.h"', reads=READS, resets="")
    with pytest.raises(InputError) as caught:
        _result(form.text, "coverage", tmp_path)
    assert "`dirty` is not declared" in caught.value.diagnostics[0].title

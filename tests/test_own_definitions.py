"""What a file defines itself has the meaning that the file gives it, whatever the name."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options

STRUCTS = """
struct kvm_vmx { struct kvm kvm; u64 word; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
"""
FLUSH = """
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	u64 root;
	int ret = 0, i;

	spin_lock(&vm->lock);
	{loop} {{
		root = to_vmx(vcpu)->root;
		if (VALID_PAGE(root))
			ret |= {call};
	}}
	{behind}
	spin_unlock(&vm->lock);
	return ret;
}}
"""
LOAD = """
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	spin_lock(&to_kvm_vmx(vcpu->kvm)->lock);
	to_vmx(vcpu)->root = root;
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->lock);
}
"""
WALK = "kvm_for_each_vcpu(i, vcpu, kvm)"
WHOLE = "hyperv_flush_guest_mapping(root)"
FILL = "kvm_fill_hv_flush_list_func"
RANGE = f"range ? hyperv_flush_guest_mapping_range(root, {FILL}, range) : {WHOLE}"
HEAD = "static int {}(struct hv_guest_mapping_flush_list *flush, void *data)\n"
ENTER = "hyperv_fill_flush_guest_mapping_list(flush, r->start_gfn{}, r->pages{})"

OWN_WALK = """
#define kvm_for_each_vcpu(i, v, k) \\
	for (i = {}; i < __online_vcpus(k) && (v = kvm_get_vcpu(k, i)) != NULL; i++)
"""
NO_LOCK = """
static inline void spin_lock(spinlock_t *l) { }
static inline void spin_unlock(spinlock_t *l) { }
"""
OWN_CONTAINER = """
#define container_of(p, t, m) ((t *)((char *)(p) - __builtin_offsetof(t, m)))
static struct kvm_vmx *mine(struct kvm *k) { return container_of(k, struct kvm_vmx, kvm); }
"""


def fill(body: str, name: str = FILL) -> str:
    """Return a callback."""
    return HEAD.format(name) + "{ struct kvm_tlb_range *r = data; " + body + " }\n"


def verdict(
    folder: Path, before: str, call: str, claim: str, *, loop: str = WALK, behind: str = ""
) -> Verdict:
    """Decide a claim about a variant in which some text comes before the flush."""
    path = folder / "own.c"
    flush = FLUSH.format(call=call, loop=loop, behind=behind)
    path.write_text(STRUCTS + before + flush + LOAD)
    options = Options(claims=(claim,), vcpus=(1, 2), loads=1, flushes=1)
    (result,) = pipeline.prove(str(path), None, options, lambda _: None).results
    return result.verdict


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", Verdict.BOUNDED),
        (OWN_WALK.format(1), Verdict.REFUTED),
        (OWN_WALK.format(0), Verdict.BOUNDED),
        ("#define VALID_PAGE(x) ((x) == INVALID_PAGE)", Verdict.REFUTED),
        ("static inline bool VALID_PAGE(u64 x) { return x == INVALID_PAGE; }", Verdict.REFUTED),
        ("static inline int hyperv_flush_guest_mapping(u64 as) { return 0; }", Verdict.REFUTED),
        (NO_LOCK, Verdict.BOUNDED),
        ("#define PAGE_SHIFT 13", Verdict.BOUNDED),
        ("typedef unsigned long u64;", Verdict.BOUNDED),
        ("void spin_lock(spinlock_t *lock);", Verdict.BOUNDED),
    ],
)  # fmt: skip
def test_what_a_file_defines_wins(before: str, expected: Verdict, tmp_path: Path) -> None:
    """A definition that is read over makes another program of the file."""
    assert verdict(tmp_path, before, WHOLE, "coverage") is expected


def test_a_lock_that_locks_nothing(tmp_path: Path) -> None:
    """A file's own `spin_lock()` keeps nobody out, so a race is seen."""
    assert verdict(tmp_path, NO_LOCK, WHOLE, "no_race") is Verdict.REFUTED
    assert verdict(tmp_path, "", WHOLE, "no_race") is Verdict.BOUNDED


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", Verdict.BOUNDED),
        (fill(f"return {ENTER.format('', '')};"), Verdict.BOUNDED),
        (fill(f"return {ENTER.format('', ' - 1')};"), Verdict.REFUTED),
        (fill(f"return {ENTER.format(' + 1', '')};"), Verdict.REFUTED),
        (fill("return 0;"), Verdict.REFUTED),
        (fill(f"{ENTER.format('', '')}; return 0;"), Verdict.REFUTED),
        (fill(f"{ENTER.format(' + 1', '')}; return {ENTER.format('', '')};"), Verdict.BOUNDED),
        (fill(f"int n = {ENTER.format('', '')}; {ENTER.format('', ' - 1')}; return n;"),
         Verdict.REFUTED),
        (fill(f"if (r->pages > 8) return -ENOSPC; return {ENTER.format('', '')};")
         .replace("ENOSPC", "28"), Verdict.REFUTED),
    ],
)  # fmt: skip
def test_a_callback_runs(before: str, expected: Verdict, tmp_path: Path) -> None:
    """What the callback enters is the range that is flushed."""
    assert verdict(tmp_path, before, RANGE, "range_kept") is expected


def test_a_callback_of_another_name(tmp_path: Path) -> None:
    """Which function is handed over decides, and it may come by a parameter."""
    before = fill(f"return {ENTER.format('', ' - 1')};", "mine")
    before += (
        "static int by(u64 root, hyperv_fill_flush_list_func f, void *data)\n"
        "{ return hyperv_flush_guest_mapping_range(root, f, data); }\n"
    )
    given = RANGE.replace(FILL, "mine"), f"range ? by(root, &mine, range) : {WHOLE}"
    for call in given:
        assert verdict(tmp_path, before, call, "range_kept") is Verdict.REFUTED
    call = f"range ? by(root, {FILL}, range) : {WHOLE}"
    assert verdict(tmp_path, before, call, "range_kept") is Verdict.BOUNDED


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("typedef unsigned int u64;", "type `u64` is not what the machine takes it for"),
        ("typedef struct { int v; } spinlock_t;", "type `spinlock_t` is not what the machine"),
        ("struct spinlock { int v; };", "struct `spinlock` is not what the machine"),
        ("static void machine_boot(struct kvm_vcpu *v, int i) { }", "is defined twice"),
        ("static bool apart(u64 a, u64 b) { return false; }", "the program's own claims"),
        (OWN_CONTAINER, "unexpected `struct`"),
        ("#define hyperv_flush_guest_mapping(r) strange(r)", "function `strange` is not defined"),
        ("static struct kvm_vcpu *kvm_get_vcpu(struct kvm *k, int i) { return NULL; }",
         "a loop over vCPUs"),
        ("static int guard(int x) { return x; }", "a function named `guard`"),
        ("void (*hyperv_flush_guest_mapping)(u64 as);", "hyperv_flush_guest_mapping"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_at_its_word(before: str, said: str, tmp_path: Path) -> None:
    """Where a file's definition cannot be followed it is refused, not ignored."""
    with pytest.raises(InputError) as caught:
        verdict(tmp_path, before, WHOLE, "coverage", behind="mine(kvm);" * ("mine" in before))
    (found,) = caught.value.diagnostics
    assert said in found.title
    assert found.span is not None

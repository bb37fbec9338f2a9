"""Edits as forks make them, of the files of a kernel: those that change nothing change no verdict.

The edits are made in memory; each is a pair of an old and a new piece of text, or several.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.files import Disk, use_files
from flushproof.verify.options import Options, Sanity
from kernel.fetch import VERSIONS, folder

FLUSH = "arch/x86/kvm/kvm_onhyperv.c"
VMX = "arch/x86/kvm/vmx/vmx.c"
CLAIMS = ("coverage", "no_repeat", "no_bogus", "failure_kept", "lock_balanced", "no_uninit")
AS_IT_IS = {"no_repeat": 3}
OTHERS = tuple(c for c in CLAIMS if c not in AS_IT_IS)
TAKE = "spin_lock(&kvm_arch->hv_root_tdp_lock);"
FREE = "spin_unlock(&kvm_arch->hv_root_tdp_lock);"
END = f"\t{FREE}\n\treturn ret;"
FIRST = f"\t{TAKE}\n\n\tif (!VALID_PAGE"
LOOP = "kvm_for_each_vcpu(i, vcpu, kvm) {"
ROOT = "root = vcpu->arch.hv_root_tdp;"
LOCALS = "\thpa_t root;\n"
COUNTER = "int ret = 0, nr_unique_valid_roots;"
CALL = "\t\t\tif (!ret)\n\t\t\t\tret = hv_remote_flush_root_tdp(root, range);"
SKIP = "!VALID_PAGE(root) || root == kvm_arch->hv_root_tdp)"
HELPER = "static inline int hv_remote_flush_root_tdp("
TRACK = "\t\thv_track_root_tdp(vcpu, root_hpa);\n"

Edit = tuple[tuple[str, str], ...]


def _first(new: str) -> tuple[str, str]:
    """Take the flush's lock in another way."""
    return FIRST, f"\t{new}\n\n\tif (!VALID_PAGE"


def _before(code: str) -> tuple[str, str]:
    """Put something before the first helper of the file."""
    return HELPER, f"{code}\n{HELPER}"


SAME: dict[str, Edit] = {
    "as it is": (),
    "another name": (
        (LOCALS, "\thpa_t r;\n"),
        (ROOT, "r = vcpu->arch.hv_root_tdp;"),
        ("!VALID_PAGE(root) || root ==", "!VALID_PAGE(r) || r =="),
        ("hv_root_tdp = root;\n\n\t\t\tif (!ret)", "hv_root_tdp = r;\n\n\t\t\tif (!ret)"),
        ("root_tdp(root, range);\n\n", "root_tdp(r, range);\n\n"),
    ),
    "an index": ((LOOP, "for (i = 0; (vcpu = kvm_get_vcpu(kvm, i)) != NULL; ++i) {"),),
    "while": (
        (
            LOOP,
            (
                "i = 0;\n\t\twhile (i < atomic_read(&kvm->online_vcpus)) {\n"
                "\t\t\tvcpu = kvm_get_vcpu(kvm, i++);"
            ),
        ),
    ),
    "while 1": (
        (
            LOOP,
            (
                "i = 0;\n\t\twhile (1) {\n\t\t\tvcpu = kvm_get_vcpu(kvm, i++);\n"
                "\t\t\tif (!vcpu)\n\t\t\t\tbreak;"
            ),
        ),
    ),
    "backwards": (
        (
            LOOP,
            (
                "for (int k = atomic_read(&kvm->online_vcpus) - 1; k >= 0; k--) {\n"
                "\t\t\tvcpu = kvm_get_vcpu(kvm, k);"
            ),
        ),
    ),
    "a macro for the loop": (
        _before(
            "#define each_root(v, k, r) for (unsigned long __n = 0; \\\n"
            "\t__n < atomic_read(&(k)->online_vcpus) && ((v) = kvm_get_vcpu(k, __n)) && \\\n"
            "\t((r) = (v)->arch.hv_root_tdp, 1); __n++)"
        ),
        (LOOP, "each_root(vcpu, kvm, root) {"),
        (ROOT, ""),
    ),
    "a macro that filters": (
        _before(
            "#define each_valid(i, v, k) kvm_for_each_vcpu(i, v, k) \\\n"
            "\tif (!VALID_PAGE((v)->arch.hv_root_tdp)) {} else"
        ),
        (LOOP, "each_valid(i, vcpu, kvm) {"),
    ),
    "goto": (
        ("\t\t\t\tcontinue;\n", "\t\t\t\tgoto next;\n"),
        ("roots > 1)\n\t\t\t\tbreak;\n", "roots > 1)\n\t\t\t\tbreak;\nnext:\n\t\t\t;\n"),
    ),
    "early return": (
        (
            "kvm_x86_ops.flush_remote_tlbs == hv_flush_remote_tlbs) {",
            "kvm_x86_ops.flush_remote_tlbs != hv_flush_remote_tlbs)\n\t\treturn;\n\t{",
        ),
    ),
    "the lock's address": (
        (LOCALS, f"{LOCALS}\tspinlock_t *lock = &kvm_arch->hv_root_tdp_lock;\n"),
        _first("spin_lock(lock);"),
        (END, "\tspin_unlock(lock);\n\treturn ret;"),
    ),
    "the cache's address": (
        (LOCALS, "\thpa_t root, *cached = &kvm_arch->hv_root_tdp;\n"),
        ("\t\t\t\tkvm_arch->hv_root_tdp = root;", "\t\t\t\t*cached = root;"),
    ),
    "the lock by a helper": (
        _before("static spinlock_t *lock_of(struct kvm *k) { return &k->arch.hv_root_tdp_lock; }"),
        _first("spin_lock(lock_of(kvm));"),
    ),
    "a helper that locks": (
        _before(
            "static void take(struct kvm *kvm) __acquires(&kvm->arch.hv_root_tdp_lock)\n"
            "{\n\tspin_lock(&kvm->arch.hv_root_tdp_lock);\n}"
        ),
        _first("take(kvm);"),
    ),
    "braces": ((TAKE, f"{{ {{ {TAKE} }} }}"), (CALL, f"{{;}}{CALL}")),
    "casts": ((ROOT, "root = (hpa_t)(u64)(vcpu->arch.hv_root_tdp);"),),
    "comments": (
        ("if (!ret)", "if /* a */ (/* ( */ ! // b\n ret)"),
        ("int ret = 0,", "int/**/ret=0,"),
    ),
    "a comment that goes on": ((LOCALS, "\thpa_t root; // on \\\n and on\n"),),
    "attributes": (
        (LOCALS, "\thpa_t root __maybe_unused, other __maybe_unused;\n"),
        (HELPER, HELPER.replace("inline int", "inline __maybe_unused __cold int")),
    ),
    "marked": (
        ("vcpu->arch.hv_root_tdp = root_tdp;", "WRITE_ONCE(vcpu->arch.hv_root_tdp, root_tdp);"),
        (ROOT, "root = READ_ONCE(vcpu->arch.hv_root_tdp);"),
    ),
    "likely": (("if (!ret)", "if (likely(!ret))"),),
    "guard": (_first("guard(spinlock)(&kvm_arch->hv_root_tdp_lock);"), (END, "\treturn ret;")),
    "guard and return": (
        _first(
            "guard(spinlock_irqsave)(&kvm_arch->hv_root_tdp_lock);\n\n"
            "\tif (VALID_PAGE(kvm_arch->hv_root_tdp))\n"
            "\t\treturn hv_remote_flush_root_tdp(kvm_arch->hv_root_tdp, range);"
        ),
        (END, "\treturn ret;"),
    ),
    "scoped guard": (
        (f"\t\t{TAKE}\n", "\t\tscoped_guard(spinlock, &kvm_arch->hv_root_tdp_lock) {\n"),
        (f"\t\t{FREE}\n", "\t\t}\n"),
    ),
    "lockdep": (
        (
            LOOP,
            (
                "lockdep_assert_held(&kvm_arch->hv_root_tdp_lock);\n"
                "\t\tlockdep_assert_held_once(&kvm_arch->hv_root_tdp_lock);\n"
                "\t\tlockdep_assert(lockdep_is_held(&kvm_arch->hv_root_tdp_lock));\n"
                "\t\tassert_spin_locked(&kvm_arch->hv_root_tdp_lock);\n"
                f"\t\t{LOOP}"
            ),
        ),
    ),
    "tried for": (_first("while (!spin_trylock(&kvm_arch->hv_root_tdp_lock))\n\t\tcpu_relax();"),),
    "interrupts": (
        _first(
            "unsigned long f;\n\n\tlocal_irq_save(f);\n\tspin_lock(&kvm_arch->hv_root_tdp_lock);"
        ),
        (END, f"\t{FREE}\n\tlocal_irq_restore(f);\n\treturn ret;"),
    ),
    "messages": (
        (
            CALL,
            (
                "\t\t\ttrace_flush(vcpu->vcpu_id, range ? range->pages : 0);\n\t\t\tif (ret)\n"
                f'\t\t\t\tpr_warn_once("%s: " "%d\\n", __func__, ret);\n{CALL}'
            ),
        ),
    ),
    "warnings": (
        (
            CALL,
            f"\t\t\tWARN_ON_ONCE(!VALID_PAGE(root));\n\t\t\tBUG_ON(root == INVALID_PAGE);\n{CALL}",
        ),
    ),
    "a flush in a message": (
        (CALL, CALL.replace("ret = ", 'pr_err("%d", ret = ').replace("range);", "range));")),
    ),
    "counters": (
        _before("static atomic_t count = ATOMIC_INIT(0);\nstatic int total;"),
        (CALL, f"\t\t\tatomic_inc(&count);\n\t\t\ttotal++;\n\t\t\tvcpu->stat.tlb_flush++;\n{CALL}"),
    ),
    "a choice": ((CALL, "\t\t\tret = ret ?: hv_remote_flush_root_tdp(root, range);"),),
    "short circuit": (
        (CALL, "\t\t\t(void)(ret || (ret = hv_remote_flush_root_tdp(root, range)));"),
    ),
    "a statement in an expression": (
        (CALL, CALL.replace("hv_", "({ int e = hv_").replace("range);", "range); e; });")),
    ),
    "a macro for a statement": (
        _before(
            "#define FLUSH(r) do { if (!ret) ret = hv_remote_flush_root_tdp(r, range); } while (0)"
        ),
        (CALL, "\t\t\tFLUSH(root);"),
    ),
    "a pointer to the helper": (
        (
            LOCALS,
            f"{LOCALS}\tint (*fn)(hpa_t, struct kvm_hv_tlb_range *) = hv_remote_flush_root_tdp;\n",
        ),
        (CALL, CALL.replace("hv_remote_flush_root_tdp", "fn")),
    ),
    "a pointer that is set": (
        (LOCALS, f"{LOCALS}\tint (*fn)(hpa_t, struct kvm_hv_tlb_range *);\n"),
        (
            CALL,
            (
                "\t\t\tfn = &hv_remote_flush_root_tdp;\n"
                "\t\t\tif (!ret)\n\t\t\t\tret = (*fn)(root, range);"
            ),
        ),
    ),
    "switch": (
        (
            CALL,
            (
                "\t\t\tswitch (ret) {\n\t\t\tcase 0:\n"
                "\t\t\t\tret = hv_remote_flush_root_tdp(root, range);\n"
                "\t\t\t\tbreak;\n\t\t\tdefault:\n\t\t\t\tbreak;\n\t\t\t}"
            ),
        ),
    ),
    "one operator for another": ((SKIP, "(!VALID_PAGE(root)) | (root == kvm_arch->hv_root_tdp))"),),
    "difference": ((SKIP, "!VALID_PAGE(root) || !(root ^ kvm_arch->hv_root_tdp))"),),
    "bounded counter": (
        (
            "if (++nr_unique_valid_roots == 1)",
            (
                "nr_unique_valid_roots = "
                "min(nr_unique_valid_roots + 1, 2);\n\t\t\tif (nr_unique_valid_roots == 1)"
            ),
        ),
    ),
    "a struct of counters": (
        _before(
            "struct walk { int seen; };\nstatic int bump(struct walk *w) { return ++w->seen; }"
        ),
        (LOCALS, f"{LOCALS}\tstruct walk w = {{ .seen = 0 }};\n"),
        ("++nr_unique_valid_roots", "bump(&w)"),
        ("nr_unique_valid_roots > 1", "w.seen > 1"),
        (COUNTER, "int ret = 0;"),
        ("\t\tnr_unique_valid_roots = 0;\n", ""),
    ),
    "an argument to fill": (
        _before("static void get(struct kvm_vcpu *v, hpa_t *out) { *out = v->arch.hv_root_tdp; }"),
        (ROOT, "get(vcpu, &root);"),
    ),
    "dead code": (("if (!ret)", "#if 0\n this is (not C\n#endif\n\t\t\tif (!ret)"),),
}
CHANGED: dict[str, tuple[Edit, dict[str, int]]] = {
    "no unlock": (((END, "\treturn ret;"),), {**AS_IT_IS, "lock_balanced": 1}),
    "failures in a byte": (
        ((COUNTER, "s8 ret = 0;\n\tint nr_unique_valid_roots;"),),
        {**AS_IT_IS, "coverage": 1, "failure_kept": 1},
    ),
    "an option that is off": (
        (
            _before("static bool fast;\nmodule_param(fast, bool, 0444);"),
            (CALL, f"\t\t\tif (fast)\n\t\t\t\tcontinue;\n{CALL}"),
        ),
        {**AS_IT_IS, "coverage": 1},
    ),
    "the second of two options": (
        (
            _before("static bool slow = 1, fast;"),
            (CALL, f"\t\t\tif (fast)\n\t\t\t\tcontinue;\n{CALL}"),
        ),
        {**AS_IT_IS, "coverage": 1},
    ),
    "the first of two options": (
        (
            _before("static bool slow = 1, *other, fast;"),
            (CALL, f"\t\t\tif (slow)\n\t\t\t\tcontinue;\n{CALL}"),
        ),
        {"coverage": 1},
    ),
    "both operators": (
        ((SKIP, "(!VALID_PAGE(root)) & (root == kvm_arch->hv_root_tdp))"),),
        {"no_repeat": 2, "no_bogus": 2},
    ),
}
REFUSED: dict[str, tuple[Edit, str]] = {
    "another kind of lock": (
        (_first("guard(mutex)(&kvm_arch->hv_root_tdp_lock);"),),
        "`mutex_lock()` takes a `struct mutex *`",
    ),
    "one of two functions": (
        (
            _before("static int nothing(hpa_t root, struct kvm_hv_tlb_range *r) { return 0; }"),
            (LOCALS, f"{LOCALS}\tint (*fn)(hpa_t, struct kvm_hv_tlb_range *) = nothing;\n"),
            (CALL, CALL.replace("ret = hv_remote_flush_root_tdp", "fn")),
            ("\t\tnr_unique_valid_roots = 0;\n", "\t\tfn = hv_remote_flush_root_tdp;\n"),
        ),
        "a call through `fn`, which may be one of several functions",
    ),
    "a function that is handed on": (
        (
            _before("static int on(int (*fn)(u64), hpa_t root) { return fn(root); }"),
            (CALL, "\t\t\tif (!ret)\n\t\t\t\tret = on(hyperv_flush_guest_mapping, root);"),
        ),
        "a call through `fn`, which may be one of several functions",
    ),
    "a function that is handed on in vain": (
        (
            _before("static int on(int (*fn)(u64), hpa_t root) { return fn(root); }"),
            (CALL, "\t\t\ton(hyperv_flush_guest_mapping, root);"),
        ),
        "a call through `fn`, which may be one of several functions",
    ),
    "a tag for a variable": (
        (_before("struct tag;"), (ROOT, f"{ROOT}\n\t\t\tret |= tag > ret;")),
        "`tag` is not declared",
    ),
    "a word that is not there": ((("if (!ret)", "if (!rett)"),), "`rett` is not declared"),
}


class _Edited(Disk):
    """The files of this machine, one of them with another text."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = os.path.realpath(path), text

    def read(self, path: str, limit: int) -> bytes:
        """Return what the file begins with."""
        if os.path.realpath(path) == self.path:
            return self.text.encode()
        return super().read(path, limit)


def _refuted(
    edit: Edit, file: str = FLUSH, claims: tuple[str, ...] = CLAIMS
) -> dict[str, int | None]:
    path = folder() / VERSIONS[-1] / file
    if not path.is_file():
        pytest.skip(f"kernel {VERSIONS[-1]} is not there: run `python -m kernel.fetch` in tests")
    text = path.read_text()
    for old, new in edit:
        assert old in text
        text = text.replace(old, new)
    options = Options(vcpus=(1, 3), claims=claims, sanity=Sanity.OFF, jobs=1)
    with use_files(_Edited(path, text)):
        report = pipeline.prove(str(path), None, options, lambda _: None)
    assert all(r.verdict in {Verdict.BOUNDED, Verdict.REFUTED} for r in report.results)
    return {r.claim: r.smallest_vcpus for r in report.results if r.verdict is Verdict.REFUTED}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_edits_that_change_nothing(name: str) -> None:
    """Style must not decide: whoever writes the same in another way is told the same.

    Each edit is asked what fails as it is, and two other claims, the next edit the next ones.
    """
    first = list(SAME).index(name)
    others = (OTHERS[(first + k) % len(OTHERS)] for k in (0, 2))
    assert _refuted(SAME[name], claims=(*AS_IT_IS, *others)) == AS_IT_IS


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGED)
def test_edits_that_change_something(name: str) -> None:
    """An edit that is wrong looks like one that is not."""
    edit, expected = CHANGED[name]
    assert _refuted(edit) == expected


@pytest.mark.sample("a word that is not there")
@pytest.mark.parametrize("name", REFUSED)
def test_edits_that_are_refused(name: str) -> None:
    """What is not known is said, at the place, and not guessed."""
    edit, expected = REFUSED[name]
    with pytest.raises(InputError) as caught:
        _refuted(edit)
    assert expected in caught.value.diagnostics[0].title
    assert caught.value.diagnostics[0].span is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (TRACK, TRACK, AS_IT_IS),
        (
            TRACK,
            "\t\t{\n\t\t\tstruct kvm_vcpu *v = vcpu;\n\n"
            + TRACK.replace("vcpu,", "v,")
            + "\t\t}\n",
            AS_IT_IS,
        ),
        (TRACK, f"\t\tif (likely(IS_ENABLED(CONFIG_HYPERV)))\n{TRACK}", AS_IT_IS),
        (TRACK, f"\t\tif (root_level == 4)\n{TRACK}", {**AS_IT_IS, "coverage": 1}),
        (TRACK, TRACK.replace("root_hpa", "eptp"), {**AS_IT_IS, "coverage": 1, "no_bogus": 1}),
    ],
)
def test_edits_of_the_load(old: str, new: str, expected: dict[str, int]) -> None:
    """What the load hands on, and when, decides."""
    assert _refuted(((old, new),), VMX) == expected

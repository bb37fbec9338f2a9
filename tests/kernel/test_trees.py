"""Verdicts and recognition on small trees that have the shapes of each generation of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.kernel.profiles import read_profiles
from flushproof.results.recognition import Recognition
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options
from support.places import TREES

CLAIMS = ("coverage", "no_repeat", "no_bogus", "failure_kept", "failure_true", "lock_balanced")
LATE = "arch/x86/kvm/"
FILES = {
    "v4_19/vmx.c": ("4.19..4.20", "vmx_hv_remote_flush_tlb", "vmx_set_cr3"),
    "v4_20/vmx.c": ("4.19..4.20", "vmx_hv_remote_flush_tlb", "vmx_set_cr3"),
    "v5_0/vmx.c": ("5.0..5.12", "hv_remote_flush_tlb_with_range", "vmx_set_cr3"),
    "v5_3/vmx.c": ("5.0..5.12", "hv_remote_flush_tlb_with_range", "vmx_set_cr3"),
    f"v5_9/{LATE}vmx/vmx.c": ("5.0..5.12", "hv_remote_flush_tlb_with_range", "vmx_load_mmu_pgd"),
    "v5_10/vmx.c": ("5.0..5.12", "hv_remote_flush_tlb_with_range", "vmx_load_mmu_pgd"),
    "v5_13/vmx.c": ("5.13", "hv_remote_flush_tlb_with_range", "vmx_load_mmu_pgd"),
    f"v5_14/{LATE}kvm_onhyperv.c": (
        "5.14..6.3",
        "hv_remote_flush_tlb_with_range",
        "hv_track_root_tdp",
    ),
    f"v5_14/{LATE}svm/svm.c": ("5.14..6.3", "hv_remote_flush_tlb_with_range", "svm_load_mmu_pgd"),
    f"v6_4/{LATE}kvm_onhyperv.c": (
        "6.4..newest",
        "__hv_flush_remote_tlbs_range",
        "hv_track_root_tdp",
    ),
    f"v6_4/{LATE}vmx/vmx.c": ("6.4..newest", "__hv_flush_remote_tlbs_range", "vmx_load_mmu_pgd"),
    f"v6_16/{LATE}kvm_onhyperv.c": (
        "6.4..newest",
        "__hv_flush_remote_tlbs_range",
        "hv_track_root_tdp",
    ),
    f"v6_16/{LATE}vmx/main.c": ("6.4..newest", "__hv_flush_remote_tlbs_range", "vmx_load_mmu_pgd"),
    f"v6_16/{LATE}svm/svm.c": ("6.4..newest", "__hv_flush_remote_tlbs_range", "svm_load_mmu_pgd"),
}
REFUTED = {
    "v4_19/vmx.c": {"no_bogus": 1, "failure_true": 2},
    "v5_0/vmx.c": {"no_repeat": 3},
    "v4_20/vmx.c": {"no_bogus": 1, "no_repeat": 3, "failure_true": 2},
    "v5_3/vmx.c": {"coverage": 2, "no_bogus": 1, "no_repeat": 3},
    f"v5_9/{LATE}vmx/vmx.c": {"coverage": 2, "no_bogus": 1, "no_repeat": 3},
    "v5_10/vmx.c": {"coverage": 2, "no_bogus": 1, "no_repeat": 3},
    "v5_13/vmx.c": {"no_bogus": 1, "no_repeat": 3},
}
USUAL = {"no_repeat": 3}


def _listing(path: Path, choices: Choices | None = None) -> Recognition:
    return pipeline.recognise_file(str(path), None, Options(choices=choices or Choices()))


def test_every_generation_has_a_tree() -> None:
    """A profile that no file is read by may be wrong, and a tree that is not listed is not read."""
    assert {profile for profile, _, _ in FILES.values()} == {p.name for p in read_profiles()}
    assert {name.partition("/")[0] for name in FILES} == {p.name for p in TREES.iterdir()}


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("name", FILES)
def test_recognised(name: str) -> None:
    """A generation is told by its names, and the operations are the ones KVM uses."""
    found = _listing(TREES / name)
    roles = {p.role: p.name for p in found.functions if p.role != "helper"}
    assert (found.profile, roles["flush"], roles["load"]) == FILES[name]
    assert [f.lock for f in found.fields].count(True) == 1


@pytest.mark.sample("v5_13")
@pytest.mark.parametrize("name", FILES)
def test_verdicts(name: str) -> None:
    """What surrounds the flush changes no verdict."""
    options = Options(vcpus=(1, 3), claims=CLAIMS)
    report = pipeline.prove(str(TREES / name), None, options, lambda _: None)
    refuted = {r.claim: r.smallest_vcpus for r in report.results if r.verdict is Verdict.REFUTED}
    assert refuted == REFUTED.get(name, USUAL)
    assert all(r.verdict in {Verdict.BOUNDED, Verdict.REFUTED} for r in report.results)


def _copy(name: str, to: Path, old: str, new: str) -> Path:
    """Copy a tree of one file with a piece of it changed."""
    for source in (TREES / name).parent.iterdir():
        text = source.read_text()
        (to / source.name).write_text(text.replace(old, new))
    assert old in (TREES / name).read_text()
    return to / Path(name).name


def test_creation_is_read(tmp_path: Path) -> None:
    """What creation sets is read off the code: without it the pointers are zero."""
    path = _copy(
        "v5_0/vmx.c", tmp_path, "vmx->ept_pointer = INVALID_PAGE;", "vmx->ept_pointer = 0;"
    )
    boot = {f.name: f.boot for f in _listing(path).fields}
    assert boot["vcpu_vmx.ept_pointer"] == "0"


@pytest.mark.slow
def test_a_return_under_the_lock_is_met_once_pointers_are_invalid(tmp_path: Path) -> None:
    """In 4.20 a pointer was never invalid; where creation makes it so, a return keeps the lock."""
    path = _copy(
        "v4_20/vmx.c",
        tmp_path,
        "static struct kvm *vmx_vm_alloc(void)\n",
        "static int vmx_create_vcpu(struct kvm_vcpu *vcpu)\n{\n"
        "\tto_vmx(vcpu)->ept_pointer = INVALID_PAGE;\n\treturn 0;\n}\n\n"
        "static struct kvm *vmx_vm_alloc(void)\n",
    )
    options = Options(vcpus=(1, 2), claims=("lock_balanced", "no_deadlock", "no_bogus"))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    found = {r.claim: (r.verdict, r.smallest_vcpus) for r in report.results}
    assert found == {
        "lock_balanced": (Verdict.REFUTED, 1),
        "no_deadlock": (Verdict.REFUTED, 1),
        "no_bogus": (Verdict.BOUNDED, None),
    }


@pytest.mark.slow
def test_a_load_without_a_level(tmp_path: Path) -> None:
    """In 5.7 and 5.8 the load has its new name and still two parameters."""
    path = _copy("v5_3/vmx.c", tmp_path, "void vmx_set_cr3(", "void vmx_load_mmu_pgd(")
    path.write_text(path.read_text().replace("kvm_x86_ops->", "kvm_x86_ops."))
    found = _listing(path)
    assert found.profile == "5.0..5.12"
    assert "vmx_load_mmu_pgd" in {p.name for p in found.functions if p.role == "load"}
    options = Options(vcpus=(1, 2), claims=("coverage", "failure_kept"))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    assert [r.smallest_vcpus for r in report.results] == [2, None]


def test_other_writers_are_told(tmp_path: Path) -> None:
    """A function outside the operations that writes the state runs whenever it likes."""
    extra = "static void vmx_reset(struct vcpu_vmx *vmx)\n{\n\tvmx->ept_pointer = other(vmx);\n}\n"
    path = _copy(
        "v5_0/vmx.c",
        tmp_path,
        "static struct kvm_vcpu *vmx_create",
        extra + "\nstatic struct kvm_vcpu *vmx_create",
    )
    told = "vmx_reset(), which also writes ept_pointer, may run at any time"
    assert told in _listing(path).assumptions


def test_a_table_with_another_flush(tmp_path: Path) -> None:
    """A load that asks for another function than is installed never tracks a root."""
    path = _copy(
        "v5_13/vmx.c",
        tmp_path,
        "static int hv_remote_flush_tlb(struct kvm *kvm)",
        "void set(void)\n{\n\tops.tlb_remote_flush = other;\n}\n"
        "static int hv_remote_flush_tlb(struct kvm *kvm)",
    )
    options = Options(vcpus=(1, 1), claims=("coverage",))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    assert report.results[0].verdict is Verdict.REFUTED


def test_a_value_from_outside_is_any_value(tmp_path: Path) -> None:
    """A condition that the model knows nothing of may go either way, and the report says so."""
    path = _copy("v5_13/vmx.c", tmp_path, "if (enable_ept)", "if (is_paging(vcpu))")
    assert "is_paging() may return anything" in _listing(path).assumptions
    options = Options(vcpus=(1, 1), claims=("coverage",))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    assert report.results[0].verdict is Verdict.REFUTED


def test_chosen_by_hand() -> None:
    """Names given by hand win over those of the profiles."""
    path = TREES / f"v6_4/{LATE}kvm_onhyperv.c"
    found = _listing(path, Choices(flush="hv_flush_remote_tlbs_range", cache="hv_root_tdp"))
    assert found.functions[0].name == "hv_flush_remote_tlbs_range"
    assert found.cache is not None
    assert found.cache[1].startswith("kvm->arch.hv_root_tdp")


def _changed(to: Path, old: str, new: str) -> str:
    """Copy the tree of 5.14 with the text of every file changed; return its flush."""
    before = ""
    for source in sorted((TREES / "v5_14").rglob("*.[ch]")):
        target = to / source.relative_to(TREES / "v5_14")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text()
        before += text
        target.write_text(text.replace(old, new))
    assert old in before
    return str(to / LATE / "kvm_onhyperv.c")


FLUSH = "int hv_remote_flush_tlb_with_range("
TAKE = "spin_lock(&arch->hv_root_tdp_lock);"
CHANGES = {
    "no lock": (f"\t\t{TAKE}\n", "", {"coverage", "cache_sound", "lock_balanced", "no_bogus"}),
    "stale": ("if (arch->hv_root_tdp != root)", "if (0)", {"coverage", "cache_sound"}),
    "renamed": ("hv_root_tdp", "hv_seen", set()),
    "not created": ("kvm->arch.hv_root_tdp = INVALID_PAGE;", "", {"no_bogus"}),
    "noise": (TAKE, f'{TAKE}\n\tasm volatile("" ::: "memory");\n\ttrace_it(arch);', set()),
    "other order": ("kvm_x86_ops.tlb_remote_flush ==", "hv_remote_flush_tlb ==", set()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str, tmp_path: Path) -> None:
    """A change of the code that matters changes verdicts, one that does not changes none."""
    old, new, refuted = CHANGES[name]
    path = _changed(tmp_path, old, new)
    if name == "other order":
        text = Path(path).read_text()
        wrong = "hv_remote_flush_tlb == hv_remote_flush_tlb"
        Path(path).write_text(
            text.replace(wrong, "hv_remote_flush_tlb == kvm_x86_ops.tlb_remote_flush")
        )
    claims = ("coverage", "cache_sound", "lock_balanced", "no_bogus")
    options = Options(vcpus=(1, 1 if refuted else 2), claims=claims)
    report = pipeline.prove(path, None, options, lambda _: None)
    found = {r.claim: r.verdict for r in report.results}
    expected = {c: Verdict.REFUTED if c in refuted else Verdict.BOUNDED for c in claims}
    assert found == expected


def test_a_pointer_that_is_not_null(tmp_path: Path) -> None:
    """An entry of the table may be compared with NULL as well."""
    old = "kvm_x86_ops.tlb_remote_flush == hv_remote_flush_tlb"
    path = Path(_changed(tmp_path, old, "kvm_x86_ops.tlb_remote_flush != NULL"))
    assert "kvm_x86_ops.tlb_remote_flush is set" in _listing(path).assumptions


def test_what_was_not_found_is_told(tmp_path: Path) -> None:
    """A call that is left out because nobody defines the function is an assumption."""
    path = Path(_changed(tmp_path, TAKE, f"tell(arch); ask(root); {TAKE}"))
    told = _listing(path).assumptions
    assert "ask(), which was not found, changes nothing here" in told
    assert "tell() may write anything that the flush and the load keep" in told


def test_a_function_defined_twice(tmp_path: Path) -> None:
    """Of two definitions neither is taken on trust."""
    path = Path(_changed(tmp_path, TAKE, TAKE))
    path.write_text(path.read_text() + "int flush_root(hpa_t root) { return 0; }\n")
    with pytest.raises(InputError) as caught:
        _listing(path)
    assert "function `flush_root` is defined twice" in caught.value.diagnostics[0].title


@pytest.mark.slow
def test_locks_taken_by_helpers(tmp_path: Path) -> None:
    """A function that only takes the lock is part of the model."""
    path = Path(_changed(tmp_path, TAKE, "take(arch);"))
    helper = f"static void take(struct kvm_arch *arch) {{ {TAKE} }}\n"
    path.write_text(path.read_text().replace(FLUSH, helper + FLUSH))
    options = Options(vcpus=(1, 2), claims=("coverage", "lock_balanced"))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    assert {r.verdict for r in report.results} == {Verdict.BOUNDED}


def test_unknown_functions_get_no_state(tmp_path: Path) -> None:
    """Nobody guesses what an unknown function does with the address of the state."""
    for call in ("guard(other)(&arch->hv_root_tdp_lock);", "mystery(&arch->hv_root_tdp);"):
        path = _changed(tmp_path, TAKE, f"{TAKE} {call}")
        with pytest.raises(InputError) as caught:
            _listing(Path(path))
        assert caught.value.exit_code == 4
        assert caught.value.diagnostics[0].span is not None


BAD = {
    "empty of it": ("#include <a.h>\nint f(void) { return 0; }\n", "looked for"),
    "a header": (
        "#include <a.h>\nint hv_remote_flush_tlb(struct kvm *kvm);\n",
        "defines no function",
    ),
    "no C": ("#include <a.h>\nDear all, the `patch' below (really) fixes it.\n", "error"),
    "a letter": ("#include <a.h>\nDear all,\nthe patch below fixes it; please look.\n", "like C"),
    "a patch": (
        "--- a/x.c\n+++ b/x.c\n@@ -1 +1,2 @@\n #include <a.h>\n+#include <b.h>\n",
        "like C",
    ),
    "no hypercall": (
        (
            "#include <a.h>\nint hv_remote_flush_tlb(struct kvm *kvm) { return 0; }\n"
            "void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3) { }\n"
        ),
        "issues no hypercall",
    ),
    "two candidates": (
        (
            "#include <a.h>\n"
            "int hv_remote_flush_tlb(struct kvm *k) { return hyperv_flush_guest_mapping(1); }\n"
            "int vmx_hv_remote_flush_tlb(struct kvm *k) { return hyperv_flush_guest_mapping(2); }\n"
            "void vmx_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3) { }\n"
        ),
        "several functions that could be the flush",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, tmp_path: Path) -> None:
    """What cannot be taken for a kernel file is refused with a reason."""
    text, said = BAD[name]
    path = tmp_path / "bad.c"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        _listing(path)
    assert caught.value.exit_code == 4
    assert said == "error" or any(said in d.title + d.help for d in caught.value.diagnostics)


def test_a_name_that_is_not_there() -> None:
    """A function or field named by hand that does not exist is wrong usage."""
    path = TREES / "v5_13/vmx.c"
    for choices in (Choices(flush="nothing"), Choices(cache="nothing")):
        with pytest.raises(InputError) as caught:
            _listing(path, choices)
        assert caught.value.exit_code == 2


@pytest.mark.slow
def test_locks_that_free_themselves(tmp_path: Path) -> None:
    """A guard is a lock that is held to the end of its block."""
    path = Path(_changed(tmp_path, TAKE, f"guard(spinlock)({TAKE[10:]}"))
    assert "spin_unlock(" in path.read_text()
    path.write_text(re.sub(r"\n\s*spin_unlock\([^;]*;", "", path.read_text()))
    options = Options(vcpus=(1, 1), claims=("coverage", "lock_balanced"))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    assert {r.verdict for r in report.results} == {Verdict.BOUNDED}


@pytest.mark.slow
def test_assembly_gives_any_value(tmp_path: Path) -> None:
    """What assembly writes is not what the variable held before."""
    change = 'asm volatile ("mov %1, %0" : [out] "=r" (root) : "r" (arch) : "memory");'
    store = "vcpu->arch.hv_root_tdp = root;"
    path = Path(_changed(tmp_path, store, f"{change} {store}"))
    options = Options(vcpus=(1, 1), claims=("coverage", "lock_balanced"))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    found = {r.claim: r.verdict for r in report.results}
    assert found == {"coverage": Verdict.REFUTED, "lock_balanced": Verdict.BOUNDED}

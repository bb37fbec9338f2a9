"""What forks and posted patches do to a kernel file: other loops and locks, other values."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.kernel.text_scan import could_define, could_define_macro, included_names
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options, Sanity
from support.places import TREES

TREE = TREES / "v6_4"
FILE = "arch/x86/kvm/kvm_onhyperv.c"
LOOP = "kvm_for_each_vcpu(i, vcpu, kvm) {"
TAKE = "\tspin_lock(&arch->hv_root_tdp_lock);\n\tif (VALID_PAGE("
INDEXED = (
    "for (i = 0; i < atomic_read(&kvm->online_vcpus); i++) {\n\t\tvcpu = kvm_get_vcpu(kvm, i);"
)
WALKED = "xa_for_each_range(&kvm->vcpu_array, i, vcpu, 0, atomic_read(&kvm->online_vcpus) - 1) {"
ALL = (
    "#define kvm_for_all(v, k) for (unsigned long __i = 0; "
    "__i < atomic_read(&(k)->online_vcpus) && ((v) = kvm_get_vcpu(k, __i)); __i++)\n"
)


def _fork(to: Path, *changes: tuple[str, str], header: str = "") -> str:
    """Copy the tree with its flush changed; return the flush's file."""
    shutil.copytree(TREE, to, dirs_exist_ok=True)
    text = (to / FILE).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    if header:
        (to / FILE).with_name("walks.h").write_text(header)
        text = text.replace('#include "kvm_onhyperv.h"', '#include "walks.h"', 1)
    (to / FILE).write_text(text)
    return str(to / FILE)


def _verdicts(path: str, *claims: str) -> dict[str, tuple[Verdict, int | None]]:
    options = Options(vcpus=(1, 3), claims=claims, sanity=Sanity.OFF, jobs=1)
    report = pipeline.prove(path, None, options, lambda _: None)
    return {r.claim: (r.verdict, r.smallest_vcpus) for r in report.results}


LOOPS = {
    "an index": (INDEXED, ""),
    "the array": (WALKED, ""),
    "all of the array": ("xa_for_each(&kvm->vcpu_array, i, vcpu) {", ""),
    "a macro of a header": ("kvm_for_all(vcpu, kvm) {", ALL),
}


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("name", LOOPS)
def test_other_walks(name: str, tmp_path: Path) -> None:
    """However the vCPUs are gone through, all of them are: nothing is missed or invented."""
    loop, header = LOOPS[name]
    path = _fork(tmp_path, (LOOP, loop), header=header)
    found = _verdicts(path, "coverage", "no_repeat")
    assert found == {"coverage": (Verdict.BOUNDED, None), "no_repeat": (Verdict.REFUTED, 3)}


def test_a_walk_that_leaves_one_out(tmp_path: Path) -> None:
    """A walk over a part of the array is not taken for one over all of it."""
    part = WALKED.replace("vcpu, 0,", "vcpu, 1,")
    with pytest.raises(InputError) as caught:
        _verdicts(_fork(tmp_path, (LOOP, part)), "coverage")
    assert "`xa_for_each_range` goes through" in caught.value.diagnostics[0].title
    path = _fork(tmp_path, (LOOP, INDEXED.replace("i = 0", "i = 1")))
    assert _verdicts(path, "coverage")["coverage"] == (Verdict.REFUTED, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LOOP, "list_for_each_entry(vcpu, &kvm->all, node) {"),
        ("\tif (distinct > 1)\n", "\tall_for_each(vcpu, kvm) {\n\t}\n\tif (vcpu->vcpu_id)\n"),
    ],
)
def test_an_unknown_walk_that_matters(old: str, new: str, tmp_path: Path) -> None:
    """A macro that nobody defines is refused at the call if its block or its cursor is needed."""
    with pytest.raises(InputError) as caught:
        _verdicts(_fork(tmp_path, (old, new)), "coverage")
    error = caught.value
    head = new.partition("(")[0].strip()
    lines = (tmp_path / FILE).read_text().split("\n")
    line = next(n for n, x in enumerate(lines, 1) if f"\t{head}(" in x)
    assert error.exit_code == 4
    assert error.diagnostics[0].span is not None
    assert error.diagnostics[0].span.line == line


def test_an_unknown_walk_that_does_not_matter(tmp_path: Path) -> None:
    """A loop over something else changes nothing."""
    other = f"{TAKE}"
    more = f"\tlist_for_each_entry(item, &kvm->items, node) {{\n\t\tpr_err(item);\n\t}}\n{TAKE}"
    found = _verdicts(_fork(tmp_path, (other, more)), "coverage")
    assert found["coverage"] == (Verdict.BOUNDED, None)


def test_interrupts_off(tmp_path: Path) -> None:
    """A lock taken by a macro of one round is no loop: it is decided as fast as without."""
    path = _fork(
        tmp_path,
        ("spin_lock(&arch->hv_root_tdp_lock)", "spin_lock_irqsave(&arch->hv_root_tdp_lock, f)"),
        (
            "spin_unlock(&arch->hv_root_tdp_lock)",
            "spin_unlock_irqrestore(&arch->hv_root_tdp_lock, f)",
        ),
        ("unsigned long i;", "unsigned long i, f;"),
        ("&vcpu->kvm->arch;", "&vcpu->kvm->arch;\n\tunsigned long f;"),
    )
    assert set(_verdicts(path, "coverage", "lock_balanced").values()) == {(Verdict.BOUNDED, None)}
    shown = pipeline.emit_stage(path, None, "ir", Options())
    assert "branch false" not in shown


@pytest.mark.parametrize(
    "condition", ["READ_ONCE(arch->n_used_mmu_pages)", "atomic_read(&kvm->quiet)", "global.quiet"]
)
def test_marked_reads_of_what_others_write(condition: str, tmp_path: Path) -> None:
    """What no operation writes may hold anything, also where it is read through its address."""
    early = f"\tif ({condition})\n\t\treturn 0;\n{TAKE}"
    found = _verdicts(_fork(tmp_path, (TAKE, early)), "coverage")
    assert found["coverage"] == (Verdict.REFUTED, 1)


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("IS_ENABLED(CONFIG_HYPERV)", Verdict.REFUTED),
        ("IS_ENABLED(CONFIG_NOTHING)", Verdict.BOUNDED),
        ("!IS_BUILTIN(CONFIG_HYPERV)", Verdict.BOUNDED),
    ],
)
def test_configuration_in_code(condition: str, verdict: Verdict, tmp_path: Path) -> None:
    """A condition on the configuration means in code what it means in `#if`."""
    early = f"\tif ({condition})\n\t\treturn 0;\n{TAKE}"
    found = _verdicts(_fork(tmp_path, (TAKE, early)), "coverage")
    assert found["coverage"][0] is verdict


def test_destructors(tmp_path: Path) -> None:
    """One that gives memory back is no matter; what another one does is not guessed."""
    local = "\tstruct kvm_vcpu *vcpu;\n\tint ret"
    freed = f"\tu64 *room __free(kfree) = take_room();\n{local}"
    assert _verdicts(_fork(tmp_path, (local, freed)), "coverage")["coverage"][0] is Verdict.BOUNDED
    with pytest.raises(InputError) as caught:
        _verdicts(_fork(tmp_path, (local, freed.replace("kfree", "unlock_it"))), "coverage")
    assert "a destructor" in caught.value.diagnostics[0].title


def test_attributes_before_a_name(tmp_path: Path) -> None:
    """An attribute is not taken for the name of the function that it belongs to."""
    head = "static int __hv_flush_remote_tlbs_range("
    moved = "static int __attribute__((cold))\n__hv_flush_remote_tlbs_range("
    path = _fork(tmp_path, (head, moved))
    found = pipeline.recognise_file(path, None, Options())
    assert not any("__attribute__" in a for a in found.assumptions)


@pytest.mark.parametrize(
    ("sort", "text", "expected"),
    [
        (Sort.FUNCTION, "int\nf (void)\n{\n}\n", True),
        (Sort.FUNCTION, "static int f(void);\n", True),
        (Sort.FUNCTION, "\treturn f(1);\n", False),
        (Sort.FUNCTION, "return f(1);\n", False),
        (Sort.FUNCTION, "int ff(void);\nint f2(void);\n", False),
        (Sort.STRUCT, "struct __packed f\n{\n};\n", True),
        (Sort.STRUCT, "struct g { struct f *f; };\n", False),
        (Sort.ENUM, "enum f {\n", True),
        (Sort.ENUM, "enum g {\n\tf,\n};\n", True),
        (Sort.ENUM, "enum { g = 1, f, h };\n", True),
        (Sort.ENUM, "x = g(e, f);\n", False),
        (Sort.TYPEDEF, "typedef struct {\n\tint a;\n} f;\n", True),
        (Sort.TYPEDEF, "typedef u64 f;\n", True),
        (Sort.TYPEDEF, "u64 f;\n", False),
        (Sort.GLOBAL, "extern int f;\n", True),
        (Sort.GLOBAL, "\tint f;\n", False),
    ],
)
def test_looks(sort: Sort, text: str, expected: bool) -> None:
    """A definition is told by what stands around its name."""
    assert could_define(text, sort, "f") is expected


def test_looks_of_directives() -> None:
    """Directives are found with blanks in them, and not behind other text."""
    assert list(included_names('#include <a.h>\n # include "b.h"\nx #include <c.h>\n')) == [
        ("<", "a.h"),
        ('"', "b.h"),
    ]
    assert could_define_macro(" #  define f(x) x\n", "f")
    assert not could_define_macro("#define ff 1\n/* #define f */ int f;\n#undef f\n", "f")


@pytest.mark.parametrize("sort", [s for s in Sort if s is not Sort.OTHER])
def test_looks_at_endless_lines(sort: Sort) -> None:
    """A name that stands everywhere costs time that grows with the text, not with its square."""
    assert could_define("f(" * 20_000, sort, "f") in {True, False}
    assert could_define("f f;" * 10_000, sort, "f") in {True, False}


OWN = "static u64 max(u64 a, u64 b) { return b; }\nstatic u64 min(u64 a, u64 b) { return a; }\n"


@pytest.mark.sample("min_t")
@pytest.mark.parametrize(
    ("given", "before", "verdict"),
    [
        ("max(root, ALIGN_DOWN(root, 64))", "", Verdict.BOUNDED),
        ("max((hpa_t)0, root)", "", Verdict.BOUNDED),
        ("min_t(u32, root, 1)", "", Verdict.REFUTED),
        ("root & ~GENMASK_ULL(63, 0)", "", Verdict.REFUTED),
        ("((u64)upper_32_bits(root) << 32) | lower_32_bits(root)", "", Verdict.BOUNDED),
        ("max((hpa_t)0, root)", OWN, Verdict.BOUNDED),
        ("min((hpa_t)0, root)", OWN, Verdict.REFUTED),
        ("max(root, (hpa_t)0)", OWN, Verdict.REFUTED),
        ("max(root, (hpa_t)0)", "#define max(a, b) (b)\n", Verdict.REFUTED),
    ],
)
def test_macros_on_numbers(given: str, before: str, verdict: Verdict, tmp_path: Path) -> None:
    """They mean what the kernel's do, unless the file says otherwise; nothing is assumed."""
    head = '#include "kvm_onhyperv.h"\n'
    path = _fork(
        tmp_path,
        ("flush_guest_mapping(root)", f"flush_guest_mapping({given})"),
        ("flush_guest_mapping_range(root,", f"flush_guest_mapping_range({given},"),
        (head, head + before),
    )
    options = Options(vcpus=(1, 2), claims=("coverage",), sanity=Sanity.OFF, jobs=1)
    (result,) = pipeline.prove(path, None, options, lambda _: None).results
    assert (result.verdict, result.reason) == (verdict, "")
    assert not any("may return anything" in x for x in result.assumptions)

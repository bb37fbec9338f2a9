"""What a kernel's own files define is what runs; what nobody defines is not guessed by its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.kernel.misspelt import nearest_name
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.open_input import in_tree, open_file
from flushproof.verify.options import Options, Sanity
from support.places import SPECS, TREES

TREE = TREES / "v6_4"
FILE = "arch/x86/kvm/kvm_onhyperv.c"
OWN_WALK = (
    "#define kvm_for_each_vcpu(i, v, k) for (i = {}; "
    "i < atomic_read(&(k)->online_vcpus) && ((v) = kvm_get_vcpu(k, i)); i++)\n"
)
FILL = """\
static int kvm_fill_hv_flush_list_func(struct hv_guest_mapping_flush_list *flush, void *data)
{{
	struct kvm_hv_tlb_range *range = data;

	return hyperv_fill_flush_guest_mapping_list(flush, range->start_gfn, range->{});
}}

"""
INCLUDE = '#include "kvm_onhyperv.h"\n'


def fork(to: Path, *changes: tuple[str, str]) -> Path:
    """Copy the tree with its flush changed; return the flush's file."""
    shutil.copytree(TREE, to, dirs_exist_ok=True)
    text = (to / FILE).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (to / FILE).write_text(text)
    return to / FILE


def verdict(path: Path, claim: str) -> Verdict:
    """Decide one claim about a file."""
    options = Options(vcpus=(1, 2), claims=(claim,), sanity=Sanity.OFF, jobs=1, engine="bounded")
    (result,) = pipeline.prove(str(path), None, options, lambda _: None).results
    return result.verdict


@pytest.mark.parametrize(
    ("pages", "expected"), [("pages", Verdict.BOUNDED), ("pages - 1", Verdict.REFUTED)]
)
def test_the_callback_of_the_file(pages: str, expected: Verdict, tmp_path: Path) -> None:
    """What is flushed is what the file's own callback enters."""
    flush = "static int flush_root("
    path = fork(tmp_path, (flush, FILL.format(pages) + flush))
    assert verdict(path, "range_kept") is expected


@pytest.mark.sample(every=4)
@pytest.mark.parametrize(("first", "expected"), [(0, Verdict.BOUNDED), (1, Verdict.REFUTED)])
@pytest.mark.parametrize("header", [False, True])
def test_a_walk_of_its_own(first: int, expected: Verdict, header: bool, tmp_path: Path) -> None:
    """A macro of the file, or of a header, says which vCPUs are visited."""
    define = OWN_WALK.format(first)
    path = fork(tmp_path, (INCLUDE, INCLUDE + ("" if header else define)))
    if header:
        beside = path.with_suffix(".h")
        beside.write_text(beside.read_text() + define)
    assert verdict(path, "coverage") is expected


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("VALID_PAGE(", "VALID_PGAE("), ("spin_lock(", "spin_lok("), ("spin_unlock(", "spin_unlokc(")],
)
def test_a_slip_of_the_pen(right: str, wrong: str, tmp_path: Path) -> None:
    """A misspelt lock is not code outside the model, to be left out."""
    path = fork(tmp_path, (right, wrong))
    with pytest.raises(InputError) as caught:
        verdict(path, "coverage")
    (found,) = caught.value.diagnostics
    assert f"did you mean `{right[:-1]}`?" in found.title
    assert found.span is not None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VALID_PGAE", "VALID_PAGE"),
        ("spin_lok", "spin_lock"),
        ("spin_lcok", "spin_lock"),
        ("hyperv_flush_gest_maping", "hyperv_flush_guest_mapping"),
        ("spin_lock", ""),
        ("lock", ""),
        ("kvm_make_request", ""),
        ("mim", ""),
    ],
)
def test_which_names_are_near(name: str, meant: str) -> None:
    """A name of another function is not taken for a slip."""
    known = {"VALID_PAGE", "spin_lock", "hyperv_flush_guest_mapping", "lock_it", "min"}
    assert nearest_name(name, known) == meant


def test_what_is_refused_stays_refused(tmp_path: Path) -> None:
    """A file that is no kernel's is not read as one because it is refused otherwise."""
    source = (SPECS / "dedup_all.c").read_text()
    pointer = source.replace("to_vmx(vcpu)->hv_tlb_pgd = root;", "*strange(vcpu) = root;")
    assert pointer != source
    path = tmp_path / "own.c"
    for before in ("", "/* #include <linux/kvm_host.h> */\n", "#if 0\n#include <a.h>\n#endif\n"):
        path.write_text(before + pointer)
        with pytest.raises(InputError) as caught:
            open_file(str(path), Choices())
        assert "`strange` is not defined" in caught.value.diagnostics[0].title
        path.write_text(before + source)
        assert open_file(str(path), Choices()).profile == ""


@pytest.mark.parametrize("how", ["include", "option", "tree"])
def test_what_makes_a_kernel_file(how: str, tmp_path: Path) -> None:
    """Where a file lies, what it includes, and what the user says decide how it is read."""
    folder = tmp_path / "arch/x86/kvm" if how == "tree" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "own.c"
    source = (SPECS / "dedup_all.c").read_text()
    path.write_text(("#include <linux/kvm_host.h>\n" if how == "include" else "") + source)
    assert in_tree(path) is (how == "tree")
    assert open_file(str(path), Choices(kernel=how == "option")).profile != ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#if STRANGE(1)\n#endif", "`STRANGE` is not a macro"),
        ("#if 1 / 0\n#endif", "division by zero"),
        ("#ifdef __GNUC__\n#endif", "whether `__GNUC__` is a macro depends on the compiler"),
        ('#pragma push_macro("VALID_PAGE")', "is not known to mean nothing here"),
        ("#define F(x, ...) g(x __VA_OPT__(,) __VA_ARGS__)", "`__VA_OPT__`"),
    ],
)
def test_lines_that_cannot_be_read(line: str, said: str, tmp_path: Path) -> None:
    """In the file that is asked about, a condition that is not understood is not taken as false."""
    path = fork(tmp_path, (INCLUDE, f"{INCLUDE}{line}\n"))
    with pytest.raises(InputError) as caught:
        open_file(str(path), Choices())
    assert said in caught.value.diagnostics[0].title
    assert caught.value.diagnostics[0].span is not None

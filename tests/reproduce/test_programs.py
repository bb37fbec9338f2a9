"""Counterexamples as C: they compile without a warning, show the violation, and can fail to."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from flushproof.features.reproduce.find import reproduce
from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_spec, from_variant
from flushproof.machine.build import Machine, build_machine
from flushproof.support.diagnostics import InputError
from flushproof.verify.open_input import open_file
from flushproof.verify.portfolio import Question
from support.hand_written_proofs import own_machine
from support.machines import machine_of
from support.places import SPECS, TREES

COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)]
WARNINGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror")
SMALL = Bounds((1, 3), 2, 2, 1)

needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler is installed")

REFUTED = [
    ("load_unlocked", "coverage"),
    ("counter_first", "no_repeat"),
    ("enum_status", "no_bogus"),
    ("vcpu0_first", "no_wasted"),
    ("enum_status", "converges"),
    ("flush_unlocked", "cache_sound"),
    ("early_return", "lock_balanced"),
    ("lock_order", "no_deadlock"),
    ("cache_read_late", "no_race"),
    ("rwlock_readers", "coverage"),
    ("hypercall_unlocked", "no_repeat"),
]


@cache
def _program(spec: str, claim: str) -> str:
    return _reproduced(machine_of(spec), claim)


def _reproduced(made: Machine, claim: str) -> str:
    found = reproduce(made, Question((claim,), SMALL))
    assert found.program, found.reason
    return found.program


def _run(text: str, folder: Path, compiler: str = "") -> subprocess.CompletedProcess[str]:
    path = folder / "reproduce.c"
    path.write_text(text)
    command = [compiler or COMPILERS[0], *WARNINGS, "-o", str(folder / "it"), str(path)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")
    return subprocess.run([folder / "it"], check=False, capture_output=True, text=True)


@needs_compiler
@pytest.mark.sample(every=8)
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("spec", "claim"), REFUTED)
def test_violation_shows(spec: str, claim: str, compiler: str, tmp_path: Path) -> None:
    """A counterexample that the C does not have would be about our own model only."""
    done = _run(_program(spec, claim), tmp_path, compiler)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("reproduced: ")


@needs_compiler
def test_code_without_a_hypercall(tmp_path: Path) -> None:
    """What the program has and does not use would be a warning."""
    claim = "on return flush(ret) { assert(ret == 0); }"
    machine = own_machine("return READ_ONCE(k->x);", "WRITE_ONCE(k->x, 1);", claim)
    done = _run(_reproduced(machine, "it"), tmp_path)
    assert done.stdout.splitlines()[-1].startswith("reproduced: ")


@pytest.mark.sample(every=3)
@needs_compiler
@pytest.mark.parametrize(
    ("tree", "claim"),
    [
        ("v5_0/vmx.c", "no_repeat"),
        ("v4_19/vmx.c", "no_bogus"),
        ("v6_4/arch/x86/kvm/vmx/vmx.c", "no_repeat"),
    ],
)
def test_kernel_file(tree: str, claim: str, tmp_path: Path) -> None:
    """What was read of a kernel file must be C too, with its holes filled as the trace says."""
    made = build_machine(open_file(str(TREES / tree), Choices()).setup)
    assert _run(_reproduced(made, claim), tmp_path).returncode == 0


@needs_compiler
def test_other_schedule_shows_nothing(tmp_path: Path) -> None:
    """A program that says "reproduced" whatever happens would show nothing."""
    text = _program("vcpu0_first", "no_wasted")
    other, count = re.subn(r"(HYPERCALL, \(void \*\)0, )-\d+", r"\g<1>0", text)
    assert count
    assert _run(other, tmp_path).returncode != 0


@needs_compiler
def test_mended_code_does_not_do_it(tmp_path: Path) -> None:
    """With the lock back in place, the schedule is impossible, and the program says so."""
    text = _program("hypercall_unlocked", "no_repeat")
    mended = text.replace("if (!VALID_PAGE(root)", "if (i > 0 || !VALID_PAGE(root)")
    assert mended != text
    assert _run(mended, tmp_path).returncode == 2


TRIES = r"while (!spin_trylock(\1)) smp_mb();"


@pytest.mark.sample(every=3)
@needs_compiler
@pytest.mark.parametrize(
    ("spec", "claim"),
    [
        ("lock_order", "no_deadlock"),
        ("early_return", "lock_balanced"),
        ("counter_first", "no_bogus"),
    ],
)
def test_a_loop_that_tries_waits(spec: str, claim: str, tmp_path: Path) -> None:
    """What is a wait for us is an attempt in C, made again and again."""
    text = re.sub(r"spin_lock\((.*?)\);", TRIES, (SPECS / f"{spec}.c").read_text())
    assert "spin_trylock" in text
    (tmp_path / f"{spec}.c").write_text(text)
    (tmp_path / f"{spec}.spec").write_text((SPECS / f"{spec}.spec").read_text())
    program = _reproduced(build_machine(from_spec(str(tmp_path / f"{spec}.spec"))), claim)
    assert _run(program, tmp_path).returncode == 0
    tries = "while (!spin_trylock("
    once = program.replace(tries, "for (int k = 0; !k && !spin_trylock(")
    once = once.replace(")) smp_mb();", "); k = 1) ;")
    assert once != program
    deadlock = claim == "no_deadlock"
    assert bool(_run(once, tmp_path).returncode) == deadlock


@pytest.mark.sample(every=4)
@needs_compiler
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if (++nr_roots == 1)", "nr_roots = min(nr_roots + 1, 2); if (nr_roots == 1)"),
        ("if (++nr_roots == 1)", "if (clamp_t(s16, ++nr_roots, 0, 2) == 1)"),
        ("root = to_vmx(vcpu)->hv_tlb_pgd;", "root = 0; swap(root, to_vmx(vcpu)->hv_tlb_pgd);"),
        ("if (nr_roots > 1)", "if (IS_ALIGNED(nr_roots, 2) || nr_roots > 1)"),
    ],
)
def test_macros_on_numbers(old: str, new: str, tmp_path: Path) -> None:
    """What the prelude says of numbers must be said in the C as well."""
    text = (SPECS / "counter_first.c").read_text()
    assert old in text
    (tmp_path / "counter_first.c").write_text(text.replace(old, new))
    (tmp_path / "counter_first.spec").write_text((SPECS / "counter_first.spec").read_text())
    made = build_machine(from_spec(str(tmp_path / "counter_first.spec")))
    assert _run(_reproduced(made, "no_repeat"), tmp_path).returncode == 0


@needs_compiler
@pytest.mark.sample("take")
@pytest.mark.parametrize("name", ["take", "available", "finish", "begin", "act", "waits"])
def test_helper_of_any_name(name: str, tmp_path: Path) -> None:
    """What the driver calls its own functions must be nobody's concern."""
    text = (SPECS / "counter_first.c").read_text()
    (tmp_path / "counter_first.c").write_text(text.replace("hv_remote_flush_pgd", name))
    (tmp_path / "counter_first.spec").write_text((SPECS / "counter_first.spec").read_text())
    made = build_machine(from_spec(str(tmp_path / "counter_first.spec")))
    assert _run(_reproduced(made, "no_repeat"), tmp_path).returncode == 0


def test_text_stands_as_it_is() -> None:
    """A reader must find the code under review, not a translation of it."""
    own = (SPECS / "counter_first.c").read_text()
    assert own in _program("counter_first", "no_repeat")


def test_only_switches_are_marked() -> None:
    """Of code that races, only the accesses at which threads change are touched."""
    text = _program("load_unlocked", "coverage")
    own = (SPECS / "load_unlocked.c").read_text()
    assert own not in text
    restored = re.sub(r"HOOK_READ\(([^()]*(?:\([^()]*\)[^()]*)*)\)", r"\1", text)
    restored = re.sub(r"HOOK_WRITE\(([^,]*?), ([^;]*)\);", r"\1 = \2;", restored)
    assert own in restored


USERS = """
	claim once "a call issues at most one hypercall" {
		any call c;
		int calls;
		on hypercall(r) in c { calls++; assert(calls <= 1, "one more"); }
	}
"""


@needs_compiler
def test_users_claim(tmp_path: Path) -> None:
    """The claim is compiled, not known beforehand."""
    text = (SPECS / "enum_cached.spec").read_text().replace("expect {", USERS + "\n\texpect {")
    (tmp_path / "enum_cached.c").write_text((SPECS / "enum_cached.c").read_text())
    (tmp_path / "enum_cached.spec").write_text(text)
    made = build_machine(from_spec(str(tmp_path / "enum_cached.spec")))
    done = _run(_reproduced(made, "once"), tmp_path)
    assert done.returncode == 0
    assert "one more" in done.stdout


@needs_compiler
def test_value_of_unset_variable(tmp_path: Path) -> None:
    """What a variable holds before it is set is part of the counterexample, not of luck."""
    text = (SPECS / "enum_cached.c").read_text()
    unset = text.replace("int ret = 0,", "int ret,")
    assert unset != text
    (tmp_path / "enum_cached.c").write_text(unset)
    (tmp_path / "enum_cached.spec").write_text((SPECS / "enum_cached.spec").read_text())
    program = _reproduced(
        build_machine(from_spec(str(tmp_path / "enum_cached.spec"))), "failure_true"
    )
    assert "int ret = HOOK_UNSET," in program
    assert _run(program, tmp_path).returncode == 0


@needs_compiler
def test_names_stay_names(tmp_path: Path) -> None:
    """A file name is text in the program, whatever it holds; it must not become code."""
    odd = tmp_path / 'a"*_%d_\\.c'
    odd.write_text((SPECS / "vcpu0_first.c").read_text())
    made = build_machine(from_variant(str(odd), str(SPECS / "vcpu0_first.spec")))
    done = _run(_reproduced(made, "no_wasted"), tmp_path)
    assert done.returncode == 0


def test_what_running_cannot_show() -> None:
    """A run of C with an uninitialised variable means nothing, so none is offered."""
    with pytest.raises(InputError) as caught:
        reproduce(machine_of("counter_first"), Question(("no_uninit",), SMALL))
    assert "cannot be reproduced by running C" in str(caught.value)


def test_nothing_to_reproduce() -> None:
    """A claim that holds has no counterexample."""
    found = reproduce(
        machine_of("counter_first"), Question(("no_wasted",), Bounds((1, 2), 1, 1, 1))
    )
    assert (found.program, found.reason) == ("", "`no_wasted` holds within the bounds")


RANGED = """\
static int any(void) __free;
static int twice(void) { return any(); }
static int flush_root(u64 root, struct kvm_tlb_range *range)
{
	if (range)
		return hyperv_flush_guest_mapping_range(root, kvm_fill_hv_flush_list_func, range);
	return hyperv_flush_guest_mapping(root);
}
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	int ret;

	(void)twice();
	ret = flush_root(0, range);
	return twice() == 7 ? flush_root(0, range) : ret;
}
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level) { }
"""


@needs_compiler
@pytest.mark.parametrize("claim", ["no_repeat", "no_bogus"])
def test_what_nothing_depends_on_is_no_step(claim: str, tmp_path: Path) -> None:
    """A range is entered by a helper that returns anything, and nobody looks at what it returns."""
    path = tmp_path / "ranged.c"
    path.write_text(RANGED)
    done = _run(_reproduced(build_machine(from_variant(str(path), None)), claim), tmp_path)
    assert done.returncode == 0, done.stdout

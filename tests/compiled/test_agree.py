"""`--agree gcc`: compiled code does what the interpreter says, or no verdict is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.features.compiled import agree
from flushproof.features.compiled.inputs import EDGES, LENGTH, random_sequences
from flushproof.features.compiled.program import driven_text
from flushproof.frontend.c.load import load_source
from flushproof.frontend.spec.resolve import from_spec, only_spec
from flushproof.machine.build import Machine, build_machine
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.record import replace
from flushproof.support.source import Source
from support.places import SPECS
from support.small_c import have_gcc, machine

pytestmark = pytest.mark.skipif(
    not have_gcc(), reason="gcc is not installed, so nothing says what the C means"
)


def _variant(spec: Path) -> str:
    named = only_spec(load_source(str(spec)))[0].variant
    assert named is not None
    return str(spec.parent / named.value)


VARIANTS = {_variant(p): p for p in sorted(SPECS.rglob("*.spec"))}
OPERATIONS = 10_500
DEFINES_A_MACHINE_FUNCTION = {"sb_xchg.c"}
FIRST = str(SPECS / "counter_first.c")


@pytest.mark.sample(every=7)
@pytest.mark.parametrize("name", sorted(VARIANTS), ids=lambda n: Path(n).stem)
def test_the_corpus(name: str) -> None:
    """Where they differ, the verdicts are about something that the C does not say."""
    if Path(name).name in DEFINES_A_MACHINE_FUNCTION:
        pytest.skip("it defines what the stand-in for the kernel does")
    number = -(-OPERATIONS // (len(VARIANTS) * LENGTH))
    found = agree.compare_with_gcc(build_machine(from_spec(str(VARIANTS[name]))), number)
    assert found.solver.startswith("gcc ")
    assert found.agreed == found.asked == number * LENGTH


def _flush(body: str, before: str = "") -> str:
    return f"{before}\nint f(struct kvm *kvm, int a, int b)\n{{\n\t{body}\n}}\n"


def _machine(folder: Path, body: str, before: str = "") -> Machine:
    return machine(folder, _flush(body, before), "flush f(kvm, free, free);")


def _with_text(made: Machine, text: str) -> Machine:
    """Return a machine of which only gcc sees another text than it was made from."""
    return replace(made, setup=replace(made.setup, variant=Source(made.setup.variant.name, text)))


AGREE = {
    "arithmetic": "return (a * b ^ (u64)a >> (b & 31)) / ((b & 7) + 1);",
    "undefined_is_left_out": "return a / b + (a << b);",
    "null_is_left_out": "struct kvm_vcpu *v = kvm_get_vcpu(kvm, a);\n"
    "return to_vmx(v)->tag + v->vcpu_id;",
    "without_a_value": "int x; u64 y; if (a) x = 3; return x + y;",
    "waits_for_itself": "spin_lock(&to_kvm_vmx(kvm)->lock); if (a & 1) return 1;\n"
    "spin_unlock(&to_kvm_vmx(kvm)->lock); return 0;",
    "stays_a_reader": "read_lock(&to_kvm_vmx(kvm)->rw);\n"
    "if (a > 2) read_unlock(&to_kvm_vmx(kvm)->rw);\n"
    "return write_trylock(&to_kvm_vmx(kvm)->rw);",
    "negative": "to_kvm_vmx(kvm)->half = a; to_kvm_vmx(kvm)->word = -b; return -1;",
    "does_not_end": "while (a == 1) to_kvm_vmx(kvm)->word++; return 0;",
    "static_in_a_function": "static int n = 3, m; n += a; if (n & 1) m++; return n ^ m;",
    "guard": "guard(spinlock)(&to_kvm_vmx(kvm)->lock); if (a > b) return 1;\n"
    "{ guard(mutex)(&to_kvm_vmx(kvm)->mutex); to_kvm_vmx(kvm)->word++; } return 2;",
    "scoped_guard": "int n = 0;\n"
    "for (int i = 0; i < 3; i++) {\n"
    "	scoped_guard(read_lock, &to_kvm_vmx(kvm)->rw) { if (a == i) break; n += i; }\n"
    "	n += read_trylock(&to_kvm_vmx(kvm)->rw); read_unlock(&to_kvm_vmx(kvm)->rw);\n"
    "}\n"
    "return n;",
}


@pytest.mark.sample("arithmetic", "undefined")
@pytest.mark.parametrize("body", AGREE.values(), ids=AGREE)
def test_agreement(body: str, tmp_path: Path) -> None:
    """What C leaves undefined, and what waits for ever, ends a sequence and is no difference."""
    found = agree.compare_with_gcc(_machine(tmp_path, body), 12)
    assert found.agreed == 12 * LENGTH


OTHER = {
    "result": ("return a;", "return a + (b == 5);", "hypercalls and result"),
    "field": (
        "to_kvm_vmx(kvm)->word = a; return 0;",
        "to_kvm_vmx(kvm)->word = a | 1; return 0;",
        "word = ",
    ),
    "narrowed": (
        "to_kvm_vmx(kvm)->word = a; return 0;",
        "to_kvm_vmx(kvm)->word = (u16)a; return 0;",
        "word = ",
    ),
    "field_that_is_not_read": (
        "return 0;",
        "to_kvm_vmx(kvm)->word = 1; return 0;",
        "anything else",
    ),
    "element": ("return 0;", "to_kvm_vmx(kvm)->table[a & 7] = 1; return 0;", "anything else"),
    "lock": (
        "spin_lock(&to_kvm_vmx(kvm)->lock); spin_unlock(&to_kvm_vmx(kvm)->lock); return 0;",
        "spin_lock(&to_kvm_vmx(kvm)->lock); return 0;",
        "lock = ",
    ),
    "hypercall": (
        "return hyperv_flush_guest_mapping(a);",
        "return hyperv_flush_guest_mapping(a & PAGE_MASK);",
        "hypercalls and result",
    ),
    "traps": ("return 0;", "return a / (b - b);", "trap"),
    "does_not_end": ("return 0;", "for (;;) ;", "trap"),
}


@pytest.mark.sample("result", "field")
@pytest.mark.parametrize("name", OTHER)
def test_difference(name: str, tmp_path: Path) -> None:
    """A comparison that overlooks a state would confirm a wrong reading of the C."""
    ours, theirs, word = OTHER[name]
    made = _machine(tmp_path, ours)
    text = made.setup.variant.text.replace(ours, theirs)
    assert text != made.setup.variant.text
    other = _with_text(made, text)
    with pytest.raises(InternalError) as caught:
        agree.compare_with_gcc(other, 6)
    told = str(caught.value)
    assert word in told
    assert "the interpreter:" in told
    assert "after these operations" in told


def test_difference_at_boot(tmp_path: Path) -> None:
    """A variable at file level starts as gcc has it, not as we read its initialiser."""
    made = _machine(tmp_path, "return n += a;", "static int n = 3;")
    text = made.setup.variant.text.replace("n = 3", "n = 4")
    other = _with_text(made, text)
    with pytest.raises(InternalError, match="after boot"):
        agree.compare_with_gcc(other, 2)


HEADER_TEXT = """\
#define STEP 3
static inline int bumped(int n) { return n + STEP; }
"""
OUTSIDE = """\
#include <linux/types.h>
#include "own.h"
extern bool off;
extern struct { int low : 3; unsigned high : 5; } both;
extern s16 narrow;
"""


@pytest.mark.parametrize("step", [3, 4])
def test_headers_and_variables_of_other_files(step: int, tmp_path: Path) -> None:
    """A header is part of what is compiled, and any start of a variable is tried on both sides."""
    (tmp_path / "own.h").write_text(HEADER_TEXT)
    body = "if (off) return both.low * 2 + both.high; narrow += 7; return bumped(narrow);"
    made = _machine(tmp_path, body, OUTSIDE)
    if step == 3:
        assert agree.compare_with_gcc(made, 12).agreed == 12 * LENGTH
        return
    changed = tuple(
        Source(s.name, s.text.replace("STEP 3", f"STEP {step}")) for s in made.setup.sources
    )
    with pytest.raises(InternalError, match="hypercalls and result"):
        agree.compare_with_gcc(replace(made, setup=replace(made.setup, sources=changed)), 12)


def test_sequences_hold_what_is_at_the_edge(tmp_path: Path) -> None:
    """Values that only random numbers of 64 bits would reach are among the inputs."""
    made = _machine(tmp_path, "return a;")
    steps = [s for q in random_sequences(made, 150, "seed") for s in q.steps]
    assert {s.root for s in steps} >= set(EDGES)
    assert {x for s in steps for x in s.free} >= set(EDGES)
    assert {q.vcpus for q in random_sequences(made, 9, "seed")} == {1, 2, 3}
    assert {s.root & ~0xFFF for s in steps if s.root & 0xFFF} >= {0x1000, 0x2000, 0x3000}
    assert {r for s in steps for r in s.results} >= {0, -5, 1, -1}


def test_a_file_that_redefines_the_kernel_is_refused(tmp_path: Path) -> None:
    """A file that cannot stand in C as it is, is not compared in some other form."""
    made = _machine(tmp_path, "return 0;", "struct kvm_tlb_range { u64 start_gfn, pages; };")
    with pytest.raises(InputError) as caught:
        driven_text(made)
    assert "`kvm_tlb_range` is defined by the prelude, too" in caught.value.diagnostics[0].title


def test_what_gcc_refuses_is_told_with_its_place(tmp_path: Path) -> None:
    """Code that is no C for gcc has no state to compare, and the reader should hear of it."""
    made = _machine(tmp_path, "return a;")
    text = made.setup.variant.text.replace("return a;", "return a +;")
    other = _with_text(made, text)
    with pytest.raises(InputError) as caught:
        agree.compare_with_gcc(other, 1)
    (found,) = caught.value.diagnostics
    assert found.title.startswith("gcc does not accept this: expected expression")
    assert found.span is not None
    assert text.splitlines()[found.span.line - 1].strip() == "return a +;"


# The command line -------------------------------------------------------------------------------

SMALL = ("--claim", "no_wasted", "--vcpus", "1", "--jobs", "1", "--no-cache", "--agree", "gcc")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["bounded", "enumerate"])
def test_told_beside_the_verdict(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads a verdict can see that the compiler was asked, and about how much."""
    assert cli.main(["prove", FIRST, *SMALL, "--engine", engine, "--format", "json"]) == 0
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    said = claim["second_opinion"]
    assert said["solver"].startswith("gcc ")
    assert said["questions"] == said["agreed"] == agree.COUNT * LENGTH


def test_a_spec_is_checked_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`check` takes the same option as `prove`."""
    spec = FIRST.replace(".c", ".spec")
    assert cli.main(["check", spec, *SMALL, "--format", "json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert report["claims"][0]["second_opinion"]["solver"].startswith("gcc ")


def test_a_difference_is_no_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both states are shown and the exit code says that the program is at fault."""
    wrong = "flushproof.features.compiled.agree.driven_text"
    monkeypatch.setattr(wrong, lambda m: driven_text(m).replace("drv_operate())", "1)"))
    assert cli.main(["prove", FIRST, *SMALL]) == 70
    told = capsys.readouterr()
    assert "no_wasted" not in told.out
    assert "disagree about" in told.err
    assert "the interpreter:" in told.err


def test_without_gcc(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a compiler the option is an error of use, not a silent nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["prove", FIRST, *SMALL]) == 2
    assert "gcc is not installed" in capsys.readouterr().err

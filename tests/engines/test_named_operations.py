"""Operations that go by their own names: `cpu` on their vCPU's thread, `thread` on any other.

The specs come in pairs, with a mistake and without it, of the gallery and of `named_operations/`.
What each expects was worked out by hand, and is asked of the enumerator, too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import pytest

from flushproof.cli import main as cli
from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.outcome import NoCounterexample
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from
from support.places import SPECS

PLACE = Path(__file__).parent / "named_operations"
FILES = {
    "lazy_looks": PLACE / "lazy_looks.spec",
    "lazy_stays": PLACE / "lazy_stays.spec",
    "mask_first": PLACE / "mask_first.spec",
    "mask_late": PLACE / "mask_late.spec",
    "zap_nested": SPECS / "bugs" / "zap_nested" / "after.spec",
    "zap_trusts": SPECS / "bugs" / "zap_nested" / "before.spec",
}
PAIRS = {
    "lazy_looks": "no_stale",
    "lazy_stays": "no_stale",
    "mask_first": "all_shot",
    "mask_late": "all_shot",
    "zap_nested": "flushed",
    "zap_trusts": "flushed",
}
BROKEN = ("lazy_stays", "mask_late", "zap_trusts")
TWO = """\
struct kvm_vmx { struct kvm kvm; spinlock_t l; int x; };
struct vcpu_vmx { struct kvm_vcpu vcpu; bool active; u64 root; };
void run(struct kvm_vcpu *vcpu, u64 value) { to_vmx(vcpu)->active = value != 0; }
void stop(struct kvm_vcpu *vcpu, struct kvm_vcpu *other)
{
	to_vmx(other)->active = false;
}
int kick(struct kvm *kvm, struct kvm_vcpu *vcpu, int why)
{
	WRITE_ONCE(to_vmx(vcpu)->active, false);
	cpu_relax();
	WRITE_ONCE(to_vmx(vcpu)->active, true);
	return why;
}
void keep(struct kvm *kvm) { spin_lock(&to_kvm_vmx(kvm)->l); }
void load(struct kvm_vcpu *vcpu, u64 root) { to_vmx(vcpu)->root = root; }
int flush_(struct kvm *kvm) { return 0; }
"""
SPEC = """\
spec two {{
	variant "v.c";
	operations {{ {operations} }}
	bounds {{ vcpus 1..2; loads 2; flushes 1; flushers 1; }}
	{claim}
}}
"""
ALWAYS = "claim c {{ {} }}"


def _machine(name: str) -> Machine:
    return build_machine(from_spec(str(FILES[name])))


def _decide(machine: Machine, claim: str, engine: str = "auto") -> ClaimResult:
    question = Question(claims=(claim,), bounds=machine.setup.bounds, engine=engine)
    (result,) = decide_claims(machine, question)
    return result


def _two(operations: str, claim: str) -> Machine:
    return machine_from(TWO, SPEC.format(operations=operations, claim=claim))


@pytest.mark.sample("lazy_stays", "mask_first")
@pytest.mark.parametrize("name", list(PAIRS))
def test_pairs(name: str) -> None:
    """A mistake in code that is no load and no flush would go unseen, or mending it not help."""
    wanted = Verdict.REFUTED if name in BROKEN else Verdict.PROVED
    assert _decide(_machine(name), PAIRS[name]).verdict is wanted


@pytest.mark.sample("lazy_stays", "zap_nested")
@pytest.mark.parametrize("name", list(PAIRS))
def test_the_enumerator_agrees(name: str) -> None:
    """The solver would be alone in its opinion of how such operations interleave."""
    machine = _machine(name)
    bounds = machine.setup.bounds
    sizes = Sizes(1, bounds.loads, bounds.flushes, bounds.flushers)
    engine = ExplicitEngine(machine.with_claims((PAIRS[name],)), sizes)
    found = engine.claim(PAIRS[name], 1)
    assert isinstance(found, NoCounterexample) is (name not in BROKEN)


@pytest.mark.skipif(which("gcc") is None, reason="there is no gcc")
@pytest.mark.sample("lazy_stays")
@pytest.mark.parametrize("name", BROKEN)
def test_counterexamples_run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The compiled program would announce calls that its claim does not know, and show nothing."""
    out = tmp_path / "shown.c"
    spec = str(FILES[name])
    assert cli.main(["reproduce", spec, "--claim", PAIRS[name], "-o", str(out)]) == 0
    capsys.readouterr()
    made = ["gcc", "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "shown"), str(out)]
    subprocess.run(made, check=True)
    done = subprocess.run([str(tmp_path / "shown")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f": {_machine(name).setup.operations[0].function}(vCPU0" in done.stdout


def test_traces_name_operations(capsys: pytest.CaptureFixture[str]) -> None:
    """Three steps that all read `load(A)` do not say what happens."""
    spec = str(PLACE / "mask_late.spec")
    cli.main(["refute", spec, "--claim", "all_shot", "--no-cache"])
    told = capsys.readouterr().out
    assert "switch_mm(A)" in told
    assert "shoot_down(), returns 0" in told
    assert "load(" not in told
    assert "flush" not in told.split("step  ", 1)[1].split("smallest", 1)[0]
    assert "up to 2 calls on each CPU" in told


def test_lists_name_operations(capsys: pytest.CaptureFixture[str]) -> None:
    """What a function was taken for could not be seen."""
    assert cli.main(["prove", str(PLACE / "lazy_looks.spec"), "--list"]) == 0
    words = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["cpu", "go_idle()"] in words
    assert ["thread", "unmap()"] in words


def test_any_vcpu_exists() -> None:
    """A call for a vCPU that there is not is undefined, and then nothing is proved."""
    machine = _two(
        "cpu run(vcpu, value); cpu stop(vcpu, any vcpu); thread kick(kvm, any vcpu, why);",
        ALWAYS.format("on enter kick(v) { assert(!to_vmx(v)->active || to_vmx(v)->active == 1); }"),
    )
    assert _decide(machine, "c").verdict is Verdict.PROVED


@pytest.mark.parametrize("engine", ["auto", "enumerate"])
@pytest.mark.parametrize(
    ("handler", "wanted"),
    [
        ("on enter stop(v, o) { assert(v == o); }", Verdict.REFUTED),
        ("on enter run(v, value) { assert(value == 0); }", Verdict.REFUTED),
        ("on return kick(v, why, ret) { assert(why == ret); }", Verdict.PROVED),
        ("on enter cpu(v) { assert(SELF == 1); }", Verdict.REFUTED),
        ("bool ran; on enter thread() { assert(!ran); } on enter run() { ran = true; }", None),
        ("any vcpu w; on enter load(v) { assert(v != w); }", Verdict.REFUTED),
        ("any vcpu w; on enter run(v) { assert(v != w || runs_on[w] == NONE); }", Verdict.REFUTED),
        ("any call c; on return c(ret) { assert(ret == 0); }", Verdict.PROVED),
        ("on return flush_(ret) { assert(ret != 0); }", Verdict.REFUTED),
    ],
)
def test_what_handlers_are_told(handler: str, wanted: Verdict | None, engine: str) -> None:
    """A handler would hear of other calls than it names, or be told other values."""
    machine = _two(
        "cpu run(vcpu, value); cpu stop(vcpu, any vcpu); thread kick(kvm, any vcpu, why);"
        "load load(vcpu, root); flush flush_(kvm);",
        ALWAYS.format(handler),
    )
    found = _decide(machine, "c", engine).verdict
    held = Verdict.BOUNDED if engine == "enumerate" else Verdict.PROVED
    assert found is (held if wanted is Verdict.PROVED else Verdict.REFUTED)


@pytest.mark.parametrize("operations", ["cpu run(vcpu, value);", "thread keep(kvm);"])
@pytest.mark.parametrize("claim", ["coverage", "no_bogus", "cache_sound", "lock_balanced"])
def test_a_spec_needs_neither_load_nor_flush(operations: str, claim: str) -> None:
    """Claims about loads and flushes would be called proved, or end in an error."""
    result = _decide(_two(operations, ""), claim)
    if claim != "lock_balanced":
        assert result.verdict is Verdict.NOT_ASKED
        assert "operation" in result.reason
    elif operations.startswith("thread"):
        assert result.verdict is Verdict.REFUTED
        assert result.trace is not None
        assert result.trace.headline == "a call returns with a lock held"
    else:
        assert result.verdict is Verdict.PROVED


IN_TURN = """\
struct kvm_vmx { struct kvm kvm; spinlock_t l; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; };
void kick(struct kvm *kvm, struct kvm_vcpu *vcpu)
{
	spin_lock(&to_kvm_vmx(kvm)->l);
	to_vmx(vcpu)->a = to_vmx(vcpu)->a + 1;
	to_vmx(vcpu)->a = to_vmx(vcpu)->a - 1;
	spin_unlock(&to_kvm_vmx(kvm)->l);
}
"""


@pytest.mark.parametrize(
    ("whose", "wanted"), [("v == w", Verdict.REFUTED), ("w == v && 0", Verdict.BOUNDED)]
)
def test_vcpus_on_which_nothing_runs(whose: str, wanted: Verdict) -> None:
    """Threads without a vCPU that runs would end in an internal error."""
    claim = f"any vcpu w; on return kick(v) {{ if ({whose}) assert(to_vmx(w)->a == 0); }}"
    spec = SPEC.format(operations="thread kick(kvm, any vcpu);", claim=ALWAYS.format(claim))
    spec = spec.replace("1..2; loads 2; flushes 1; flushers 1", "3; flushers 2")
    assert _decide(machine_from(IN_TURN, spec), "c", "bounded").verdict is wanted


WAITING = """\
struct kvm_vmx {{ struct kvm kvm; int done; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; bool inside; bool kicked; }};
void run(struct kvm_vcpu *vcpu)
{{
	WRITE_ONCE(to_vmx(vcpu)->inside, true);
	smp_mb();
	{loop}
	WRITE_ONCE(to_vmx(vcpu)->inside, false);
}}
void kick(struct kvm *kvm, struct kvm_vcpu *vcpu)
{{
	WRITE_ONCE(to_vmx(vcpu)->kicked, true);
	smp_mb();
	__wait(!READ_ONCE(to_vmx(vcpu)->inside));
}}
"""


@pytest.mark.parametrize(
    ("loop", "wanted"),
    [
        ("__wait(READ_ONCE(to_vmx(vcpu)->kicked));", Verdict.REFUTED),
        ("if (READ_ONCE(to_vmx(vcpu)->kicked)) cpu_relax();", Verdict.BOUNDED),
    ],
)
def test_waiting(loop: str, wanted: Verdict) -> None:
    """A wait that nobody ends would be taken for one that ends, or for a loop without a bound."""
    spec = SPEC.format(operations="cpu run(vcpu); thread kick(kvm, any vcpu);", claim="")
    found = _decide(machine_from(WAITING.format(loop=loop), spec), "no_deadlock", "bounded")
    assert found.verdict is wanted
    if found.trace is not None:
        assert "waits for kicked[0] while it is false" in found.trace.steps[-1].text


def test_certificates_are_confirmed(tmp_path: Path) -> None:
    """A proof about such operations would be one that its own checker refuses."""
    spec, proof = str(PLACE / "mask_first.spec"), str(tmp_path / "proof")
    off = ("--no-sanity", "--no-cache")
    assert cli.main(["prove", spec, "--claim", "all_shot", "--certificate", proof, *off]) == 0
    assert cli.main(["recheck", proof, "--against", spec]) == 0


def test_variants_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Operations without hypercalls would be equal whatever they do."""
    for name in ("lazy_looks.spec", "lazy_looks.c", "lazy_stays.spec", "lazy_stays.c"):
        (tmp_path / name).write_text((PLACE / name).read_text())
    old, new = str(tmp_path / "lazy_looks.spec"), str(tmp_path / "lazy_stays.spec")
    assert cli.main(["nfc", old, new]) == 3
    assert "`go_idle` is a `cpu` operation" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["nfc", old, old]) == 0

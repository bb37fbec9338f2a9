"""Random runs against what is proved: they find what is false, and are a verdict's end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.interpreter.random_runs import Attack
from flushproof.ir.invariant import ClaimedProof
from flushproof.results.verdict import Verdict
from flushproof.support.memory_model import MemoryModel
from flushproof.support.resources import SPECS
from flushproof.verify.claim_checker import ClaimChecker
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.machines import machine_from, machine_of, program_of

RUNS = int(os.environ.get("FLUSHPROOF_RUNS", "40"))
"""How many runs are made of each file of the corpus."""

BEYOND = {("early_return", "no_wasted"), ("rwlock_readers", "converges")}
"""What is proved within bounds, and fails beyond them; so does `no_repeat`, but for `dedup_all`."""

FILES = sorted(SPECS.glob("*.spec"), key=lambda p: p.name)


def _fails_beyond(spec: str, claim: str) -> bool:
    return (spec, claim) in BEYOND or (claim == "no_repeat" and spec != "dedup_all")


@pytest.mark.sample(every=8)
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_nothing_proved_fails_in_a_run(path: Path) -> None:
    """What fails in a run of the interpreter is not so, whatever an engine with a solver says."""
    machine = machine_of(path.stem)
    setup = machine.setup
    proved = tuple(
        e.claim
        for e in setup.expectations
        if e.verdict == Verdict.PROVED and not _fails_beyond(path.stem, e.claim)
    )
    if setup.memory is not MemoryModel.SC or not proved:
        pytest.skip("store buffers are made for few calls" if proved else "nothing is proved")
    attack = Attack(machine.with_claims(proved), setup.bounds.flushers)
    assert not any(attack.run(seed) for seed in range(RUNS))


@pytest.mark.parametrize(
    ("spec", "claim"),
    [
        ("counter_first", "no_repeat"),
        ("counter_first", "no_bogus"),
        ("enum_cached", "no_wasted"),
        ("mismatch_flag", "no_repeat"),
        ("flush_unlocked", "no_race"),
        ("flush_unlocked", "cache_sound"),
    ],
)
def test_what_is_refuted_fails_in_a_run(spec: str, claim: str) -> None:
    """An attack that finds nothing anywhere would tell nothing about a proof.

    Guards Lemma L30 of docs/soundness.md.
    """
    attack = Attack(program_of(spec, claim), 1)
    found = next(failure for failure in map(attack.run, range(2000)) if failure is not None)
    assert found.text.startswith(f"`{claim}` fails in run ")


@pytest.mark.parametrize("bounded", [True, False])
def test_a_contradiction_is_no_verdict(
    bounded: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proof of what fails is a defect of this program, and is told as that.

    Guards Lemma L30 of docs/soundness.md.
    """
    monkeypatch.setattr(ClaimChecker, "glance", lambda *_: None)
    nothing = ClaimedProof((), (), ())
    evidence = Evidence((), nothing, nothing, exact_roots=True)
    monkeypatch.setattr(ForAll, "prove", lambda *_: evidence)
    if not bounded:
        monkeypatch.setattr(ClaimChecker, "failure_within", lambda *_: None)
    arguments = ("prove", str(SPECS / "counter_first.c"), "--claim", "no_bogus", "--no-cache")
    assert cli.main((*arguments, "--no-sanity", "--jobs", "1")) == 70
    captured = capsys.readouterr()
    assert not captured.out
    said = "`no_bogus` is proved for every number of vCPUs, and yet: "
    why = "it fails with 3 vCPUs" if bounded else "`no_bogus` fails in run "
    assert said + why in captured.err


def test_a_wait_that_nobody_ends() -> None:
    """A run would call a thread undefined that waits for ever, against a proof that is right."""
    code = """\
struct kvm_vmx { struct kvm kvm; bool done; };
struct vcpu_vmx { struct kvm_vcpu vcpu; };
void run(struct kvm_vcpu *vcpu) { while (!to_kvm_vmx(vcpu->kvm)->done) cpu_relax(); }
"""
    spec = """\
spec waits {
	variant "variant.c";
	operations { cpu run(vcpu); }
	claim c { on step() { assert(!to_kvm_vmx(kvm)->done); } }
}
"""
    attack = Attack(machine_from(code, spec).with_claims(("c",)), 1)
    assert not any(attack.run(seed) for seed in range(RUNS))


@pytest.mark.parametrize(
    ("loop", "ends"),
    [
        ("int x = to_kvm_vmx(vcpu->kvm)->done; while (!x) cpu_relax();", True),
        ("int x = to_kvm_vmx(vcpu->kvm)->done; while (!x) y++;", True),
        ("while (1) ;", True),
        ("for (y = 0; y < 1000000000; y++) z++;", False),
    ],
)
def test_a_loop_that_nobody_sees(loop: str, ends: bool) -> None:
    """A thread that goes round for ever by itself would be called undefined, or no answer come.

    Who counts up to much is not followed to the end, and that is no finding either.
    """
    code = f"""\
struct kvm_vmx {{ struct kvm kvm; bool done; int other; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; }};
void run(struct kvm_vcpu *vcpu) {{ int y = 0, z = 0; {loop} to_kvm_vmx(vcpu->kvm)->other = z; }}
"""
    spec = """\
spec goes_round {
	variant "variant.c";
	operations { cpu run(vcpu); }
	bounds { vcpus 1; loads 1; flushes 1; flushers 1; }
	claim c { on step() { assert(!to_kvm_vmx(kvm)->done); } }
}
"""
    program = machine_from(code, spec).with_claims(("c",))
    attack = Attack(program, 1)
    assert not any(attack.run(seed) for seed in range(3))
    found = enumerate_claim(program, Sizes(1), "c", 500)
    assert found.found is None
    assert found.undefined is None
    assert found.complete is ends

"""Proofs that say nothing, and edits beside those that say something."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.runner.expectations import ExpectationChecker
from flushproof.verify.options import Options, Sanity
from support.places import SPECS

FAILING = """\
struct kvm_vmx { struct kvm kvm; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	return -1;
}
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *kvm_vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&kvm_vmx->lock);
	to_vmx(vcpu)->root = root;
	spin_unlock(&kvm_vmx->lock);
}
"""
SPEC = """\
{claim}
spec failing {{
	variant "failing.c";
	operations {{
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}}
	bounds {{ vcpus 1..2; loads {loads}; flushes 1; flushers 1; }}
	expect {{ {expect} proved; }}
}}
"""
OWN = 'claim own "{text}" {{ {ghost} on {event} {{ {body} }} headline "h"; because "b"; }}'


def _decided(
    folder: Path, expect: str, claim: str = "", loads: int = 1, level: Sanity | None = None
) -> ClaimResult:
    (folder / "failing.c").write_text(FAILING)
    spec = folder / "failing.spec"
    spec.write_text(SPEC.format(claim=claim, expect=expect, loads=loads))
    return ExpectationChecker(str(spec), Options(sanity=level)).check(expect).results[0]


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("coverage", "no flush returns 0"),
        ("no_bogus", "no hypercall: the handler never runs"),
        ("no_repeat", "no hypercall"),
        ("failure_kept", "no hypercall that fails"),
        ("converges", "no second call that counts"),
    ],
)
def test_vacuous(claim: str, why: str, tmp_path: Path) -> None:
    """A claim that is never put to the test is proved of any code, and the proof misleads."""
    loads = 0 if claim == "converges" else 1
    found = _decided(tmp_path, claim, loads=loads)
    assert found.verdict is Verdict.VACUOUS, why
    assert found.reason == (
        "with 1..2 vCPUs no run gets to what it asserts with all that it presupposes"
    )


def test_a_wait_in_vain_is_named(tmp_path: Path) -> None:
    """Whoever reads that nothing is tested would have to look for what holds all up."""
    wait = "while (!READ_ONCE(to_kvm_vmx(kvm)->go)) cpu_relax(); return 0"
    code = FAILING.replace("spinlock_t", "int go; spinlock_t").replace("return -1", wait)
    (tmp_path / "failing.c").write_text(code)
    spec = tmp_path / "failing.spec"
    spec.write_text(SPEC.format(claim="", expect="coverage", loads=1))
    (found,) = ExpectationChecker(str(spec)).check("coverage").results
    assert found.verdict is Verdict.VACUOUS
    assert found.reason.endswith(f"; nothing ends the wait at {tmp_path}/failing.c:5")


@pytest.mark.parametrize("claim", ["lock_balanced", "no_deadlock", "no_uninit"])
def test_not_vacuous(claim: str, tmp_path: Path) -> None:
    """Claims that an event never happens cannot be reached without failing; others are reached."""
    assert _decided(tmp_path, claim).verdict is Verdict.BOUNDED


def test_no_root_is_loaded(tmp_path: Path) -> None:
    """Coverage of vCPUs that never run says nothing, whatever the flush does."""
    (tmp_path / "failing.c").write_text(FAILING.replace("return -1", "return 0"))
    spec = tmp_path / "failing.spec"
    spec.write_text(SPEC.format(claim="", expect="coverage", loads=0))
    (found,) = ExpectationChecker(str(spec)).check("coverage").results
    assert found.verdict is Verdict.VACUOUS


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("event", "body", "verdict"),
    [
        ("hypercall(x)", "assert(x != 0);", Verdict.VACUOUS),
        ("hypercall(x)", "if (x == 0) assert(false);", Verdict.VACUOUS),
        ("hypercall(x)", "assert(false);", Verdict.BOUNDED),
        ("return flush(ret)", "if (ret == 7) assert(false);", Verdict.REFUTED),
        ("return flush(ret)", "if (ret == 8) assert(false); n = true;", Verdict.BOUNDED),
        ("return flush(ret)", "assert(ret != 0 || n);", Verdict.VACUOUS),
        ("return flush(ret)", "assert(n || ret != 0);", Verdict.BOUNDED),
        ("return flush(ret)", "if (ret == 0) { assert(n); }", Verdict.VACUOUS),
        ("return flush(ret)", "n = true;", Verdict.VACUOUS),
    ],
)
def test_own_claims(event: str, body: str, verdict: Verdict, tmp_path: Path) -> None:
    """What a claim presupposes is read off its assertions, in whatever form they stand."""
    if verdict is Verdict.REFUTED:
        body = body.replace("7", "-1")
    claim = OWN.format(text="t", ghost="bool n;", event=event, body=body)
    assert _decided(tmp_path, "own", claim).verdict is verdict


def test_no_sanity(tmp_path: Path) -> None:
    """Whoever turns it off gets the bare proof."""
    assert _decided(tmp_path, "coverage", level=Sanity.OFF).verdict is Verdict.BOUNDED


def test_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vacuous claim is a failure of its own kind: neither success nor refuted."""
    _decided(tmp_path, "coverage")
    assert cli.main(["check", str(tmp_path / "failing.spec")]) == 3
    assert "vacuous" in capsys.readouterr().out
    assert cli.main(["check", str(tmp_path / "failing.spec"), "--no-sanity"]) == 0


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("claim", "line", "words"),
    [
        ("coverage", 67, "`ret` becomes `0`"),
        ("no_uninit", 33, "`ret = 0` becomes `ret`"),
        ("range_kept", 22, "go on with one page of `range` only"),
    ],
)
def test_breaker(claim: str, line: int, words: str) -> None:
    """An edit that breaks the claim shows that the proof is about this code."""
    options = Options(vcpus=(1, 2), loads=1, flushes=2, claims=(claim,))
    (found,) = pipeline.prove(str(SPECS / "counter_first.c"), None, options, lambda _: None).results
    assert found.verdict is Verdict.BOUNDED
    assert found.sane is not None
    assert found.sane.breaker is not None
    assert (found.sane.breaker.line, found.sane.breaker.words) == (line, words)
    assert found.sane.breaker.vcpus == 1


def test_no_breaker(tmp_path: Path) -> None:
    """Where no edit breaks the claim, that is said, and the proof stands."""
    claim = OWN.format(text="t", ghost="", event="enter load(v)", body="assert(runs_on[v] != 0);")
    found = _decided(tmp_path, "own", claim, level=Sanity.QUICK)
    assert found.verdict is Verdict.BOUNDED
    assert found.sane is not None
    assert found.sane.breaker is None
    assert found.sane.tried > 3

"""What holds with one flusher at a time is not said of several.

Guards Lemma L17 of docs/soundness.md.
"""

from __future__ import annotations

import pytest

from flushproof.frontend.setup import Bounds
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int busy; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 hv_tlb_pgd; };
int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);

	if (READ_ONCE(k->busy))
		return 1;
	WRITE_ONCE(k->busy, 1);
	WRITE_ONCE(k->busy, 0);
	return 0;
}
void load(struct kvm_vcpu *vcpu, unsigned long root)
{
	to_vmx(vcpu)->hv_tlb_pgd = root;
}
"""

SPEC = """\
spec several {
	variant "code.c";
	operations { flush flush(kvm, range); load load(vcpu, root); }
	bounds { vcpus 1..2; loads 1; flushes 1; flushers 1; }
	assume load_flushes;
	claim alone "no flush finds another one under way" {
		on return flush(ret) { assert(ret == 0); }
		headline "it fails";
		because "it";
	}
	claim small "a flush returns 0 or 1" {
		on return flush(ret) { assert(ret == 0 || ret == 1); }
		headline "it fails";
		because "it";
	}
}
"""


def _answer(claim: str, flushers: int, engine: str) -> ClaimResult:
    bounds = Bounds((1, 2), 1, 1, flushers)
    machine = machine_from(CODE, SPEC)
    (result,) = decide_claims(machine, Question((claim,), bounds, engine=engine))
    return result


@pytest.mark.parametrize("engine", ["auto", "bounded", "enumerate"])
def test_one_flusher_does_not_speak_for_two(engine: str) -> None:
    """A flush that is never disturbed in the proof is disturbed in the kernel.

    Guards Lemma L17 of docs/soundness.md.
    """
    assert _answer("alone", 1, engine).verdict.holds
    assert _answer("alone", 2, engine).verdict is Verdict.REFUTED


def test_what_holds_with_two_is_bounded() -> None:
    """The clauses know one flusher, so what holds with two is proved for no more than the bounds.

    Guards Lemma L17 of docs/soundness.md.
    """
    assert _answer("small", 1, "auto").verdict is Verdict.PROVED
    assert _answer("small", 2, "auto").verdict is Verdict.BOUNDED
    assert _answer("small", 2, "unbounded").verdict is Verdict.UNKNOWN

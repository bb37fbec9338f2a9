"""Steps are large only where that hides no sum that leaves its type.

Proofs for every number of vCPUs take sums for sums of integers. That none leaves its type is proved
once, for the code without claims, in which steps are larger than in the code with a claim. So a
step that moves past another one keeps such sums. Guards Lemma L4 of docs/soundness.md.
"""

from __future__ import annotations

import pytest

from flushproof.engines.outcome import NoProof
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.unbounded_proofs import ForAll
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; spinlock_t l; int x, y; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 hv_tlb_pgd; };
int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);

	spin_lock(&k->l);
	WRITE_ONCE(k->x, LARGE);
	WRITE_ONCE(k->x, 0);
	spin_unlock(&k->l);
	return 0;
}
void load(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	int t = READ_ONCE(k->x);

	if (CONDITION)
		READ_ONCE(k->y);
}
"""
"""Only a claim can tell whether `y` is read: it is never written."""

SPEC = """\
spec sums {
	variant "code.c";
	operations { flush flush(kvm, range); load load(vcpu, root); }
	bounds { vcpus 1..2; loads 1; flushes 1; flushers 1; }
	assume load_flushes;
	exempt x;
	claim it "it holds" {
		int n;
		on access(p, w) { if (!w) { n = n + 1; assert(n < 4); } }
		headline "it fails";
		because "it";
	}
}
"""

LEAVING = [
    ("0x7fffffff", "t + 1 < t"),
    ("0x7fffffff", "(t + 1) - 1 > t + 1"),
    ("-0x7fffffff - 1", "t - 1 > t"),
    ("-0x7fffffff - 1", "t < 0 && -t < 0"),
    ("256", "t && !(u8)t"),
    ("-1", "(unsigned int)t > 5"),
]


def _machine(large: str, condition: str) -> Machine:
    code = CODE.replace("LARGE", large).replace("CONDITION", condition)
    return machine_from(code, SPEC)


def _answer(machine: Machine, engine: str, vcpus: int) -> ClaimResult:
    question = Question(("it",), Bounds((1, vcpus), 1, 1, 1), engine=engine)
    (result,) = decide_claims(machine, question)
    return result


@pytest.mark.sample(every=9)
@pytest.mark.parametrize(("large", "condition"), LEAVING)
def test_a_sum_that_leaves_its_type_is_seen(large: str, condition: str) -> None:
    """What fails where a sum wraps around in the middle of another call is proved for all.

    Guards Lemma L4 of docs/soundness.md.
    """
    machine = _machine(large, condition)
    found = _answer(machine, "bounded", 4)
    assert (found.verdict, found.smallest_vcpus) == (Verdict.REFUTED, 4)
    assert _answer(machine, "unbounded", 2).verdict is Verdict.UNKNOWN
    assert isinstance(ForAll(machine, evidence=False).defined, NoProof)


FLUSHER = "\tstruct kvm_vmx *k = to_kvm_vmx(kvm);\n\tunsigned int t;\n"
KNOWN = """
	WRITE_ONCE(k->x, 0);
	t = READ_ONCE(k->x);
	if (-(t + 2) > 5)
		READ_ONCE(k->y);
	return 0;
"""
"""Without a claim the write and the read are one step, in which the number is known."""


def test_a_sum_of_a_known_number_is_seen() -> None:
    """What wraps around with a known number is taken to stay in its type where it is not known.

    Guards Lemma L4 of docs/soundness.md.
    """
    code = CODE.replace("\treturn 0;\n", KNOWN.lstrip("\n"))
    code = code.replace("if (CONDITION)", "if (0)").replace("int x, y;", "unsigned int x; int y;")
    code = code.replace("LARGE", "1")
    code = code.replace("\tstruct kvm_vmx *k = to_kvm_vmx(kvm);\n", FLUSHER)
    code = code.replace(
        "int t = READ_ONCE(k->x);", "int t = 0;\n\n\tWRITE_ONCE(k->x, 0x80000000u);"
    )
    machine = machine_from(code, SPEC.replace("n < 4", "n < 1"))
    assert _answer(machine, "bounded", 1).verdict is Verdict.REFUTED
    assert _answer(machine, "unbounded", 2).verdict is Verdict.UNKNOWN


def test_a_sum_that_stays_in_its_type_is_no_matter() -> None:
    """Were every racy sum refused, what is above would show nothing."""
    machine = _machine("1", "t + 1 > 3")
    assert _answer(machine, "unbounded", 2).verdict.holds

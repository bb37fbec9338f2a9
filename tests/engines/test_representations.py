"""How values get into roots, and what must not be lost on the way.

Each piece of C hands something to a hypercall, and the claim says what it never is. The bounded
engine represents roots as it sees fit; the enumerator computes with plain numbers.
"""

from __future__ import annotations

import pytest

from flushproof.frontend.setup import Bounds
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.machine.build import Machine
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{ struct kvm kvm; bool set; u8 small; u32 half; u64 seen; u64 old; int count; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; u64 root; }};
int flush(struct kvm *kvm, u64 any, u32 narrow, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	u64 r = 0;
	int i, ret = 0;

	kvm_for_each_vcpu(i, vcpu, kvm)
		r = to_vmx(vcpu)->root;
	{flush}
	return hyperv_flush_guest_mapping(r);
}}
void load(struct kvm_vcpu *vcpu, unsigned long root, u64 bits)
{{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);

	to_vmx(vcpu)->root = root;
	k->set = true;
	{load}
}}
"""

SPEC = """\
spec values {{
	variant "code.c";
	operations {{
		flush flush(kvm, free, free, range);
		load load(vcpu, root, free);
	}}
	bounds {{ vcpus 1..1; loads 1; flushes 1; flushers 1; }}
	assume load_flushes;
	claim it "it holds" {{
		any root w;
		any vcpu v;
		on hypercall(x) {{ assert({claim}); }}
		headline "it fails";
		because "it";
	}}
}}
"""

ALIGNED = "(x & ~PAGE_MASK) == 0"

CASES = [
    # a bool, and what is made of it
    ("r = k->set;", "", "x != 1", True),
    ("r = k->set;", "", ALIGNED, True),
    ("r = (k->set ? r : 0) | k->set;", "", "(x & 0xfff) != 1", True),
    ("r = (k->set ? r : 0) | k->set;", "", "(x & 0xffe) == 0", False),
    ("r = (u64)k->set & PAGE_MASK;", "", "x == 0", False),
    ("r = ret == 0;", "", "x != 1", True),
    ("r = !r;", "", "x == 0 || x == 1", False),
    # numbers that are narrower
    ("r = k->small;", "k->small = bits;", "x < 256", False),
    ("r = narrow;", "", "x <= 0xffffffff", False),
    ("r = narrow;", "", "x != INVALID_PAGE", False),
    ("r = narrow;", "", ALIGNED, True),
    ("r = (s32)narrow;", "", "x != INVALID_PAGE", True),
    ("r = (u32)any;", "", "x != INVALID_PAGE", False),
    ("r = k->half | 1;", "k->half = root;", "x != 0x1001", True),
    # results of hypercalls
    ("r = hyperv_flush_guest_mapping(r);", "", ALIGNED + " || x > 5", True),
    ("r = hyperv_flush_guest_mapping(r) & PAGE_MASK;", "", ALIGNED, False),
    ("ret = hyperv_flush_guest_mapping(r); r = ret ? r | 1 : r;", "", ALIGNED, True),
    # values from nowhere
    ("r = any;", "", ALIGNED, True),
    ("r = any & PAGE_MASK;", "", ALIGNED, False),
    ("r = any & 0xfff; r = r && r != 0xfff;", "", "x == 0", True),
    ("if (any & 6 && (any & 6) != 6) r = 1;", "", "x != 1", True),
    (
        "r = any; if ((r & PAGE_MASK) == (k->old & PAGE_MASK) && r != k->old) r = 1; else r = 0;",
        "k->old = root;",
        "x != 1",
        True,
    ),
    ("r = k->seen;", "k->seen = root | (bits & 0xfff);", "(x & 6) == 0 || (x & 6) == 6", True),
    ("r = k->seen;", "k->seen = root | (bits & 0x18);", "(x & 8) != 8 || (x & 16) == 16", True),
    ("r = k->seen & PAGE_MASK;", "k->seen = root | (bits & 0xfff);", ALIGNED, False),
    ("r = k->seen;", "if (root == bits) k->seen = bits & PAGE_MASK;", ALIGNED, False),
    ("r = k->seen;", "k->seen = bits;", "x != w || " + ALIGNED, True),
    # what is done to roots
    ("r = r + 1;", "", ALIGNED, True),
    ("r = r >> 12;", "", "x == 0 || " + ALIGNED, True),
    ("r = ~r;", "", "(x & 0xfff) == 0xfff", False),
    ("r = r < 0x3000 ? r : 0;", "", "x != 0x1000", True),
    ("r = r < 0x3000 ? r : 0;", "", "x < 0x3000", False),
    ("r = r == 0x5000 ? 0x5001 : 0;", "", "x == 0", True),
    ("r = r == 0x5001 ? 1 : 0;", "", "x == 0", False),
    ("r = (r | 0x5) & ~(u64)0x4;", "", "(x & 0xfff) == 1", False),
    ("r = (r | 0x5) & ~(u64)0x4;", "", "(x & 0xfff) == 5", True),
    ("r = r ^ 1;", "", ALIGNED, True),
    ("r = -r;", "", ALIGNED, False),
    # a witness, and no root at all
    ("", "", "x != (w & PAGE_MASK) || x == w || x == 0", True),
    ("", "", "(w & 6) != 2 || x == 0 || (x | 2) != w", True),
    ("", "", "(runs_on[v] & PAGE_MASK) != 0 || runs_on[v] == NONE", False),
    ("", "", "(runs_on[v] & PAGE_MASK) != 0", True),
]


def _machine(flush: str, load: str, claim: str) -> Machine:
    return machine_from(CODE.format(flush=flush, load=load), SPEC.format(claim=claim))


@pytest.mark.sample(every=24)
@pytest.mark.parametrize(("flush", "load", "claim", "fails"), CASES)
def test_a_value_in_a_root(flush: str, load: str, claim: str, fails: bool) -> None:
    """A value that is not kept, or made up, gives a false proof or a false counterexample.

    Guards Lemma L5 of docs/soundness.md.
    """
    machine = _machine(flush, load, claim)
    for engine in ("bounded", "auto"):
        (found,) = decide_claims(machine, Question(("it",), Bounds((1, 1), 1, 1, 1), engine=engine))
        assert found.verdict.decided, found.reason
        assert found.verdict.holds != fails


RARE = ("0x18", "0x5000")
"""Bits and a root that the enumerator does not try."""

PLAIN = [c for c in CASES if not any(x in part for x in RARE for part in c[:2])]


@pytest.mark.sample(every=8)
@pytest.mark.parametrize(("flush", "load", "claim", "fails"), PLAIN)
def test_plain_numbers(flush: str, load: str, claim: str, fails: bool) -> None:
    """The enumerator must not share what is lost: a few numbers show what fails.

    Guards Lemma L5 of docs/soundness.md.
    """
    machine = _machine(flush, load, claim)
    (found,) = decide_claims(
        machine, Question(("it",), Bounds((1, 1), 1, 1, 1), engine="enumerate")
    )
    assert found.verdict.decided, found.reason
    assert found.verdict.holds != fails


def test_roots_that_are_only_copied_are_page_numbers() -> None:
    """Were everything a bit-vector, many vCPUs would be out of reach."""
    claim = "x == 0 || x == w || x != runs_on[v]"
    for flush, exact in (("", True), ("r |= 0x1e; r &= PAGE_MASK;", True), ("r = any | 1;", False)):
        program = _machine(flush, "k->old = bits;", claim).with_claims(("it",))
        assert infer_kinds(program).exact_roots is exact

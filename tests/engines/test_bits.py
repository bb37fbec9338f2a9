"""Bits of words and of bitmaps: what takes and frees them, and where there are none."""

from __future__ import annotations

import pytest

from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{ struct kvm kvm; unsigned long mask; DECLARE_BITMAP(map, 128); atomic_t flags; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; bool got; }};
void take(struct kvm_vcpu *vcpu)
{{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);

	if (!to_vmx(vcpu)->got && {take})
		to_vmx(vcpu)->got = true;
}}
void drop(struct kvm_vcpu *vcpu)
{{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);

	if (to_vmx(vcpu)->got) {{
		to_vmx(vcpu)->got = false;
		{drop};
	}}
}}
void use_others(struct kvm *kvm)
{{
	struct kvm_vmx *x = to_kvm_vmx(kvm);

	set_bit(5, &x->mask);
	clear_bit(5, &x->mask);
	set_bit(70, x->map);
	atomic_or(8, &x->flags);
}}
"""
SPEC = """\
spec bits {
	variant "v.c";
	operations { cpu take(vcpu); cpu drop(vcpu); thread use_others(kvm); }
	bounds { vcpus 2; loads 2; flushes 1; flushers 1; }
	claim alone "one vCPU at most has it" {
		any vcpu w;
		on return take(v) { assert(v == w || !to_vmx(v)->got || !to_vmx(w)->got); }
	}
}
"""
LOCKS = {
    "a word": ("!test_and_set_bit(2, &x->mask)", "clear_bit(2, &x->mask)"),
    "a bitmap": ("!test_and_set_bit(66, x->map)", "clear_bit(66, x->map)"),
    "flags": ("!(atomic_fetch_or(4, &x->flags) & 4)", "atomic_andnot(4, &x->flags)"),
}
NO_LOCKS = {
    "others clear it": ("!test_and_set_bit(5, &x->mask)", "clear_bit(5, &x->mask)"),
    "two steps": ("!test_bit(2, x->map)", "clear_bit(2, x->map); set_bit(2, x->map)"),
    "another one is set": ("!test_bit(2, &x->mask)", "set_bit(3, &x->mask)"),
}


def _decide(code: tuple[str, str], engine: str) -> ClaimResult:
    machine = machine_from(CODE.format(take=code[0], drop=code[1]), SPEC)
    (result,) = decide_claims(machine, Question(("alone",), machine.setup.bounds, engine=engine))
    return result


@pytest.mark.sample("a word-enumerate", "two steps-bounded")
@pytest.mark.parametrize("engine", ["bounded", "enumerate"])
@pytest.mark.parametrize("name", [*LOCKS, *NO_LOCKS])
def test_a_bit_keeps_others_out_if_it_is_taken_at_once(name: str, engine: str) -> None:
    """Bits that change together with one that matters, or do not, would make another lock of it."""
    result = _decide((LOCKS | NO_LOCKS)[name], engine)
    assert result.verdict is (Verdict.BOUNDED if name in LOCKS else Verdict.REFUTED), result.reason


@pytest.mark.parametrize("which", ["test_and_set_bit(128, x->map)", "test_bit(64, &x->mask)"])
def test_a_bit_that_is_not_there(which: str) -> None:
    """What lies behind a bitmap is something else, which nobody knows."""
    result = _decide((f"!{which}", "clear_bit(1, x->map)"), "bounded")
    assert result.verdict is Verdict.UNKNOWN
    assert "an index" in result.reason

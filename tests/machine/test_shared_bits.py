"""Bit fields that share their memory location lose each other's updates, in every engine."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

VARIANT = """
struct kvm_vmx {{ struct kvm kvm; spinlock_t one, two; {fields} }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; u64 root; }};
int flush(struct kvm *kvm)
{{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	int sum;

	spin_lock(&vm->one);
	{flush}
	spin_unlock(&vm->one);
	return sum;
}}
void load(struct kvm_vcpu *vcpu, u64 root)
{{
	struct kvm_vmx *vm = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vm->two);
	{load}
	spin_unlock(&vm->two);
	to_vmx(vcpu)->root = root;
}}
"""
SPEC = """
spec shared {
	variant "shared.c";
	operations { flush flush(kvm); load load(vcpu, root); }
	bounds { vcpus 1..1; loads 2; flushes 1; }
	boot { to_kvm_vmx(kvm)->a = 1; to_kvm_vmx(kvm)->b = 2; }
}
claim seen "what a load sets stays set" {
	bool set;
	on return load(v, r) { set = true; }
	on end() { assert(!set || to_kvm_vmx(kvm)->b == 3); }
}
claim boot_is_kept "the fields start as the spec says" {
	bool began;
	on enter load(v, r) { began = true; }
	on enter flush(all, start, pages)
	{ assert(began || (to_kvm_vmx(kvm)->a == 1 && to_kvm_vmx(kvm)->b == 2)); }
}
"""


def _machine(fields: str, flush: str, load: str) -> Machine:
    text = VARIANT.format(fields=fields, flush=flush, load=load)
    return machine_from(text, SPEC)


SIDE_BY_SIDE = "unsigned int a:2, b:2;"
SEPARATE = "unsigned int a:2; unsigned int : 0; unsigned int b:2;"


@pytest.mark.sample(every=4)
@pytest.mark.parametrize(
    ("fields", "claim", "holds"),
    [
        (SIDE_BY_SIDE, "seen", False),
        (SIDE_BY_SIDE, "no_race", False),
        (SIDE_BY_SIDE, "boot_is_kept", True),
        (SEPARATE, "seen", True),
        (SEPARATE, "no_race", True),
        ("unsigned int a:2; int between; unsigned int b:2;", "seen", True),
        ("unsigned int a:2; struct { unsigned int b:2; };", "seen", True),
        ("unsigned int a:2; u64 : 7; s8 b:4;", "seen", False),
    ],
)
def test_a_neighbours_update_is_lost(fields: str, claim: str, holds: bool) -> None:
    """Two locks protect nothing where a write to one field writes the other one back."""
    flush = "vm->a = 0; vm->a++; sum = vm->a;"
    made = _machine(fields, flush, "vm->b = 3;")
    outcome = enumerate_claim(made.with_claims((claim,)), Sizes(1, 2, 1), claim)
    assert (outcome.found is None) is holds
    (result,) = decide_claims(made, Question((claim,), Bounds((1, 1), 2, 1, 1)))
    assert result.verdict is (Verdict.BOUNDED if holds else Verdict.REFUTED)


@pytest.mark.parametrize(
    ("flush", "said"),
    [
        ("sum = READ_ONCE(vm->@a);", "no address"),
        ("WRITE_ONCE(vm->@a, 1); sum = 0;", "no address"),
        ("sum = *&vm->@a;", "no address"),
        ("sum = xchg(&vm->@a, 1);", "no address"),
    ],
)
def test_a_bit_field_has_no_address(flush: str, said: str) -> None:
    """What the kernel's build refuses would get a meaning that no machine has."""
    for fields in (SIDE_BY_SIDE, SEPARATE):
        with pytest.raises(InputError) as caught:
            _machine(fields, flush.replace("@", ""), "vm->b = 3;")
        assert said in caught.value.diagnostics[0].title


def test_a_location_has_a_limit() -> None:
    """Fields of more bits than a register are written in several steps, which is not modelled."""
    with pytest.raises(InputError) as caught:
        _machine("u64 a:40, b:40;", "sum = vm->a;", "vm->b = 3;")
    assert "64 bits" in caught.value.diagnostics[0].title

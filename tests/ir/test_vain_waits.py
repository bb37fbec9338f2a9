"""Waits that nothing ends, and none but those."""

from __future__ import annotations

import pytest

from flushproof.ir.analysis.vain_waits import find_vain_waits
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{ struct kvm kvm; int a; int b; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; int c; }};
int flush(struct kvm *kvm)
{{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	{flush}
	return 0;
}}
void load(struct kvm_vcpu *vcpu, hpa_t root)
{{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	{load}
}}
"""
SPEC = """\
spec waits {
	variant "variant.c";
	operations { flush flush(kvm); load load(vcpu, root); }
	boot { to_kvm_vmx(kvm)->b = 3; }
}
"""


@pytest.mark.parametrize(
    ("flush", "load", "lines"),
    [
        ("while (!READ_ONCE(k->a)) ;", "", [6]),
        ("while (!READ_ONCE(k->a)) ;", "k->a = 2;", []),
        ("while (!READ_ONCE(k->a)) ; k->a = 1;", "", [6]),
        ("while (READ_ONCE(k->a) != 7) ;", "k->a = 2;", [6]),
        ("while (READ_ONCE(k->a) != 7) ;", "k->a = k->b;", []),
        ("while (READ_ONCE(k->b) != 3) ;", "", []),
        ("while (!READ_ONCE(k->a)) ;", "while (READ_ONCE(k->b) == 3) ; k->a = 1;", [6, 12]),
        (
            "while (!READ_ONCE(k->a)) ; k->b = 4;",
            "while (READ_ONCE(k->b) == 3) ; k->a = 1;",
            [6, 12],
        ),
        ("while (!READ_ONCE(k->a)) ; k->b = 4;", "k->a = 1; while (READ_ONCE(k->b) == 3) ;", []),
        ("while (cmpxchg(&k->a, 1, 0) != 1) ;", "", [6]),
        ("while (cmpxchg(&k->a, 0, 1) != 0) ; k->a = 0;", "", []),
        ("if (k->b) return 0; while (!READ_ONCE(k->a)) ;", "", [6]),
    ],
)
def test_vain_waits(flush: str, load: str, lines: list[int]) -> None:
    """A line would be blamed that a thread gets past, or the one that holds all up not be named."""
    program = machine_from(CODE.format(flush=flush, load=load), SPEC).with_claims(())
    spans = [wait.span for wait in find_vain_waits(program)]
    assert [span.line for span in spans if span is not None] == lines

"""Loops that may go round for ever: how soon they are given up, and by which place."""

from __future__ import annotations

import pytest

from flushproof.frontend.setup import Bounds
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import decide_claims
from flushproof.verify.question import Question
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int busy, n; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int x; };
int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	int i = 0;

	LOOP
	return i;
}
void my_load(struct kvm_vcpu *vcpu, unsigned long root)
{
	WRITE_ONCE(to_kvm_vmx(vcpu->kvm)->busy, 1);
	to_vmx(vcpu)->x = 1;
	WRITE_ONCE(to_kvm_vmx(vcpu->kvm)->busy, 0);
}
"""
SPEC = """\
spec own {
	variant "own.c";
	operations { flush my_flush(kvm); load my_load(vcpu, root); }
	claim never { on step() { assert(to_kvm_vmx(kvm)->busy != 7); } }
}
"""


@pytest.mark.parametrize(
    "loop",
    [
        "while (READ_ONCE(k->busy)) { i++; k->n = i; cpu_relax(); }",
        "again: i++; if (READ_ONCE(k->busy)) { WRITE_ONCE(k->n, i); goto again; }",
        "for (;;) { if (!READ_ONCE(k->busy)) break; k->n++; }",
        "do { k->n = i++; } while (cmpxchg(&k->busy, 0, 1) != 0 || i < 3);",
    ],
)
def test_given_up_soon(loop: str) -> None:
    """Each round makes the formula longer, for a loop of which the end is not known.

    What begins a step in such a loop may be its head or something else.
    """
    machine = machine_from(CODE.replace("LOOP", loop), SPEC)
    question = Question(("never",), Bounds((1, 1), 1, 1, 1), engine="bounded")
    (found,) = decide_claims(machine, question)
    assert found.verdict is Verdict.UNKNOWN
    said = "the loop at variant.c:8 may go on after 4 rounds, which is not looked at"
    assert found.reason == said

"""A failure of an own claim is found wherever in a step it is, as the enumerator finds it."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int x, y; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; };
int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i, j, v = 0, seen = 0;

	FLUSH
	return 0;
}
void my_load(struct kvm_vcpu *vcpu, unsigned long root)
{
	WRITE_ONCE(to_kvm_vmx(vcpu->kvm)->y, 1);
}
"""
SPEC = """\
spec own {
	variant "own.c";
	operations { flush my_flush(kvm); load my_load(vcpu, root); }
	claim never_two "x is never 2" {
		on step() { assert(to_kvm_vmx(kvm)->x != 2); }
		headline "x is 2";
	}
}
"""
RACE = "seen = READ_ONCE(k->y); seen += READ_ONCE(k->y); if (seen > 5) return 0;"
CASES = {
    "second round": f"""
        for (i = 0; i < 3; i++) {{
            if (i == 0) {{ {RACE} v = k->x; }} else {{ v = i == 1 ? 2 : 0; }}
            k->x = v;
        }}""",
    "last round": f"""
        for (i = 0; i < 3; i++) {{
            if (i == 0) {{ {RACE} v = k->x; }} else {{ v = i == 2 ? 2 : 0; }}
            k->x = v;
        }}
        k->x = 0;""",
    "inner loop": f"""
        for (i = 0; i < 2; i++) {{
            if (i == 0) {{ {RACE} }}
            for (j = 0; j < 2; j++) {{
                v = i + j == 0 ? k->x : i + j;
                k->x = v;
            }}
        }}
        k->x = 0;""",
    "loop behind a write": f"""
        {RACE}
        k->x = k->x;
        do {{ k->x = v; v += 2; }} while (v < 6);""",
    "by goto": f"""
        {RACE}
        v = k->x; i = 0;
    again:
        k->x = v;
        v = ++i;
        if (i < 3) goto again;
        k->x = 0;""",
    "by a walk": f"""
        {RACE}
        v = k->x;
        kvm_for_each_vcpu(i, vcpu, kvm) {{ k->x = v; v = 2 * i; }}
        k->x = v; k->x = 0;""",
    "never": f"""
        for (i = 0; i < 3; i++) {{
            if (i == 0) {{ {RACE} v = k->x; }} else {{ v = i == 1 ? 3 : 0; }}
            k->x = v;
        }}""",
}


def _machine(flush: str) -> Machine:
    return machine_from(CODE.replace("FLUSH", flush), SPEC)


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("engine", ["bounded", "auto"])
@pytest.mark.parametrize("name", CASES)
def test_a_failure_in_a_later_round_is_seen(name: str, engine: str) -> None:
    """A claim is proved that fails in a later round of a loop within a step.

    Guards Lemma L8 of docs/soundness.md.
    """
    made = _machine(CASES[name])
    sizes = (Sizes(n, 1, 1) for n in (1, 2))
    program = made.with_claims(("never_two",))
    fails = any(enumerate_claim(program, s, "never_two").found for s in sizes)
    assert fails == (name != "never")
    (result,) = decide_claims(
        made, Question(("never_two",), Bounds((1, 2), 1, 1, 1), engine=engine)
    )
    assert (result.verdict is Verdict.REFUTED) == fails

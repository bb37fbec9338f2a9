"""Masks of CPUs: `cpumask_set_cpu()` and its kin, and `for_each_cpu`."""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.outcome import NoCounterexample
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct lists {{ cpumask_t one; }};
struct kvm_vmx {{ struct kvm kvm; struct cpumask a, b; bool on; struct lists l; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; bool inside; struct cpumask own; }};
static struct cpumask everywhere;
void enter(struct kvm_vcpu *vcpu, int k)
{{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *v = to_vmx(vcpu);
	int me = vcpu->vcpu_id;

	{cpu}
}}
int look(struct kvm *kvm)
{{
	struct kvm_vmx *x = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i, n = 0;

	{thread}
	return n;
}}
"""
SPEC = """\
spec masks {{
	variant "v.c";
	operations {{ cpu enter(vcpu, k); thread look(kvm); }}
	bounds {{ vcpus 1..2; loads 2; flushes 2; flushers 1; }}
	claim c {{ {} }}
}}
"""
NONE = "on return look(r) { assert(r == 0); }"
LEFT = "any vcpu w; on return look(r) { assert(!to_vmx(w)->inside); }"
KEPT = """any vcpu w; bool began; on enter look() { began = to_vmx(w)->inside; }
	on return look(r) { assert(!began || !to_vmx(w)->inside); }"""
SET = "cpumask_set_cpu(me, &x->a);"
EACH = "for_each_cpu(i, &x->a) "
GONE = "to_vmx(kvm_get_vcpu(kvm, i))->inside = false;"
PROGRAMS = [
    (SET, "n = cpumask_test_cpu(0, &x->b);", NONE, True),
    (SET, "n = cpumask_test_cpu(0, &x->a);", NONE, False),
    (SET, "n = cpumask_test_cpu(0, &everywhere);", NONE, True),
    (SET, "n = cpumask_test_cpu(0, &x->l.one);", NONE, True),
    ("cpumask_set_cpu(me, &x->l.one);", "n = cpumask_test_cpu(0, &x->l.one);", NONE, False),
    ("cpumask_set_cpu(me, &everywhere);", "n = cpumask_test_cpu(0, &everywhere);", NONE, False),
    (SET + "cpumask_clear_cpu(me, &x->a);", "n = !cpumask_empty(&x->a);", NONE, False),
    ("cpumask_clear_cpu(me, &x->a);", "n = !cpumask_empty(&x->a);", NONE, True),
    ("", "cpumask_set_cpu(0, &x->a); n = cpumask_empty(&x->a);", NONE, True),
    ("", "cpumask_set_cpu(0, &x->a); cpumask_clear(&x->a); " + EACH + "n = 1;", NONE, True),
    (SET, "cpumask_clear(&x->a); " + EACH + "n = 1;", NONE, False),
    ("if (me == 1) " + SET, "n = cpumask_test_cpu(0, &x->a);", NONE, True),
    ("if (me == 1) " + SET, EACH + "n = i != 1;", NONE, True),
    ("if (me == 1) " + SET, EACH + "n = i == 1;", NONE, False),
    (SET + "v->inside = true;", EACH + GONE, KEPT, False),
    (SET + "v->inside = true;", "smp_mb(); " + EACH + GONE + " n = 1;", LEFT, False),
    ("atomic { " + SET + "v->inside = true; }", EACH + GONE, LEFT, False),
    ("if (x->on) " + SET, "if (n) " + EACH + "n = 2; else x->on = false;", NONE, True),
    (
        "if (x->on) " + SET,
        "if (n) " + EACH + "n = 2; else x->on = true;" + EACH + "n = 1;",
        NONE,
        0,
    ),
    (SET, EACH + "{ if (i == 0) continue; n = 1; break; }", NONE, False),
    (SET, EACH + "{ if (i < 2) continue; n = 1; break; }", NONE, True),
    ("", "n = cpumask_test_and_set_cpu(0, &x->a); cpumask_clear_cpu(0, &x->a);", NONE, True),
    (SET, "n = cpumask_test_and_set_cpu(0, &x->a);", NONE, False),
    (SET, "cpumask_set_cpu(0, &x->a); n = !cpumask_test_and_clear_cpu(0, &x->a);", NONE, True),
    (
        SET + "if (!cpumask_test_cpu(me, &x->a)) v->inside = true;",
        "kvm_for_each_vcpu(i, vcpu, kvm) cpumask_clear_cpu(i, &x->b);",
        LEFT,
        True,
    ),
    (
        SET + "if (!cpumask_test_cpu(me, &x->a)) v->inside = true;",
        "kvm_for_each_vcpu(i, vcpu, kvm) cpumask_clear_cpu(i, &x->a);",
        LEFT,
        False,
    ),
]


def _machine(cpu: str, thread: str, claim: str = NONE) -> Machine:
    return machine_from(CODE.format(cpu=cpu, thread=thread), SPEC.format(claim))


def _verdict(machine: Machine) -> Verdict:
    question = Question(claims=("c",), bounds=machine.setup.bounds, engine="auto")
    (found,) = decide_claims(machine, question)
    return found.verdict


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=str)
def test_a_mask_has_a_flag_for_each_vcpu(number: int) -> None:
    """The flag of another vCPU or mask would be meant; the enumerator has a say of its own."""
    cpu, thread, claim, holds = PROGRAMS[number]
    machine = _machine(cpu, thread, claim)
    wanted = {Verdict.PROVED, Verdict.BOUNDED} if holds else {Verdict.REFUTED}
    assert _verdict(machine) in wanted
    found = ExplicitEngine(machine.with_claims(("c",)), Sizes(2, 2, 1, 1)).claim("c", 2)
    assert isinstance(found, NoCounterexample) is bool(holds)


@pytest.mark.parametrize("thread", ["cpumask_set_cpu(4, &x->a);", "cpumask_set_cpu(-1, &x->a);"])
def test_a_cpu_that_is_not_there(thread: str) -> None:
    """A bit of no vCPU would be dropped in silence."""
    assert _verdict(_machine("", thread)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("cpu", "thread", "text"),
    [
        ("cpumask_set_cpu(0, &v->own);", "", "a mask of CPUs in a vCPU"),
        ("", "struct cpumask mine; cpumask_set_cpu(0, &mine);", "a mask of CPUs on the stack"),
        ("", "x->a.bits[0] = 1;", "a mask of CPUs"),
        ("", "x->a = x->b;", "a mask of CPUs"),
        ("", "struct cpumask mine = x->b;", "a mask of CPUs"),
        ("", "x->a = (cpumask_t){ };", "compound literals"),
        ("", "memset(&x->a, 0, sizeof(x->a));", ""),
        ("", "struct lists z; x->l = z;", "a mask of CPUs"),
        ("", "cpumask_set_cpu(0, &x->on);", ""),
        ("", "__cpumask_set_cpu(0, &x->a);", "__cpumask_set_cpu"),
    ],
)
def test_masks_elsewhere_are_refused(cpu: str, thread: str, text: str) -> None:
    """A store to a mask as a whole, or to one that has no flags, would be dropped."""
    with pytest.raises(InputError) as told:
        _machine(cpu, thread)
    assert text in str(told.value)

"""Sums, conversions and undefined behaviour in claims' handlers, helpers and first values.

A proof for every number of vCPUs takes sums for sums of integers, so each has to be shown to fit
its type, wherever it stands. The claims here hold for few vCPUs and fail for more.
"""

from __future__ import annotations

import pytest

from flushproof.engines.unbounded.state_space import TrackedInstances, make_state_space
from flushproof.frontend.setup import Bounds
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.code import Binary, Cast, Const, Mode, Var, Write
from flushproof.ir.program import BOOT_VCPU
from flushproof.ir.types import INT, VCPU
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.record import replace
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; spinlock_t l; int x; struct kvm_vcpu *last; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 hv_tlb_pgd; int n; };
static bool is_byte(int x) { return (u8)x == x; }
static bool grows(u64 start, u64 pages) { return start + pages >= start; }
static u64 unused(struct kvm_vcpu *v) { return is_byte(1) + grows(1, 2); }
int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vcpu *vcpu;
	int i, ret = 0;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (range && i >= 2)
			ret |= hyperv_flush_guest_mapping_range(to_vmx(vcpu)->hv_tlb_pgd,
								kvm_fill_hv_flush_list_func, range);
	}
	return ret;
}
void load(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);

	spin_lock(&k->l);
	if (vcpu->vcpu_id >= 2)
		k->x = 256;
	to_vmx(vcpu)->hv_tlb_pgd = root;
	spin_unlock(&k->l);
}
"""

SPEC = """\
spec values {{
	variant "code.c";
	operations {{ flush flush(kvm, range); load load(vcpu, root); }}
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	assume load_flushes;
	claim it "it holds" {{
		{claim}
		headline "it fails";
		because "it";
	}}
}}
"""

X = "to_kvm_vmx(kvm)->x"


def _machine(claim: str) -> Machine:
    return machine_from(CODE, SPEC.format(claim=claim))


def _answer(machine: Machine, engine: str, vcpus: int = 2) -> ClaimResult:
    bounds = Bounds((1, vcpus), 1, 1, 1)
    (result,) = decide_claims(machine, Question(("it",), bounds, engine=engine))
    return result


@pytest.mark.sample("step() { assert((u8)")
@pytest.mark.parametrize(
    "claim",
    [
        "on return flush() { assert(is_byte({x})); }",
        "on return flush() { assert((u8){x} == {x}); }",
        "bool fine = true; on return load(v, r) { fine = (u8){x} == {x}; assert(fine); }",
        "on return flush() { assert({x} + 0x7fffff00 >= {x}); }",
        "any call c; on hypercall(r, ok, all, s, n) in c { assert(grows(s, n)); }",
        "on end() { assert((u8){x} == {x}); }",
        "on step() { assert((u8){x} == {x}); }",
        "on end() { int i; for (i = 0; i < 3; i++) { assert(i != 2 || (u8){x} == {x}); } }",
        "on end() { int i; for (i = 0; i < 3; i++) { } assert({x} != 256); }",
        "on step() { int i; for (i = 0; i < 2; i++) { } assert({x} != 256); }",
    ],
)
def test_what_leaves_its_type_is_no_proof(claim: str) -> None:
    """A sum or conversion that no proof looks at makes a false claim one that is proved.

    Guards Lemma L4 of docs/soundness.md.
    """
    machine = _machine(claim.replace("{x}", X))
    assert _answer(machine, "bounded").verdict is Verdict.BOUNDED
    assert _answer(machine, "unbounded").verdict is Verdict.UNKNOWN
    found = _answer(machine, "bounded", 3)
    assert (found.verdict, found.smallest_vcpus) == (Verdict.REFUTED, 3)


@pytest.mark.sample("1 << {x}")
@pytest.mark.parametrize(
    "claim",
    [
        "on return flush() { assert({x} + 0x7ffffe00 >= {x}); }",
        "on end() { int i; for (i = 0; i < 3; i++) { } assert({x} <= 256); }",
        "int n; on step() { n = {x} / 256; assert(n < 2); }",
        "int n; on return flush() { n = 1 << {x} / 256; assert(n != 0); }",
    ],
)
def test_what_stays_in_its_type_is_proved(claim: str) -> None:
    """Where every sum were refused, what is above would show nothing."""
    found = _answer(_machine(claim.replace("{x}", X)), "auto")
    assert found.verdict.holds


UNDEFINED = (
    "int d; on return flush() { if ({x}) { d = 10 / ({x} - 256); assert(!{x}); } }",
    "int d; on return flush() { if ({x}) { d = 1 << ({x} >> 3); assert(!{x}); } }",
    "int d; on return flush() { if ({x}) { d = 1 % ({x} - 256); } }",
    "int d; on return flush() { if ({x}) { d = (-0x7fffffff - 1) / ({x} - 257); } }",
    "int d; on end() { if ({x}) { d = 10 / ({x} - 256); } }",
    "bool b; on step() { if ({x}) b = to_kvm_vmx(kvm)->last->vcpu_id == 1; }",
    "bool seen[]; on return flush() { struct kvm_vcpu *v = kvm_get_vcpu(kvm, 3); seen[v] = true; }",
)


@pytest.mark.sample(every=13)
@pytest.mark.parametrize(
    ("claim", "engine"),
    [(c, e) for n, c in enumerate(UNDEFINED) for e in ("auto", ("enumerate", "unbounded")[n % 2])],
)
def test_undefined_in_a_handler(claim: str, engine: str) -> None:
    """What a handler does after something undefined must not count as what holds.

    Guards Lemma L6 of docs/soundness.md.
    """
    found = _answer(_machine(claim.replace("{x}", X)), engine, 3)
    assert found.verdict is Verdict.UNKNOWN
    told = "undefined behaviour in the claim: "
    assert engine == "unbounded" or found.reason.startswith(told), found.reason


def test_a_first_value_that_leaves_its_type() -> None:
    """What a field holds at boot is a sum like any other, of a vCPU whose number is not known.

    Guards Lemma L4 of docs/soundness.md.
    """
    machine = _machine("on return load(v, r) { assert(to_vmx(v)->n >= 0); }")
    program = machine.with_claims(("it",))
    n = next(f for f in program.fields if f.member == "n")
    large = Binary("+", Cast(Var(BOOT_VCPU), INT), Const(INT.high - 1, INT), INT)
    n_changes = Write(n, Cast(Const(0, INT), VCPU), Const(0, INT), Mode.ONCE, None)
    end = program.operations[-1]
    operations = (
        *program.operations[:-1],
        replace(end, code=(end.code[0], n_changes, *end.code[1:])),
    )
    program = replace(program, boot=(*program.boot, (n, large)), operations=operations)
    found = make_state_space(program, infer_kinds(program), TrackedInstances(generic=True))
    assert len(found.unfit) == 1

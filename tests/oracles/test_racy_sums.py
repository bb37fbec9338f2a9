"""Random sums of values that others change meanwhile: what is proved has no counterexample.

What a sum comes to decides whether a field is read that nobody writes, which a claim alone can
tell. So steps are as large as they get, and sums at the ends of their types wrap around.
`FLUSHPROOF_SUMS` gives the number of variants (11), and `FLUSHPROOF_FIRST_SEED` where to start.

Guards Lemma L3, Lemma L4 of docs/soundness.md.
"""

from __future__ import annotations

import os
import random

import pytest

from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from
from support.tiers import lumps

VARIANTS = int(os.environ.get("FLUSHPROOF_SUMS", "11"))
FIRST = int(os.environ.get("FLUSHPROOF_FIRST_SEED", "230"))
AT_ONCE = 9

CODE = """\
struct kvm_vmx { struct kvm kvm; spinlock_t l; TYPE x; int y; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 hv_tlb_pgd; };
int flush(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	TYPE t = 0;

	FLUSH
	return 0;
}
void load(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	TYPE t = 0;

	LOAD
}
"""

SPEC = """\
spec sums {{
	variant "code.c";
	operations {{ flush flush(kvm, range); load load(vcpu, root); }}
	bounds {{ vcpus 1..2; loads 1; flushes 1; flushers 1; }}
	assume load_flushes;
	exempt x;
	claim it "it holds" {{
		int n;
		on access(p, w) {{ if (!w) {{ n = n < 3 ? n + 1 : n; }} }}
		on {event} {{ assert(n < {most}); }}
		headline "it fails";
		because "it";
	}}
}}
"""

ENDS = {
    "int": ("0x7fffffff", "(-0x7fffffff - 1)"),
    "unsigned int": ("0xffffffffu", "0x80000000u"),
    "signed char": ("127", "(-128)"),
    "u8": ("255", "128"),
    "long": ("0x7fffffffffffffffl", "(-0x7fffffffffffffffl - 1)"),
}
EVENTS = ("access(p)", "return load(v, r)", "end()")


class _Writer:
    """Writes the code of one variant."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.type = self.rng.choice(sorted(ENDS))
        high, low = ENDS[self.type]
        self.values = (high, low, "0", "1", "2", "5", "t", "t")

    def value(self, depth: int) -> str:
        if depth == 0:
            return self.rng.choice(self.values)
        a, b = self.value(depth - 1), self.value(depth - 1)
        forms = (f"({a} + {b})", f"({a} - {b})", f"(u8)({a})", f"(-{a})", f"({a} < {b} ? {a} : 1)")
        return self.rng.choice((*forms[:2], *forms))

    def condition(self) -> str:
        op = self.rng.choice(("<", "<=", "==", "!=", ">"))
        return f"{self.value(2)} {op} {self.value(1)}"

    def statement(self) -> str:
        store = f"WRITE_ONCE(k->x, {self.value(self.rng.randrange(2))});"
        seen = f"if ({self.condition()}) READ_ONCE(k->y);"
        read = "t = READ_ONCE(k->x);"
        forms = (
            store,
            f"{read} {seen}",
            f"t = {self.value(1)}; {seen}",
            f"spin_lock(&k->l); {store} WRITE_ONCE(k->x, 0); spin_unlock(&k->l);",
            f"spin_lock(&k->l); {read} if ({self.condition()}) {store} spin_unlock(&k->l);",
        )
        return self.rng.choice(forms)

    def body(self) -> str:
        return " ".join(self.statement() for _ in range(self.rng.randint(1, 3)))


def _machine(seed: int) -> Machine:
    writer = _Writer(seed)
    code = CODE.replace("TYPE", writer.type)
    code = code.replace("FLUSH", writer.body()).replace("LOAD", writer.body())
    spec = SPEC.format(event=writer.rng.choice(EVENTS), most=writer.rng.randint(1, 3))
    return machine_from(code, spec)


def _answer(machine: Machine, engine: str, bounds: Bounds) -> ClaimResult:
    (result,) = decide_claims(machine, Question(("it",), bounds, engine=engine))
    return result


@pytest.mark.parametrize("seeds", lumps(FIRST, VARIANTS, AT_ONCE, quick=2), ids=str)
def test_racy_sums(seeds: range) -> None:
    """A proof takes sums for sums of integers where the kernel's wrap around.

    Guards Lemma L3, Lemma L4 of docs/soundness.md.
    """
    few, many = Bounds((1, 2), 1, 1, 1), (Bounds((1, 4), 1, 1, 1), Bounds((1, 1), 2, 2, 1))
    for seed in seeds:
        machine = _machine(seed)
        bounded, listed = (_answer(machine, e, few) for e in ("bounded", "enumerate"))
        assert bounded.smallest_vcpus == listed.smallest_vcpus, seed
        if _answer(machine, "unbounded", few).verdict is Verdict.PROVED:
            assert all(_answer(machine, "bounded", b).verdict is Verdict.BOUNDED for b in many), (
                seed
            )


@pytest.mark.slow
def test_both_verdicts_are_met() -> None:
    """Were all variants proved, or none, agreement on them would mean nothing."""
    bounds = Bounds((1, 2), 1, 1, 1)
    found = {_answer(_machine(s), "unbounded", bounds).verdict for s in range(10)}
    assert found == {Verdict.PROVED, Verdict.UNKNOWN}

"""Conditions computed with operators on bits: the engines say what the enumerator finds.

What is tested is made of conditions and numbers alone, or of roots, so that nothing but the
operators themselves says how it is to be represented.
"""

from __future__ import annotations

import random

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int n, m; u64 root; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	u64 first = to_vmx(kvm_get_vcpu(kvm, 0))->root, last;
	int x, y;

	spin_lock(&vmx->lock);
	x = vmx->n;
	y = vmx->m;
	last = vmx->root;
	if (CONDITION)
		hyperv_flush_guest_mapping(0);
	spin_unlock(&vmx->lock);
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

	spin_lock(&vmx->lock);
	vmx->n = 1;
	vmx->m = 2;
	to_vmx(vcpu)->root = root;
	vmx->root = root;
	spin_unlock(&vmx->lock);
}
"""
CONDITIONS = (
    "(x == 1) | (y == 3)",
    "(x == 3) | (y == 3)",
    "(x == 1) & (y == 2)",
    "(x == 1) & (y == 0)",
    "(x == 0) & (y == 0)",
    "(x == 1) ^ (y == 2)",
    "(x == 1) ^ (y == 3)",
    "((x == 1) ^ (y == 2)) == 1",
    "((x == 1) | (y == 2)) == 0",
    "((x == 1) | 2) == 2",
    "((x == 1) + (y == 2)) == 2",
    "((x == 1) + (y == 2)) & 1",
    "((x == 1) - (y == 2)) | (x == 5)",
    "(x == 1) * (y == 2)",
    "((x == 1) << (y == 2)) == 2",
    "((x == 1) << 1 | (y == 2)) == 1",
    "((x == 1) << 1 | (y == 2)) == 3",
    "~(x == y)",
    "~(x == y) == -2",
    "-(x == 1) & 4",
    "(x == 1) % 2 && (y == 2) / 1",
    "(__online_vcpus(kvm) & 1) == 0",
    "__online_vcpus(kvm) / 2",
    "(__online_vcpus(kvm) | (x == 1)) == 3",
    "__online_vcpus(kvm) ^ 1",
    "!(x ^ y)",
    "!(x ^ 1) && (y ^ 2)",
    "x - 1 == 0 && y - 2 != 0",
    "!(x - y - 1 + 2)",
    "!(x | y)",
    "(x | y) && !(x == 1 | y == 2)",
    "!(first ^ last) && x",
    "first - last && x",
    "(first == last) & (x == 1)",
    "((first == last) | (first == 0)) == 0 && x",
)


OPERATORS = ("+", "-", "&", "|", "^", "==", "!=", "<", ">=", "&&", "||")
LEAVES = ("x", "y", "0", "1", "2", "3", "__online_vcpus(kvm)")


def _random(chance: random.Random, depth: int) -> str:
    """Return an expression whose value is defined whatever its parts are."""
    if depth == 0:
        return chance.choice(LEAVES)
    one, other = (_random(chance, depth - 1) for _ in range(2))
    match chance.randrange(6):
        case 0:
            return f"({chance.choice('~-!')}{one})"
        case 1:
            return f"(({chance.choice(('u8', 's8', 'u64', 'bool', 's16'))}){one})"
        case 2:
            return f"({one} {chance.choice(('<<', '>>', '*'))} {chance.randrange(1, 4)})"
        case 3:
            return f"({one} ? {other} : {chance.choice(LEAVES)})"
        case _:
            return f"({one} {chance.choice(OPERATORS)} {other})"


RANDOM = tuple(_random(random.Random(seed), 3) for seed in range(15))


@pytest.mark.sample(every=48)
@pytest.mark.parametrize("condition", [*CONDITIONS, *RANDOM])
def test_engines_and_enumerator_agree(condition: str) -> None:
    """An operator taken for another one makes proofs of what is false."""
    machine = machine_from(CODE.replace("CONDITION", condition))
    program = machine.with_claims(("no_bogus",))
    found = (n for n in (1, 2) if enumerate_claim(program, Sizes(n, 1, 1, 1), "no_bogus").found)
    smallest = next(found, None)
    result = next(decide_claims(machine, Question(("no_bogus",), Bounds((1, 2), 1, 1, 1))))
    assert (result.smallest_vcpus, result.reason) == (smallest, "")
    every = Question(("no_bogus",), Bounds((1, 2), 1, 1, 1), engine="unbounded")
    whole = next(decide_claims(machine, every))
    assert whole.verdict is not Verdict.PROVED or smallest is None

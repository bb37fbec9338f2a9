"""Locks and atomic accesses of every sort: the engine says what the enumerator finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from flushproof.decide import Question, decide
from flushproof.engines.enumerate import Sizes, enumerate_claim
from flushproof.machine.build import Machine, build
from flushproof.machine.setup import Bounds
from flushproof.spec.resolve import from_variant

HEAD = """\
struct kvm_vmx {
	struct kvm kvm;
	int n, m;
	spinlock_t lock;
};
struct vcpu_vmx { struct kvm_vcpu vcpu; int a, b; };
"""
FLUSH = """
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	int ret = 0, x, y, z;

"""
LOAD = """
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);

"""
BOGUS = "ret = hyperv_flush_guest_mapping(0);"


@dataclass(frozen=True, slots=True)
class Case:
    """The bodies of a flush and a load, and the claims with their smallest counterexamples.

    A bogus hypercall marks what should not be reached.
    """

    flush: str
    load: str
    expected: dict[str, int | None]


CASES = {
    "a lock that others free protects nothing": Case(
        f"spin_lock(&vmx->lock); x = vmx->n; if (x != vmx->n) {BOGUS} spin_unlock(&vmx->lock);",
        "spin_unlock(&vmx->lock); spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
        {"no_bogus": 1, "lock_balanced": 1},
    ),
    "a step that frees a lock before another takes it": Case(
        "if (!kvm_get_vcpu(kvm, 1)) return 0;"
        "z = to_vmx(kvm_get_vcpu(kvm, 1))->b + to_vmx(kvm_get_vcpu(kvm, 0))->b;"
        "x = to_vmx(kvm_get_vcpu(kvm, 1))->a; y = to_vmx(kvm_get_vcpu(kvm, 0))->a;"
        f"if (x == 1 && y == 1 && z == 2) {BOGUS}",
        "to_vmx(vcpu)->b = 1; spin_lock(&vmx->lock);"
        "to_vmx(vcpu)->a = 1; to_vmx(vcpu)->a = 2; spin_unlock(&vmx->lock);",
        {"no_bogus": 2, "lock_balanced": None},
    ),
    "what comes before a wait without end": Case(
        f"if (vmx->n == 2 && vmx->m == 1) {BOGUS}",
        "if (vcpu->vcpu_id) vmx->n = 2; spin_lock(&vmx->lock); vmx->m = 1 + vcpu->vcpu_id;",
        {"no_bogus": 2, "lock_balanced": 1},
    ),
}


def _machine(folder: Path, case: Case) -> Machine:
    path = folder / "variant.c"
    path.write_text(f"{HEAD}{FLUSH}\t{case.flush}\n{LOAD}\t{case.load}\n}}\n")
    return build(from_variant(str(path), None))


def _enumerated(machine: Machine, claim: str) -> int | None:
    program = machine.with_claims((claim,))
    return next(
        (n for n in (1, 2) if enumerate_claim(program, Sizes(n, 1, 1, 1), claim).found), None
    )


@pytest.mark.parametrize(
    ("name", "claim"), [(name, claim) for name, case in CASES.items() for claim in case.expected]
)
def test_engine_and_enumerator_agree(name: str, claim: str, tmp_path: Path) -> None:
    """A lock that is trusted too much makes steps too large, and their insides are never seen."""
    machine = _machine(tmp_path, CASES[name])
    result = next(decide(machine, Question((claim,), Bounds((1, 2), 1, 1, 1))))
    assert result.smallest_vcpus == CASES[name].expected[claim], result.reason
    assert _enumerated(machine, claim) == CASES[name].expected[claim]

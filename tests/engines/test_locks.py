"""Locks and atomic accesses of every sort: the engine says what the enumerator finds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

HEAD = """\
struct kvm_vmx {
	struct kvm kvm;
	int n, m;
	spinlock_t lock;
	rwlock_t rw;
	atomic_t count, done;
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
    "readers do not exclude each other": Case(
        f"read_lock(&vmx->rw); x = vmx->n; if (x != vmx->n) {BOGUS} read_unlock(&vmx->rw);",
        "read_lock(&vmx->rw); vmx->n++; read_unlock(&vmx->rw);",
        {"no_bogus": 1, "no_race": 1, "lock_balanced": None},
    ),
    "a writer excludes readers": Case(
        f"read_lock(&vmx->rw); x = vmx->n; if (x != vmx->n) {BOGUS} read_unlock(&vmx->rw);",
        "write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);",
        {"no_bogus": None, "no_race": None, "lock_balanced": None},
    ),
    "a reader excludes writers": Case(
        "write_lock(&vmx->rw); vmx->n++; vmx->n++; write_unlock(&vmx->rw);"
        f"if (READ_ONCE(vmx->m)) {BOGUS}",
        "read_lock(&vmx->rw); if (vmx->n == 1) WRITE_ONCE(vmx->m, 1); read_unlock(&vmx->rw);",
        {"no_bogus": None, "no_race": None, "lock_balanced": None},
    ),
    "a reader that unlocks as a writer": Case(
        "write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);",
        "read_lock(&vmx->rw); write_unlock(&vmx->rw);",
        {"no_bogus": None, "lock_balanced": 1},
    ),
    "a writer that unlocks as a reader": Case(
        f"read_lock(&vmx->rw); if (vmx->n) {BOGUS} read_unlock(&vmx->rw);",
        "write_lock(&vmx->rw); vmx->n = 1; read_unlock(&vmx->rw); vmx->n = 0;",
        {"no_bogus": None, "lock_balanced": 1},
    ),
    "a stranger unlocks as a writer": Case(
        f"write_lock(&vmx->rw); x = vmx->n; if (x != vmx->n) {BOGUS} write_unlock(&vmx->rw);",
        "write_unlock(&vmx->rw); write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);",
        {"no_bogus": 1, "lock_balanced": 1},
    ),
    "a stranger unlocks as a reader": Case(
        f"read_lock(&vmx->rw); x = vmx->n; if (x != vmx->n) {BOGUS} read_unlock(&vmx->rw);",
        "read_unlock(&vmx->rw); write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);",
        {"no_bogus": None, "lock_balanced": 1},
    ),
    "a reader twice is one until the second unlock": Case(
        f"write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);if (READ_ONCE(vmx->m)) {BOGUS}",
        "int x; read_lock(&vmx->rw); read_lock(&vmx->rw); read_unlock(&vmx->rw);"
        "x = vmx->n; if (x != vmx->n) WRITE_ONCE(vmx->m, 1); read_unlock(&vmx->rw);",
        {"no_bogus": None, "no_race": None, "lock_balanced": 1},
    ),
    "a reader no more after the unlock": Case(
        f"write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);if (READ_ONCE(vmx->m)) {BOGUS}",
        "int x; read_lock(&vmx->rw); read_unlock(&vmx->rw);"
        "x = vmx->n; if (x != vmx->n) WRITE_ONCE(vmx->m, 1);",
        {"no_bogus": 1, "no_race": 1, "lock_balanced": None},
    ),
    "returns as a reader": Case(
        f"write_lock(&vmx->rw); {BOGUS} write_unlock(&vmx->rw);",
        "read_lock(&vmx->rw);",
        {"no_bogus": 1, "lock_balanced": 1},
    ),
    "an attempt at a lock": Case(
        "if (!spin_trylock(&vmx->lock)) return 1;"
        f"x = vmx->n; if (x != vmx->n) {BOGUS} spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
        {"no_bogus": None, "no_race": None, "failure_true": 1, "lock_balanced": None},
    ),
    "an attempt that is not looked at": Case(
        f"spin_trylock(&vmx->lock);x = vmx->n; if (x != vmx->n) {BOGUS} spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
        {"no_bogus": 1, "no_race": 1, "lock_balanced": 1},
    ),
    "an attempt sees a section from outside": Case(
        f"if (spin_trylock(&vmx->lock)) spin_unlock(&vmx->lock); else {BOGUS}",
        "spin_lock(&vmx->lock); to_vmx(vcpu)->a = 1; spin_unlock(&vmx->lock);",
        {"no_bogus": 1, "lock_balanced": None},
    ),
    "an attempt to read succeeds beside readers": Case(
        f"if (read_trylock(&vmx->rw)) read_unlock(&vmx->rw); else {BOGUS}",
        "read_lock(&vmx->rw); to_vmx(vcpu)->a = 1; read_unlock(&vmx->rw);",
        {"no_bogus": None, "lock_balanced": None},
    ),
    "an attempt to write fails beside readers": Case(
        f"if (write_trylock(&vmx->rw)) write_unlock(&vmx->rw); else {BOGUS}",
        "read_lock(&vmx->rw); to_vmx(vcpu)->a = 1; read_unlock(&vmx->rw);",
        {"no_bogus": 1, "lock_balanced": None},
    ),
    "a comparing exchange has one winner": Case(
        f"if (READ_ONCE(vmx->m) > 1) {BOGUS}",
        "if (cmpxchg(&vmx->n, 0, 1) == 0) WRITE_ONCE(vmx->m, READ_ONCE(vmx->m) + 1);",
        {"no_bogus": None, "no_race": None},
    ),
    "a comparison and a store have two winners": Case(
        f"if (READ_ONCE(vmx->m) > 1) {BOGUS}",
        "if (READ_ONCE(vmx->n) == 0) { WRITE_ONCE(vmx->n, 1);"
        "WRITE_ONCE(vmx->m, READ_ONCE(vmx->m) + 1); }",
        {"no_bogus": 2, "no_race": None},
    ),
    "a comparing exchange beside a plain read": Case(
        f"if (vmx->n > 1) {BOGUS}",
        "int old = 0; try_cmpxchg(&vmx->n, &old, 1);",
        {"no_bogus": None, "no_race": 1},
    ),
    "a comparing exchange that finds another value only reads": Case(
        f"if (vmx->n > 1) {BOGUS}",
        "cmpxchg(&vmx->n, 5, 1);",
        {"no_bogus": None, "no_race": None},
    ),
    "an exchange writes, also what was there": Case(
        f"if (vmx->n > 1) {BOGUS}",
        "xchg(&vmx->n, 0);",
        {"no_bogus": None, "no_race": 1},
    ),
    "an atomic count": Case(
        f"if (atomic_read(&vmx->done) == 2 && atomic_read(&vmx->count) != 2) {BOGUS}",
        "atomic_inc(&vmx->count); atomic_inc(&vmx->done);",
        {"no_bogus": None, "no_race": None},
    ),
    "an atomic count in two accesses": Case(
        f"if (atomic_read(&vmx->done) == 2 && atomic_read(&vmx->count) != 2) {BOGUS}",
        "atomic_set(&vmx->count, atomic_read(&vmx->count) + 1); atomic_inc(&vmx->done);",
        {"no_bogus": 2, "no_race": None},
    ),
    "the last one out": Case(
        f"if (READ_ONCE(vmx->m)) {BOGUS} atomic_inc(&vmx->count);",
        "if (atomic_dec_and_test(&vmx->count)) WRITE_ONCE(vmx->m, vcpu->vcpu_id + 1);",
        {"no_bogus": None, "no_race": None},
    ),
}


def _machine(case: Case) -> Machine:
    return machine_from(f"{HEAD}{FLUSH}\t{case.flush}\n{LOAD}\t{case.load}\n}}\n")


def _enumerated(machine: Machine, claim: str) -> int | None:
    program = machine.with_claims((claim,))
    return next(
        (n for n in (1, 2) if enumerate_claim(program, Sizes(n, 1, 1, 1), claim).found), None
    )


@pytest.mark.sample(every=16)
@pytest.mark.parametrize(
    ("name", "claim"), [(name, claim) for name, case in CASES.items() for claim in case.expected]
)
def test_engine_and_enumerator_agree(name: str, claim: str) -> None:
    """A lock that is trusted too much makes steps too large, and their insides are never seen.

    Guards Lemma L7 of docs/soundness.md.
    """
    machine = _machine(CASES[name])
    result = next(decide_claims(machine, Question((claim,), Bounds((1, 2), 1, 1, 1))))
    assert result.smallest_vcpus == CASES[name].expected[claim], result.reason
    assert _enumerated(machine, claim) == CASES[name].expected[claim]

"""Locking as it should not be: the engine says what the enumerator finds, claim by claim.

Locks that others free, that stay held, that are taken on some paths only, attempts whose outcome is
looked at the wrong way round, flags as locks, sequence counts, sections that cross.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.counterexamples import keep_first
from support.machines import machine_from

CLAIMS = ("no_bogus", "lock_balanced", "no_race", "no_deadlock")
BOUNDS = (Bounds((1, 2), 1, 1, 1), Bounds((1, 1), 2, 2, 1))
CODE = """\
struct kvm_vmx {
	struct kvm kvm;
	int n, m, flag, seq;
	spinlock_t lock, lock2;
	rwlock_t rw;
};
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; spinlock_t own; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct vcpu_vmx *first = to_vmx(kvm_get_vcpu(kvm, 0));
	struct kvm_vcpu *vcpu;
	int x = 0, y, z, i;

	FLUSH
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *mine = to_vmx(vcpu);
	int x, f;

	LOAD
}
"""
BOGUS = "hyperv_flush_guest_mapping(0);"
"""A flush marks what should not be reached by a bogus hypercall."""


@dataclass(frozen=True, slots=True)
class Case:
    """The bodies of a flush and a load."""

    flush: str
    load: str


CASES = {
    "handoff": Case(
        "spin_lock(&vmx->lock); vmx->flag = 1; x = vmx->n; if (x != vmx->n) BOGUS",
        "if (vmx->flag) { spin_unlock(&vmx->lock); } spin_lock(&vmx->lock); vmx->n++; "
        "spin_unlock(&vmx->lock);",
    ),
    "vlock": Case(
        "spin_lock(&first->own); x = first->a; if (x != first->a) BOGUS spin_unlock(&first->own);",
        "spin_lock(&mine->own); mine->a = 1; mine->a = 2; spin_unlock(&mine->own);",
    ),
    "vlock other": Case(
        "spin_lock(&first->own); x = vmx->n; if (x != vmx->n) BOGUS spin_unlock(&first->own);",
        "spin_lock(&mine->own); vmx->n++; spin_unlock(&mine->own);",
    ),
    "cond lock": Case(
        "spin_lock(&vmx->lock); x = vmx->n; if (x != vmx->n) BOGUS spin_unlock(&vmx->lock);",
        "f = vmx->flag; if (f) spin_lock(&vmx->lock); vmx->n++; if (f) spin_unlock(&vmx->lock); "
        "vmx->flag = 1;",
    ),
    "flaglock": Case(
        "if (cmpxchg(&vmx->flag, 0, 1)) return 0; x = vmx->n; if (x != vmx->n) BOGUS "
        "WRITE_ONCE(vmx->flag, 0);",
        "if (cmpxchg(&vmx->flag, 0, 1) == 0) { vmx->n++; WRITE_ONCE(vmx->flag, 0); }",
    ),
    "flaglock broken": Case(
        "if (READ_ONCE(vmx->flag)) return 0; WRITE_ONCE(vmx->flag, 1); x = vmx->n; if (x != "
        "vmx->n) BOGUS WRITE_ONCE(vmx->flag, 0);",
        "if (cmpxchg(&vmx->flag, 0, 1) == 0) { vmx->n++; WRITE_ONCE(vmx->flag, 0); }",
    ),
    "seqcount": Case(
        "x = READ_ONCE(vmx->seq); y = vmx->n; z = vmx->m; if (x == READ_ONCE(vmx->seq) && !(x & "
        "1) && y != z) BOGUS",
        "spin_lock(&vmx->lock); WRITE_ONCE(vmx->seq, vmx->seq + 1); vmx->n++; vmx->m++; "
        "WRITE_ONCE(vmx->seq, vmx->seq + 1); spin_unlock(&vmx->lock);",
    ),
    "seqcount odd": Case(
        "x = READ_ONCE(vmx->seq); y = vmx->n; z = vmx->m; if (x == READ_ONCE(vmx->seq) && y != "
        "z) BOGUS",
        "spin_lock(&vmx->lock); WRITE_ONCE(vmx->seq, vmx->seq + 1); vmx->n++; vmx->m++; "
        "WRITE_ONCE(vmx->seq, vmx->seq + 1); spin_unlock(&vmx->lock);",
    ),
    "nested": Case(
        "spin_lock(&vmx->lock); spin_lock(&vmx->lock2); x = vmx->n; spin_unlock(&vmx->lock2); "
        "if (x != vmx->n) BOGUS spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock2); vmx->n++; spin_unlock(&vmx->lock2);",
    ),
    "nested crossing": Case(
        "spin_lock(&vmx->lock); x = vmx->n; spin_lock(&vmx->lock2); spin_unlock(&vmx->lock); if "
        "(x != vmx->n) BOGUS spin_unlock(&vmx->lock2);",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
    ),
    "crossing2": Case(
        "spin_lock(&vmx->lock); x = vmx->n; spin_lock(&vmx->lock2); spin_unlock(&vmx->lock); y "
        "= vmx->m; if (x != y) BOGUS spin_unlock(&vmx->lock2);",
        "spin_lock(&vmx->lock); vmx->n++; spin_lock(&vmx->lock2); spin_unlock(&vmx->lock); "
        "vmx->m++; spin_unlock(&vmx->lock2);",
    ),
    "relock": Case(
        "spin_lock(&vmx->lock); x = vmx->n; spin_unlock(&vmx->lock); spin_lock(&vmx->lock); if "
        "(x != vmx->n) BOGUS spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
    ),
    "leak then": Case(
        "spin_lock(&vmx->lock); x = vmx->n; if (x) BOGUS spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n = 1; if (vcpu->vcpu_id) return; spin_unlock(&vmx->lock);",
    ),
    "leak trylock": Case(
        "if (!spin_trylock(&vmx->lock)) { if (vmx->n == 1) BOGUS return 0; } "
        "spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n = 1; vmx->n = 2;",
    ),
    "leak release later": Case(
        "spin_lock(&vmx->lock); if (vmx->n == 1) BOGUS spin_unlock(&vmx->lock);",
        "if (vmx->m == 0) { vmx->m = 1; spin_lock(&vmx->lock); vmx->n = 1; return; } vmx->n = "
        "0; vmx->m = 0; spin_unlock(&vmx->lock);",
    ),
    "trylock inverted": Case(
        "y = spin_trylock(&vmx->lock); x = vmx->n; if (y && x != vmx->n) BOGUS if (y) "
        "spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
    ),
    "trylock wrong branch": Case(
        "if (spin_trylock(&vmx->lock)) return 0; x = vmx->n; if (x != vmx->n) BOGUS "
        "spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
    ),
    "trylock as observer": Case(
        "vmx->flag = 1; if (!spin_trylock(&vmx->lock)) { if (vmx->n == 0) BOGUS } else "
        "spin_unlock(&vmx->lock);",
        "if (vmx->flag) return; spin_lock(&vmx->lock); vmx->n = 1; spin_unlock(&vmx->lock);",
    ),
    "unlock in the middle": Case(
        "spin_lock(&vmx->lock); x = vmx->n; spin_unlock(&vmx->lock); y = vmx->m; "
        "spin_lock(&vmx->lock); if (y != vmx->m && x == vmx->n) BOGUS spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; vmx->m++; spin_unlock(&vmx->lock);",
    ),
    "observer of order": Case(
        "x = vmx->n; y = vmx->m; if (x < y) BOGUS",
        "vmx->n = 1; vmx->m = 1;",
    ),
    "observer of order 2": Case(
        "y = vmx->m; x = vmx->n; if (x < y) BOGUS",
        "vmx->n = 1; vmx->m = 1;",
    ),
    "writer reader": Case(
        "read_lock(&vmx->rw); x = vmx->n; read_unlock(&vmx->rw); read_lock(&vmx->rw); if (x != "
        "vmx->n) BOGUS read_unlock(&vmx->rw);",
        "write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);",
    ),
    "reader writes flag": Case(
        "write_lock(&vmx->rw); if (vmx->n == 2 && vmx->m == 1) BOGUS write_unlock(&vmx->rw);",
        "read_lock(&vmx->rw); x = vmx->n; vmx->m = 1; vmx->n = x + 1; read_unlock(&vmx->rw);",
    ),
    "upgrade": Case(
        "read_lock(&vmx->rw); x = vmx->n; read_unlock(&vmx->rw); write_lock(&vmx->rw); if (x != "
        "vmx->n) BOGUS write_unlock(&vmx->rw);",
        "write_lock(&vmx->rw); vmx->n++; write_unlock(&vmx->rw);",
    ),
    "read try beside": Case(
        "if (read_trylock(&vmx->rw)) { x = vmx->n; if (x != vmx->n) BOGUS read_unlock(&vmx->rw); }",
        "if (write_trylock(&vmx->rw)) { vmx->n++; write_unlock(&vmx->rw); }",
    ),
    "double free": Case(
        "spin_lock(&vmx->lock); x = vmx->n; if (x != vmx->n) BOGUS spin_unlock(&vmx->lock); "
        "spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; vmx->n++; spin_unlock(&vmx->lock);",
    ),
    "lock in loop": Case(
        "kvm_for_each_vcpu(i, vcpu, kvm) { spin_lock(&vmx->lock); x += vmx->n; "
        "spin_unlock(&vmx->lock); } if (x == 1) BOGUS",
        "spin_lock(&vmx->lock); vmx->n++; spin_unlock(&vmx->lock);",
    ),
    "lock every vcpu": Case(
        "kvm_for_each_vcpu(i, vcpu, kvm) { spin_lock(&to_vmx(vcpu)->own); x += to_vmx(vcpu)->a; "
        "spin_unlock(&to_vmx(vcpu)->own); } if (x == 3) BOGUS",
        "spin_lock(&mine->own); mine->a = 1; mine->a = 2; spin_unlock(&mine->own);",
    ),
    "goto": Case(
        "spin_lock(&vmx->lock); if (vmx->flag) goto out; x = vmx->n; spin_unlock(&vmx->lock); "
        "if (x != vmx->n) BOGUS return 0; out: x = vmx->m; if (x != vmx->m) BOGUS "
        "spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock); vmx->n++; vmx->m++; vmx->flag = 1; spin_unlock(&vmx->lock);",
    ),
    "peterson like": Case(
        "WRITE_ONCE(vmx->flag, 1); WRITE_ONCE(vmx->seq, 1); if (READ_ONCE(vmx->m) && "
        "READ_ONCE(vmx->seq) == 1) { WRITE_ONCE(vmx->flag, 0); return 0; } x = "
        "READ_ONCE(vmx->n); if (x != READ_ONCE(vmx->n)) BOGUS WRITE_ONCE(vmx->flag, 0);",
        "WRITE_ONCE(vmx->m, 1); WRITE_ONCE(vmx->seq, 0); if (READ_ONCE(vmx->flag) && "
        "READ_ONCE(vmx->seq) == 0) { WRITE_ONCE(vmx->m, 0); return; } WRITE_ONCE(vmx->n, "
        "READ_ONCE(vmx->n) + 1); WRITE_ONCE(vmx->m, 0);",
    ),
    "xchg lock": Case(
        "if (xchg(&vmx->flag, 1)) return 0; x = vmx->n; if (x != vmx->n) BOGUS xchg(&vmx->flag, "
        "0);",
        "if (!xchg(&vmx->flag, 1)) { vmx->n++; xchg(&vmx->flag, 0); }",
    ),
    "xchg lock stolen": Case(
        "if (xchg(&vmx->flag, 1)) return 0; x = vmx->n; if (x != vmx->n) BOGUS xchg(&vmx->flag, "
        "0);",
        "if (!xchg(&vmx->flag, 1)) { vmx->n++; } xchg(&vmx->flag, 0);",
    ),
    "self": Case(
        "spin_lock(&vmx->lock); if (vmx->m) BOGUS spin_unlock(&vmx->lock);",
        "vmx->m = 1; spin_lock(&vmx->lock); vmx->m = 0; spin_lock(&vmx->lock);",
    ),
    "abba": Case(
        "spin_lock(&vmx->lock); vmx->n = 1; spin_lock(&vmx->lock2); if (vmx->m == 1) BOGUS "
        "vmx->n = 0; spin_unlock(&vmx->lock2); spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock2); vmx->m = 1; spin_lock(&vmx->lock); if (vmx->n) vmx->m = 5; "
        "vmx->m = 0; spin_unlock(&vmx->lock); spin_unlock(&vmx->lock2);",
    ),
    "abba seen": Case(
        "if (vmx->n == 1 && vmx->m == 1) BOGUS spin_lock(&vmx->lock); vmx->n = 1; "
        "spin_lock(&vmx->lock2); vmx->n = 0; spin_unlock(&vmx->lock2); spin_unlock(&vmx->lock);",
        "spin_lock(&vmx->lock2); vmx->m = 1; spin_lock(&vmx->lock); vmx->m = 0; "
        "spin_unlock(&vmx->lock); spin_unlock(&vmx->lock2);",
    ),
    "vcpu index by id": Case(
        "x = first->a; if (x == 1 && vmx->n == 0) BOGUS",
        "mine->a = 1 + vcpu->vcpu_id; vmx->n = 1;",
    ),
    "loads race": Case(
        "if (vmx->n == 1 && vmx->m == 2) BOGUS",
        "x = vmx->n; vmx->n = x + 1; vmx->m++;",
    ),
    "loads cross": Case(
        "if (vmx->n == vmx->m + 5) BOGUS",
        "spin_lock(&vmx->lock); if (vmx->flag == 0) vmx->flag = vcpu->vcpu_id + 1; if "
        "(vmx->flag == 2) vmx->n = vmx->m + 5; spin_unlock(&vmx->lock);",
    ),
}


def _machine(case: Case) -> Machine:
    text = CODE.replace("FLUSH", case.flush.replace("BOGUS", BOGUS)).replace("LOAD", case.load)
    return machine_from(text)


def _enumerated(machine: Machine, claim: str, bounds: Bounds) -> int | None:
    program = machine.with_claims((claim,))
    for n in range(1, bounds.vcpus[1] + 1):
        sizes = Sizes(n, bounds.loads, bounds.flushes, bounds.flushers)
        if enumerate_claim(program, sizes, claim).found:
            return n
    return None


@pytest.mark.sample("xchg lock-")
@pytest.mark.parametrize(
    ("name", "claim"),
    [(n, c) for at, n in enumerate(CASES) for c in (CLAIMS[0], CLAIMS[1 + at % 3])],
)
def test_engine_and_enumerator_agree(
    name: str, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that is too large hides what only shows in its middle, and passes for a proof.

    Guards Lemma L8, Lemma L9 of docs/soundness.md.
    """
    keep_first(monkeypatch)
    machine = _machine(CASES[name])
    for bounds in BOUNDS:
        result = next(decide_claims(machine, Question((claim,), bounds)))
        assert not result.reason
        assert result.smallest_vcpus == _enumerated(machine, claim, bounds)


@pytest.mark.parametrize("where", ["flush", "load"])
@pytest.mark.parametrize("call", ["spin_lock_init(&vmx->lock);", "spin_lock_init(&vmx->lock2);"])
def test_a_lock_is_not_initialised_while_others_may_hold_it(where: str, call: str) -> None:
    """A lock that its holder has lost passes for one that keeps others out.

    Guards Lemma L7 of docs/soundness.md.
    """
    locked = "spin_lock(&vmx->lock); vmx->n = 1; spin_unlock(&vmx->lock);"
    pieces = {"flush": locked, "load": locked}
    pieces[where] = call + " " + locked
    with pytest.raises(InputError, match="initialised"):
        _machine(Case(pieces["flush"], pieces["load"]))

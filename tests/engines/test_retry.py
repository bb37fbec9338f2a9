"""Locks that are tried for until they are had: what is decided is what holds of the loop as it is.

The enumerator goes through the states of the loop itself, which `recognise_waits` has not turned.
"""

from __future__ import annotations

from functools import cache

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_text
from flushproof.ir.code import Acquire, TryAcquire
from flushproof.machine.build import Machine, build_machine
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.support.source import Source
from flushproof.verify.portfolio import Question, decide_claims

BOUNDS = Bounds((1, 2), 1, 1, 1)
CODE = """\
struct kvm_vmx {
	struct kvm kvm;
	int n, m, flag;
	spinlock_t lock, lock2;
	rwlock_t rw;
};
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; spinlock_t own; };

static bool try_it(spinlock_t *lock)
{
	if (!spin_trylock(lock)) {
		cpu_relax();
		return false;
	}
	return true;
}

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	struct vcpu_vmx *first = to_vmx(kvm_get_vcpu(kvm, 0));
	unsigned long flags;
	int x = 0, got = 0, tries = 0;

	FLUSH
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	struct vcpu_vmx *mine = to_vmx(vcpu);
	unsigned long flags;
	int x, got = 0, tries = 0;

	LOAD
}
"""
WAITS = {
    "while": "while (!spin_trylock(L)) cpu_relax();",
    "goto": "retry: if (!spin_trylock(L)) goto retry;",
    "do": "do { } while (!spin_trylock(L));",
    "for": "for (;;) { if (spin_trylock(L)) break; barrier(); }",
    "outcome kept": "do { got = spin_trylock(L); } while (got == 0);",
    "compared": "while (spin_trylock(L) != 1) ;",
    "counted": "while (!spin_trylock(L)) if (tries++ > 9) cpu_relax();",
    "flags": "for (;;) { flags = 0; if (spin_trylock(L)) break; } (void)flags;",
    "in a function": "while (!try_it(L)) ;",
    "fenced": "while (!spin_trylock(L)) smp_mb();",
}
"""Loops that only wait; L is the lock."""

LOOPS = {
    "effect on shared state": "while (!spin_trylock(&vmx->lock)) vmx->m = 1;",
    "looks at shared state": "while (!spin_trylock(&vmx->lock)) if (vmx->m) break;",
    "reads shared state": "while (!spin_trylock(&vmx->lock)) x = READ_ONCE(vmx->m);",
    "gives up": "while (!spin_trylock(&vmx->lock)) if (tries++ > 2) break;",
    "is counted": "while (!spin_trylock(&vmx->lock)) tries = 1; vmx->m = tries;",
    "counts before": "do { x = got; got = 1; } while (!spin_trylock(&vmx->lock)); vmx->m = x;",
    "lets go of another": "spin_lock(&vmx->lock2); while (!spin_trylock(&vmx->lock)) "
    "{ spin_unlock(&vmx->lock2); cpu_relax(); spin_lock(&vmx->lock2); } spin_unlock(&vmx->lock2);",
    "one or the other": "while (!spin_trylock(&vmx->lock)) if (spin_trylock(&vmx->lock2)) break;",
    "waits within": "while (!spin_trylock(&vmx->lock)) while (flags) cpu_relax();",
    "once": "if (!spin_trylock(&vmx->lock)) cpu_relax();",
    "calls": "while (!spin_trylock(&vmx->lock)) hyperv_flush_guest_mapping(vmx->m);",
    "the wrong way round": "while (spin_trylock(&vmx->lock)) cpu_relax();",
}
"""Loops that do something, or end without the lock."""

SHOWN = "x = vmx->n; if (x != vmx->n) hyperv_flush_guest_mapping(0);"
"""What should not be seen while the lock is held."""


def _text(flush: str, load: str) -> str:
    return CODE.replace("FLUSH", flush).replace("LOAD", load)


def _machine(text: str, memory: MemoryModel = MemoryModel.SC) -> Machine:
    return build_machine(replace(from_text(Source("variant.c", text), None), memory=memory))


def _decided(machine: Machine, claim: str) -> int | None:
    result = next(decide_claims(machine, Question((claim,), BOUNDS)))
    assert not result.reason
    return result.smallest_vcpus


def _enumerated(machine: Machine, claim: str) -> int | None:
    program = machine.with_claims((claim,))
    sizes = (Sizes(n, BOUNDS.loads, BOUNDS.flushes, BOUNDS.flushers) for n in (1, 2))
    return next((s.vcpus for s in sizes if enumerate_claim(program, s, claim).found), None)


def _unturned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flushproof.machine.operations.recognise_waits", lambda code: code)


def _taken(machine: Machine) -> set[type]:
    code = (i for o in machine.base.operations for i in o.code)
    return {type(i) for i in code if isinstance(i, (Acquire, TryAcquire))}


def _sections(take: str, lock: str) -> str:
    """Return a variant whose two sections are under one lock, taken in a given way."""
    here = take.replace("L", f"&{lock}")
    flush = f"{here} {SHOWN} spin_unlock(&{lock});"
    other = here.replace("first", "mine")
    free = f"spin_unlock(&{lock});".replace("first", "mine")
    return _text(flush, f"{other} vmx->n = 1; vmx->n = 2; {free}")


@cache
def _plainly_decided(lock: str, claim: str) -> int | None:
    return _decided(_machine(_sections("spin_lock(L);", lock)), claim)


@pytest.mark.sample("while-vmx")
@pytest.mark.parametrize(
    ("name", "lock"),
    [*((name, "vmx->lock") for name in WAITS), ("while", "first->own"), ("flags", "first->own")],
)
def test_waiting_loop_is_a_wait(name: str, lock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a vCPU does not keep another's load out: an answer that is always no is wrong.

    Guards Lemma L11 of docs/soundness.md.
    """
    machine = _machine(_sections(WAITS[name], lock))
    assert _taken(machine) == {Acquire}
    for claim in ("no_bogus", "no_race", "no_deadlock", "lock_balanced"):
        assert _decided(machine, claim) == _plainly_decided(lock, claim)
    _unturned(monkeypatch)
    loop = _machine(_sections(WAITS[name], lock))
    assert TryAcquire in _taken(loop)
    for claim in ("no_bogus", "no_race", "no_uninit"):
        assert _decided(machine, claim) == _enumerated(loop, claim)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("take", "shared"),
    [
        ("do {} while (!write_trylock(&vmx->rw));", False),
        ("while (!read_trylock(&vmx->rw)) cpu_relax();", True),
    ],
)
def test_readers_that_try_wait_as_readers(
    take: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop for a reader's lock that became a writer's would keep out who is let in."""
    end = "read_unlock(&vmx->rw);" if shared else "write_unlock(&vmx->rw);"
    text = _text(
        f"{take} {SHOWN} {end}",
        "if (vmx->flag) read_lock(&vmx->rw); else write_lock(&vmx->rw);"
        "vmx->n++; if (vmx->flag) read_unlock(&vmx->rw); else write_unlock(&vmx->rw); "
        "if (vcpu->vcpu_id) vmx->flag = 1;",
    )
    machine = _machine(text)
    _unturned(monkeypatch)
    loop = _machine(text)
    assert TryAcquire in _taken(loop)
    assert TryAcquire not in _taken(machine)
    for claim in ("no_bogus", "no_race"):
        assert _enumerated(machine, claim) == _enumerated(loop, claim)


@pytest.mark.parametrize("name", list(LOOPS))
def test_loop_that_does_something_stays(name: str) -> None:
    """What a loop does between two attempts would be lost with it.

    Guards Lemma L11 of docs/soundness.md.
    """
    machine = _machine(_text(LOOPS[name], "vmx->n = 1;"))
    assert TryAcquire in _taken(machine)


CROSSED = _text(
    "spin_lock(&vmx->lock); while (!spin_trylock(&vmx->lock2)) ; vmx->n = 1; "
    "spin_unlock(&vmx->lock2); spin_unlock(&vmx->lock);",
    "spin_lock(&vmx->lock2); while (!spin_trylock(&vmx->lock)) ; vmx->n = 2; "
    "spin_unlock(&vmx->lock); spin_unlock(&vmx->lock2);",
)


def test_two_that_try_for_ever_are_a_deadlock() -> None:
    """Threads that go round for ever, each for the other's lock, get no further than waiting."""
    machine = _machine(CROSSED)
    assert _decided(machine, "no_deadlock") == 1
    assert _enumerated(machine, "no_deadlock") == 1


def test_trying_for_ones_own_lock_is_taking_it_twice() -> None:
    """A loop for a lock that its own thread holds never ends."""
    flush = "spin_lock(&vmx->lock); while (!spin_trylock(&vmx->lock)) ; spin_unlock(&vmx->lock);"
    machine = _machine(_text(flush, "vmx->n = 1;"))
    assert _decided(machine, "lock_balanced") == 1


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("fence", ["", "smp_mb();"])
@pytest.mark.parametrize("take", ["spin_lock(&vmx->lock);", WAITS["while"], WAITS["fenced"]])
def test_stores_are_seen_before_a_wait_ends(
    take: str, fence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt empties the store buffer; were the wait to do less, it would let more happen."""
    here = take.replace("L", "&vmx->lock")
    text = _text(
        f"vmx->n = 1; {here} if (vmx->m == 0) vmx->flag = 1; spin_unlock(&vmx->lock);",
        f"vmx->m = 1; {fence} if (vmx->n == 0 && vmx->flag == 1) hyperv_flush_guest_mapping(0);",
    )
    machine = _machine(text, MemoryModel.TSO)
    _unturned(monkeypatch)
    loop = _machine(text, MemoryModel.TSO)
    expected = None if fence else 1
    assert _enumerated(loop, "no_bogus") == expected
    assert _enumerated(machine, "no_bogus") == expected
    assert _decided(machine, "no_bogus") == expected

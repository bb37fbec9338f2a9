"""Loops that wait for a value: what is decided is what holds of the loop as it is.

The enumerator goes through the states of the loop itself, which nothing has turned into a wait.
"""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_text
from flushproof.ir.analysis.def_use import may_wait
from flushproof.ir.analysis.weak_topological_order import loop_heads
from flushproof.ir.code import Exchange, Read
from flushproof.machine.build import Machine, build_machine
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.support.source import Source
from flushproof.verify.portfolio import Question, decide_claims

BOUNDS = Bounds((1, 1), 1, 1, 1)
CODE = """\
struct kvm_vmx {
	struct kvm kvm;
	int l, w, n, m;
	bool bl;
	atomic_t c;
	spinlock_t lock;
};
struct vcpu_vmx { struct kvm_vcpu vcpu; int own; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *x = to_kvm_vmx(kvm);
	int old = 0, tries = 0;

	FLUSH
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);
	int old = 0, tries = 0;

	LOAD
}
"""
FREE = "WRITE_ONCE(x->l, 0);"
FREE_BIT = "WRITE_ONCE(x->w, x->w & ~1);"
READ_AGAIN = (
    "old = READ_ONCE(x->w); do { while (old & 1) { cpu_relax(); old = READ_ONCE(x->w); } } "
    "while (!try_cmpxchg(&x->w, &old, old | 1));"
)
LOCKS = {
    "xchg": ("while (xchg(&x->l, 1)) cpu_relax();", FREE),
    "xchg compared": ("do { } while (xchg(&x->l, 1) != 0);", FREE),
    "xchg of a bool": ("while (xchg(&x->bl, true)) ;", "WRITE_ONCE(x->bl, false);"),
    "atomic_xchg": ("while (atomic_xchg(&x->c, 1)) cpu_relax();", "atomic_set(&x->c, 0);"),
    "cmpxchg": ("do { } while (cmpxchg(&x->l, 0, 1) != 0);", FREE),
    "try_cmpxchg": ("do { old = 0; } while (!try_cmpxchg(&x->l, &old, 1));", FREE),
    "a look first": (
        "for (;;) { while (READ_ONCE(x->l)) cpu_relax(); if (!xchg(&x->l, 1)) break; }",
        FREE,
    ),
    "a look after": ("while (xchg(&x->l, 1)) while (READ_ONCE(x->l)) cpu_relax();", FREE),
    "a bit": (
        "do { old = READ_ONCE(x->w); } while ((old & 1) || cmpxchg(&x->w, old, old | 1) != old);",
        FREE_BIT,
    ),
    "a bit, read again": (READ_AGAIN, FREE_BIT),
}
"""Locks written out: how they are taken, and freed."""

WAITS = {
    "flag": "while (READ_ONCE(x->m)) cpu_relax();",
    "until": "while (!READ_ONCE(x->m)) ;",
    "counter": "while (atomic_read(&x->c) != 0) barrier();",
    "acquire": "smp_cond_load_acquire(&x->m, VAL == 0 || VAL > 2);",
    "relaxed": "old = smp_cond_load_relaxed(&x->m, !VAL); x->n = old;",
    "masked": "while ((READ_ONCE(x->w) & 6) == 2) cpu_relax();",
    "another value": "old = READ_ONCE(x->m); while (READ_ONCE(x->m) == old) cpu_relax();",
    "a value as it was": "old = READ_ONCE(x->w); while (cmpxchg(&x->w, old, old + 1) != old) ;",
    "goto": "again: if (READ_ONCE(x->m) == 3) goto again;",
    "of a vCPU": "while (READ_ONCE(to_vmx(kvm_get_vcpu(kvm, 0))->own)) cpu_relax();",
}

LOOPS = {
    "effect on shared state": "while (READ_ONCE(x->m)) x->n = 1;",
    "counts": "while (READ_ONCE(x->m)) tries++; x->n = tries;",
    "gives up": "while (READ_ONCE(x->m)) if (tries++ > 2) break;",
    "two values": "while (READ_ONCE(x->m) || READ_ONCE(x->n)) ;",
    "calls": "while (READ_ONCE(x->m)) hyperv_flush_guest_mapping(0);",
    "locks": "while (READ_ONCE(x->m)) { spin_lock(&x->lock); spin_unlock(&x->lock); }",
    "a third value": "while (xchg(&x->l, 1)) ; WRITE_ONCE(x->l, 2); WRITE_ONCE(x->l, 0);",
    "any value": "while (xchg(&x->l, x->n)) ;",
    "keeps what it found": "do { old = READ_ONCE(x->m); tries += old; } while (old); x->n = tries;",
    "compares with another value": "while (cmpxchg(&x->l, 2, 1)) ; WRITE_ONCE(x->l, 2);",
    "always": "while (READ_ONCE(x->m) || 1) ;",
    "another way in": "old = x->n; goto in; do { old = READ_ONCE(x->m); in: ; } while (old == 1);",
}
"""Loops that do more than wait, or may wait in vain although the value is there."""

SHOWN = "x->n = 1; if (x->n != 1) hyperv_flush_guest_mapping(0);"
"""What goes wrong where others come in between."""


def _machine(flush: str, load: str) -> Machine:
    text = CODE.replace("FLUSH", flush).replace("LOAD", load)
    return build_machine(from_text(Source("variant.c", text), None))


def _sections(name: str) -> Machine:
    take, free = LOCKS[name]
    return _machine(f"{take} {SHOWN} {free}", f"{take} x->n = 2; x->n = 3; {free}")


def _as_loops(machine: Machine) -> Machine:
    return replace(machine, base=machine.loops)


def _is_loop_free(machine: Machine) -> bool:
    return not any(loop_heads(o.code) for o in machine.base.operations)


def _waits(machine: Machine) -> list[bool]:
    return [any(map(may_wait, o.code)) for o in machine.base.operations]


def _decided(machine: Machine, claim: str) -> int | None:
    result = next(decide_claims(machine, Question((claim,), BOUNDS, engine="bounded")))
    assert not result.reason
    return result.smallest_vcpus


def _enumerated(machine: Machine, claim: str) -> int | None:
    found = enumerate_claim(machine.with_claims((claim,)), Sizes(1, 1, 1, 1), claim).found
    return None if found is None else 1


@pytest.mark.parametrize("name", list(LOCKS))
def test_a_lock_written_out_is_a_wait(name: str) -> None:
    """A loop that stays is followed only so far, so that nothing is known of what comes after.

    Guards Lemma L11 of docs/soundness.md.
    """
    machine = _sections(name)
    assert _is_loop_free(machine)
    assert all(_waits(machine))


def test_a_local_that_is_set_later() -> None:
    """What follows the lock would be taken for a part of the round in which it is not got.

    A local that is set before the wait and again behind it would keep the loop a loop.
    """
    before, behind = "while (xchg(&x->l, 1)) cpu_relax();", "smp_store_release(&x->l, 0);"
    body = f"int ret = 0; {before} if (x->n) ret = 1; x->n = ret; {behind}"
    machine = _machine(body, "x->n = 1;")
    assert _is_loop_free(machine)
    assert any(_waits(machine))


@pytest.mark.parametrize("name", list(WAITS))
def test_a_wait_for_a_value(name: str) -> None:
    """A loop that stays is nothing that `no_deadlock` sees."""
    machine = _machine(WAITS[name], "x->n = 1;")
    assert _is_loop_free(machine)
    assert _waits(machine)[0]


@pytest.mark.parametrize("name", list(LOOPS))
def test_a_loop_that_does_more_stays(name: str) -> None:
    """What a loop does between two looks would be lost with it.

    Guards Lemma L11 of docs/soundness.md.
    """
    machine = _machine(LOOPS[name], "x->n = 1;")
    assert any(loop_heads(o.code) for o in machine.base.operations)


@pytest.mark.parametrize("free", ["WRITE_ONCE(x->l, 0);", "WRITE_ONCE(x->l, 5);", "x->l--;"])
def test_what_others_put_there_counts(free: str) -> None:
    """An exchange that fails writes what is there only if nobody puts a third value there."""
    machine = _machine("while (xchg(&x->l, 1)) ;", free)
    assert _is_loop_free(machine) == ("0" in free)


@pytest.mark.sample("bogus-cmpxchg")
@pytest.mark.parametrize("name", list(LOCKS))
@pytest.mark.parametrize("claim", ["no_bogus"])
def test_the_loop_has_the_same_verdict(name: str, claim: str) -> None:
    """A wait that lets others in, or keeps them out for good, is another program than its loop.

    Guards Lemma L11 of docs/soundness.md.
    """
    machine = _sections(name)
    expected = _enumerated(_as_loops(machine), claim)
    assert expected is None
    assert _enumerated(machine, claim) == expected
    assert _decided(machine, claim) == expected


def test_a_lock_that_is_none() -> None:
    """To look and then to write is no lock; a wait that did both at once would make it one."""
    take = "while (READ_ONCE(x->l)) ; WRITE_ONCE(x->l, 1);"
    machine = _machine(f"{take} {SHOWN} {FREE}", f"{take} x->n = 2; {FREE}")
    assert _enumerated(_as_loops(machine), "no_bogus") == 1
    assert _enumerated(machine, "no_bogus") == 1
    assert _decided(machine, "no_bogus") == 1


CROSSED = _machine(
    "while (xchg(&x->l, 1)) ; while (xchg(&x->w, 1)) ; x->w = 0; x->l = 0;",
    "while (xchg(&x->w, 1)) ; while (xchg(&x->l, 1)) ; x->l = 0; x->w = 0;",
)


def test_two_that_wait_for_each_other_are_a_deadlock() -> None:
    """A reader has to see where each waits, and for what."""
    result = next(decide_claims(CROSSED, Question(("no_deadlock",), BOUNDS, engine="bounded")))
    assert result.trace is not None
    assert result.trace.because == (
        "vCPU0 waits for `l`, which is 1; flusher0 waits for `w`, which is 1"
    )
    assert {s.text for s in result.trace.steps if s.event == "wait"} == {
        "24: waits for l while it is 1",
        "15: waits for w while it is 1",
    }
    assert _enumerated(CROSSED, "no_deadlock") == 1


@pytest.mark.parametrize(
    "flush",
    [
        "for (old = 0; old < 2; old++) __wait(!READ_ONCE(x->m));",
        "for (old = 0; old < 2; old++) { x->n = old; __wait(!READ_ONCE(x->m)); }",
        "__wait(!READ_ONCE(x->m)); old = 8; old = old / x->l;",
    ],
)
def test_a_wait_within_a_loop_is_one(flush: str) -> None:
    """To come round to it once more is no failure, nor does it matter what may fail behind it.

    Guards Lemma L11 of docs/soundness.md.
    """
    locked = f"spin_lock(&x->lock); {flush} spin_unlock(&x->lock);"
    machine = _machine(
        locked, "WRITE_ONCE(x->m, 1); spin_lock(&x->lock); x->m = 0; spin_unlock(&x->lock);"
    )
    assert any(_waits(machine))
    assert _decided(machine, "no_deadlock") == 1
    assert _enumerated(machine, "no_deadlock") == 1


@pytest.mark.parametrize(
    ("flush", "load", "expected"),
    [
        ("while (!READ_ONCE(x->m)) ;", "x->n = 1;", 1),
        ("while (READ_ONCE(x->m)) ;", "WRITE_ONCE(x->m, 1); WRITE_ONCE(x->m, 0);", None),
        (
            "spin_lock(&x->lock); while (READ_ONCE(x->m)) ; spin_unlock(&x->lock);",
            "WRITE_ONCE(x->m, 1); spin_lock(&x->lock); x->m = 0; spin_unlock(&x->lock);",
            1,
        ),
    ],
)
def test_waits_that_may_be_in_vain(flush: str, load: str, expected: int | None) -> None:
    """Who waits for what nobody sets, or while it holds the lock of who would, waits for ever."""
    machine = _machine(flush, load)
    assert _decided(machine, "no_deadlock") == expected
    assert _enumerated(machine, "no_deadlock") == expected


def test_a_wait_begins_a_step() -> None:
    """What comes before a wait in vain is seen: as one step with it, it would never happen."""
    load = "if (READ_ONCE(x->m)) hyperv_flush_guest_mapping(0); WRITE_ONCE(x->w, 0);"
    machine = _machine("WRITE_ONCE(x->m, 1); while (!READ_ONCE(x->w)) ;", load)
    assert _enumerated(_as_loops(machine), "no_bogus") == 1
    assert _decided(machine, "no_bogus") == 1


def test_claims_on_accesses_see_the_loop() -> None:
    """Accesses that fail are accesses: two threads race for a field although none ever succeeds."""
    machine = _machine("while (!x->m) ;", "WRITE_ONCE(x->m, 0);")
    assert _waits(machine)[0]
    assert _decided(machine, "no_race") == 1
    assert not any(
        i.until
        for o in machine.with_claims(("no_race",)).operations
        for i in o.code
        if isinstance(i, (Read, Exchange))
    )


def test_a_step_that_takes_notes_sees_the_loop() -> None:
    """A claim that counts steps would miss those that fail."""
    from flushproof.machine.value_waits import sees_failures

    claim = CROSSED.setup.claim("cache_sound")
    assert claim is not None
    assert not sees_failures(claim, CROSSED.cache)
    race = CROSSED.setup.claim("no_race")
    assert race is not None
    assert sees_failures(race, None)


def test_store_buffers_leave_loops_alone() -> None:
    """What drains between two looks is not what drains before one."""
    text = CODE.replace("FLUSH", WAITS["flag"]).replace("LOAD", "x->m = 1;")
    setup = replace(from_text(Source("variant.c", text), None), memory=MemoryModel.TSO)
    assert not any(_waits(build_machine(setup)))

"""A step that does not end hides nothing: what others see meanwhile is seen, or nothing is proved.

The enumerator goes from one visible instruction to the next, so it takes no step to end.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from flushproof.engines.bounded.query import BoundedQuery
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.symbolic.execute import PATIENCE
from flushproof.features.nfc.decide import Wanted, compare
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_from

CODE = """\
struct kvm_vmx { struct kvm kvm; int x, y, z; spinlock_t lock, other; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; };
static void wait_for(struct kvm_vmx *k) { while (!READ_ONCE(k->z)) cpu_relax(); }
static void hang(struct kvm_vmx *k) { for (;;) k->z = k->z; }
int my_flush(struct kvm *kvm)
{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i = 0, n = 0;

	FLUSH
	return n + i;
}
void my_load(struct kvm_vcpu *vcpu, unsigned long root)
{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	int i = 0, n = 0;

	LOAD
	k->z = n + i;
}
"""
SPEC = """\
spec own {
	variant "own.c";
	operations { flush my_flush(kvm); load my_load(vcpu, root); }
	claim unseen "y stays 0" {
		on step() { assert(to_kvm_vmx(kvm)->y == 0); }
		headline "y is not 0";
	}
}
"""
SEES = "if (k->x) k->y = 1;"
LOCKED = "spin_lock(&k->lock);"


@dataclass(frozen=True, slots=True)
class Case:
    """The bodies of a flush and a load, and whether the claim fails."""

    flush: str
    load: str = SEES
    fails: bool = True


CASES = {
    "for ever": Case("k->x = 1; while (true) WRITE_ONCE(k->z, 1);"),
    "for ever, nothing done": Case("k->x = 1; for (;;) { }"),
    "goto": Case("k->x = 1; again: n++; goto again;"),
    "helper": Case("k->x = 1; hang(k); k->x = 0;"),
    "waits": Case("k->x = 1; wait_for(k); k->x = 0;"),
    "waits in vain": Case("k->x = 1; do { n = READ_ONCE(k->y); } while (!n);"),
    "do": Case("k->x = 1; do { n = k->x; } while (n); k->x = 0;"),
    "cmpxchg": Case("k->x = 1; while (cmpxchg(&k->z, 7, 8) != 7) { } k->x = 0;"),
    "trylock": Case("spin_lock(&k->lock); k->x = 1; while (!spin_trylock(&k->lock)) k->z = 1;"),
    "walk again and again": Case(
        "k->x = 1; again: kvm_for_each_vcpu(i, vcpu, kvm) { k->z = i; } goto again;"
    ),
    "in a walk": Case("kvm_for_each_vcpu(i, vcpu, kvm) { k->x = 1; while (!k->z) { } k->x = 0; }"),
    "under a lock": Case(
        f"{LOCKED} k->z = 1; while (true) {{ }}",
        "k->y = READ_ONCE(k->z); spin_lock(&k->lock); k->y = 0; spin_unlock(&k->lock);",
    ),
    "keeps a lock": Case(
        f"{LOCKED}", "k->y = 1; spin_lock(&k->lock); k->y = 0; spin_unlock(&k->lock);"
    ),
    "takes it twice": Case(f"{LOCKED} k->x = 1; {LOCKED} k->x = 0; spin_unlock(&k->lock);"),
    "waits with a lock": Case(
        f"{LOCKED} while (!READ_ONCE(k->x)) {{ }} spin_unlock(&k->lock);",
        "k->y = 1; spin_lock(&k->lock); k->y = 0; spin_unlock(&k->lock);",
    ),
    "the load hangs": Case("if (k->x) k->y = 1;", "k->x = 1; while (true) { k->a = 1; }"),
    "what comes after is not seen": Case("while (true) { k->z = 1; } k->x = 1;", fails=False),
    "ends": Case("k->x = 1; for (i = 0; i < 3; i++) k->z = 1; k->x = 0;"),
    "ends and is not seen": Case(
        f"{LOCKED} k->x = 1; kvm_for_each_vcpu(i, vcpu, kvm) to_vmx(vcpu)->a = 1; k->x = 0;"
        " spin_unlock(&k->lock);",
        f"{LOCKED} {SEES} spin_unlock(&k->lock);",
        fails=False,
    ),
}
SURE = ("ends and is not seen",)
BOUNDS = Bounds((1, 1), 1, 1, 1)


def _machine(case: Case) -> Machine:
    code = CODE.replace("FLUSH", case.flush).replace("LOAD", case.load.replace("k->a", "k->z"))
    return machine_from(code, SPEC, "own")


def _decided(made: Machine, engine: str) -> ClaimResult:
    (result,) = decide_claims(made, Question(("unseen",), BOUNDS, engine=engine))
    return result


@pytest.mark.sample("ends and is not seen")
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_hidden(name: str) -> None:
    """A claim is proved although it fails while a step goes on that does not end.

    Guards Lemma L10 of docs/soundness.md.
    """
    case = CASES[name]
    made = _machine(case)
    outcome = enumerate_claim(made.with_claims(("unseen",)), Sizes(1, 1, 1), "unseen")
    assert (outcome.found is not None) == case.fails or outcome.undefined is not None
    bounded = _decided(made, "bounded")
    assert (bounded.verdict is Verdict.REFUTED) == case.fails
    for_all = _decided(made, "unbounded")
    assert not case.fails or for_all.verdict is Verdict.UNKNOWN
    if name in SURE:
        assert (bounded.verdict, for_all.verdict) == (Verdict.BOUNDED, Verdict.PROVED)


def test_the_loop_is_named() -> None:
    """It is unknown what is behind a loop, and nobody is told which.

    Guards Lemma L16 of docs/soundness.md.
    """
    result = _decided(
        _machine(Case("while (READ_ONCE(k->z) || READ_ONCE(k->x)) { } k->x = 2;", "k->z = 1;")),
        "bounded",
    )
    assert result.verdict is Verdict.UNKNOWN
    assert "the loop at own.c:11 may go on" in result.reason


@pytest.mark.slow
def test_a_loop_without_end_does_not_hinder_a_proof_for_all() -> None:
    """What holds with a busy wait is not proved, as no number of vCPUs is looked at whole."""
    case = Case("k->x = 2; wait_for(k); k->x = 0;", "if (k->x == 1) k->y = 1;")
    result = _decided(_machine(case), "auto")
    assert (result.verdict, result.scope.vcpus) == (Verdict.PROVED, None)


def test_calls_that_wait_in_vain_differ_from_those_that_return() -> None:
    """A call that waits for ever would be taken for one that does as the other."""
    pair = [_machine(Case(x, "k->x = 3;")) for x in ("while (k->x) { }", "while (k->x == 1) { }")]
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, BOUNDS, everyone=False)
    found = compare(pair[0], pair[1], wanted, lambda m: _decided(m, "bounded"))
    assert found.relation is Relation.DIFFERS


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("everyone", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if (k->x) hang(k);", "if (k->x == 3) hang(k);"),
        ("while (k->x) k->y = 1;", "while (k->x == 1) k->y = 1;"),
        ("if (k->x) for (;;) k->z++;", "if (k->x) for (;;) k->z--;"),
    ],
    ids=["helper", "waits", "counts"],
)
def test_no_equality_of_what_does_not_end(old: str, new: str, everyone: bool) -> None:
    """Two variants are equal because no call of either ends."""
    pair = [_machine(Case(x, "k->x = 3;")) for x in (old, new)]
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, BOUNDS, everyone=everyone)
    found = compare(pair[0], pair[1], wanted, lambda m: _decided(m, "bounded"))
    assert found.relation is Relation.UNKNOWN
    assert "own.c:" in found.reason


def test_long_loops_are_cut_where_the_solver_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops within loops are unrolled for hours if each round costs all the effort there is."""
    asked = 0

    def gives_up(_: object, __: object) -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(BoundedQuery, "_feasible", gives_up)
    nested = "for (i = 0; i < (k->y & 31); i++) for (n = 0; n < (k->y & 15); n++) k->z = k->z;"
    result = _decided(_machine(Case("k->y = 0;", f"spin_lock(&k->lock); {nested}")), "bounded")
    assert result.verdict is Verdict.UNKNOWN
    assert "the loop at own.c:" in result.reason
    assert asked < 20 * PATIENCE

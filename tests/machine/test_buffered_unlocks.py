"""What claims make of an unlock that waits in a store buffer."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import build_machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims

VARIANT = """\
struct kvm_vmx {{ struct kvm kvm; int x; int y; spinlock_t l; spinlock_t k; struct mutex m; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; }};
int ready(struct kvm *kvm) {{ return to_kvm_vmx(kvm)->y; }}
int right(struct kvm *kvm)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(kvm);
	{right}
	return 0;
}}
void left(struct kvm_vcpu *vcpu, unsigned long root)
{{
	struct kvm_vmx *vmx = to_kvm_vmx(vcpu->kvm);
	{left}
}}
"""
SPEC = """\
spec s {
	variant "v.c";
	operations { flush right(kvm); load left(vcpu, root); }
	bounds { vcpus 1; loads 1; flushes 1; flushers 1; }
	memory tso;
	cache when (to_kvm_vmx(kvm)->x) is (to_kvm_vmx(kvm)->y);
	claim freed "a thread holds no lock that it has freed" {
		on unlock(l) { assert(holds(l)); }
		on return load() { assert(LOCKS == 0); }
	}
	claim free_on_return "no lock is held once a load has returned" {
		bool began;
		on enter flush() { began = true; }
		on return load() { assert(began || unlocked()); }
	}
	claim never_left "at the end nobody finds a lock held" {
		on end() { assert(unlocked()); }
	}
}
"""

CLAIMS = int(os.environ.get("FLUSHPROOF_CLAIMS", "10"))
"""How many random claims about free locks are compared."""
SECTION = "spin_lock(&vmx->l); vmx->x = vmx->x + 1; spin_unlock(&vmx->l);"
TRY = "if (spin_trylock(&vmx->l)) spin_unlock(&vmx->l);"
MUTEX = "mutex_lock(&vmx->m); vmx->x = vmx->x + 1; mutex_unlock(&vmx->m);"
AB = "spin_lock(&vmx->l); spin_lock(&vmx->k); spin_unlock(&vmx->k); spin_unlock(&vmx->l);"
BA = "spin_lock(&vmx->k); spin_lock(&vmx->l); spin_unlock(&vmx->l); spin_unlock(&vmx->k);"
HOLDS, REFUTED = Verdict.BOUNDED, Verdict.REFUTED

CASES = {
    "a waiter is served": ("no_deadlock", f"vmx->y = 1; {SECTION}", f"{SECTION} {TRY}", HOLDS),
    "a waiter for what is never freed": (
        "no_deadlock",
        f"vmx->y = 1; {SECTION}",
        "vmx->y = 2; spin_lock(&vmx->l);",
        REFUTED,
    ),
    "two orders": ("no_deadlock", AB + TRY, "vmx->y = 1;" + BA, REFUTED),
    "one order": ("no_deadlock", AB + TRY, "vmx->y = 1;" + AB, HOLDS),
    "balanced": ("lock_balanced", TRY, SECTION + SECTION, HOLDS),
    "left held": ("lock_balanced", TRY, "vmx->y = 1; spin_lock(&vmx->l);", REFUTED),
    "freed twice": ("lock_balanced", TRY, SECTION + "spin_unlock(&vmx->l);", REFUTED),
    "apart": ("no_race", SECTION + TRY, SECTION, HOLDS),
    "behind the unlock": ("no_race", SECTION + TRY, SECTION + "vmx->x = 2;", REFUTED),
    "freed where it is unlocked": ("freed", TRY, SECTION, HOLDS),
    "found held after the return": ("free_on_return", TRY, SECTION, REFUTED),
    "found held though only waited for": ("free_on_return", "", SECTION, REFUTED),
    "a mutex is free at once": ("free_on_return", "", MUTEX, HOLDS),
    "found held at the end": ("never_left", "", SECTION, REFUTED),
}


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("engine", ["auto", "enumerate"])
@pytest.mark.parametrize("name", list(CASES))
def test_claims_tell_the_holder_from_the_others(name: str, engine: str, tmp_path: Path) -> None:
    """The holder has freed the lock when it unlocks it; others find it held until that drains."""
    claim, right, left, wanted = CASES[name]
    (tmp_path / "v.c").write_text(VARIANT.format(right=right, left=left))
    (tmp_path / "v.spec").write_text(SPEC)
    made = build_machine(from_spec(str(tmp_path / "v.spec")))
    (result,) = decide_claims(made, Question((claim,), made.setup.bounds, engine=engine))
    assert result.verdict is wanted


CHECKS = {
    "only when free": ("if (unlocked() && vm->x) assert(vm->y);", False),
    "in a block": ('if (unlocked()) { if (vm->x == 1) assert(vm->y, "y"); }', False),
    "when free, and else": ("if (unlocked()) assert(vm->x); else assert(vm->y);", True),
    "when held": ("if (!unlocked()) assert(vm->x);", True),
    "in an assertion": ("assert(!unlocked() || vm->x);", True),
    "asked last": ("if (vm->x == 1 && unlocked()) assert(vm->y);", False),
    "asked after what may fail": ("if (1 / vm->x && unlocked()) assert(vm->y);", True),
    "asked after the cache": ("if (CACHE_IN_USE && unlocked()) assert(vm->y);", True),
    "either": ("if (unlocked() || vm->x) assert(vm->y);", True),
    "with a ghost": ("if (unlocked() && vm->x) was = true;", True),
    "with a ghost in the condition": ("if (unlocked() && (was = vm->x)) assert(vm->y);", True),
    "with a call": ("if (unlocked() && ready(kvm)) assert(vm->y);", True),
    "nothing of locks": ("assert(vm->x);", True),
}


@pytest.mark.parametrize("name", list(CHECKS))
def test_a_claim_that_looks_at_free_locks_alone_sees_no_buffer(name: str, tmp_path: Path) -> None:
    """What looks at a field while its lock is held can see it late; else code would be doubled."""
    body, looks = CHECKS[name]
    text = body.replace("vm->", "to_kvm_vmx(kvm)->")
    claim = f'claim mine "of mine" {{ bool was; on step() {{ {text} }} }}'
    (tmp_path / "v.c").write_text(VARIANT.format(right=SECTION, left=SECTION))
    (tmp_path / "v.spec").write_text(SPEC.replace("claim freed", f"{claim}\n\tclaim freed"))
    made = build_machine(from_spec(str(tmp_path / "v.spec"))).buffers(("mine",))
    assert made is not None
    assert bool(made.unlocks) is looks


def _random_section(chance: random.Random) -> str:
    def access() -> str:
        a, b = chance.sample("xy", 2)
        value = chance.choice(("1", "2", f"vmx->{b}"))
        return f"vmx->{a} = {value};"

    lock = chance.choice("llk")
    take = f"spin_lock(&vmx->{lock});"
    if chance.random() < 0.3:
        take = f"if (!spin_trylock(&vmx->{lock})) return;"
    section = f"{take} {access()} {access()} spin_unlock(&vmx->{lock});"
    return f"{section} {access()}" if chance.random() < 0.3 else section


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("seed", range(CLAIMS))
def test_checks_of_free_locks_find_the_same_with_all_stores_buffered(
    seed: int, tmp_path: Path
) -> None:
    """A check that is left out of view could miss what late stores and late unlocks show."""
    chance = random.Random(seed)
    left = f"{_random_section(chance)} {_random_section(chance)}"
    right = _random_section(chance).replace("return;", "return 1;")
    (tmp_path / "v.c").write_text(VARIANT.format(right=right, left=left))
    x, y = (f"to_kvm_vmx(kvm)->{name} {chance.choice(('==', '!='))}" for name in "xy")
    check = f"{x} {chance.randint(0, 2)}) assert({y} {chance.randint(0, 2)});"
    event = chance.choice(("step", "end", "return flush"))
    plain = f'claim plain "p" {{ on {event}() {{ if (unlocked() && {check} }} }}'
    whole = f'claim whole "w" {{ on {event}() {{ if (!!unlocked() && {check} }} }}'
    text = SPEC.replace("claim freed", f"{plain}\n\t{whole}\n\tclaim freed")
    (tmp_path / "v.spec").write_text(text.replace("loads 1", f"loads {chance.randint(1, 2)}"))
    made = build_machine(from_spec(str(tmp_path / "v.spec")))
    question = Question(("plain", "whole"), made.setup.bounds, engine="enumerate")
    first, second = decide_claims(made, question)
    assert first.verdict is second.verdict

"""Store buffers woven into code do what buffers do, and the litmus tests come out as known."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.code import Access, Drain, Instr
from flushproof.ir.program import CallLimits
from flushproof.machine.build import Machine, build_machine
from flushproof.machine.store_buffers.apply import add_store_buffers
from flushproof.machine.store_buffers.buffered_fields import guarded_fields
from flushproof.machine.store_buffers.checks import ClaimView
from flushproof.support.errors import InternalError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.verify.portfolio import Question, decide_claims
from support.buffered_code import SPEC, random_body, random_locking, write_machine
from support.places import SPECS
from support.store_buffers import Ending
from support.store_buffers import Machine as Reference

LITMUS = sorted((SPECS / "litmus").glob("*.spec"))
LOCKING = int(os.environ.get("FLUSHPROOF_LOCKING", "8"))
"""How many random programs with locks are compared."""
BLIND = ClaimView(frozenset())


@cache
def _machine(spec: Path) -> Machine:
    return build_machine(from_spec(str(spec)))


def _endings(
    made: Machine, capacity: int, flushers: int = 1, calls: int = 1, *, locks: bool = True
) -> frozenset[Ending]:
    limits = CallLimits(calls, calls, flushers)
    view = ClaimView(frozenset(f.name for f in made.places), free=locks)
    done = add_store_buffers(made.base, view, limits, capacity)
    woven = made._instrumented(done.operations, ())
    return Reference(replace(woven, limits=limits), flushers, calls, locks=locks).endings()


def _expected(
    made: Machine, flushers: int = 1, calls: int = 1, *, locks: bool = True
) -> frozenset[Ending]:
    plain = made._instrumented(made.base.operations, ())
    return Reference(plain, flushers, calls, locks=locks).endings()


# The pass --------------------------------------------------------------------------------------

PIECES = {
    "store buffering": ("vmx->y = 1; r = vmx->x;", "vmx->x = 1; to_vmx(vcpu)->own = vmx->y;"),
    "message passing": ("r = vmx->y; r += 2 * vmx->x;", "vmx->x = 1; vmx->y = 1;"),
    "own stores": ("vmx->x = 1; vmx->x = 2; r = vmx->x;", "vmx->x = 3; vmx->y = vmx->x;"),
    "exchange": ("vmx->y = 1; r = xchg(&vmx->x, 2);", "vmx->x = 1; r = xchg(&vmx->y, 2);"),
    "locks": (
        "spin_lock(&vmx->lock); vmx->x = 1; spin_unlock(&vmx->lock); r = vmx->y;",
        "vmx->y = 1; spin_lock(&vmx->lock); vmx->z = vmx->x; spin_unlock(&vmx->lock);",
    ),
    "unlocks": (
        "vmx->x = 1; spin_lock(&vmx->lock); spin_unlock(&vmx->lock); r = vmx->y;",
        "spin_lock(&vmx->lock); vmx->y = 1; spin_unlock(&vmx->lock); to_vmx(vcpu)->own = vmx->x;",
    ),
    "attempts": (
        "if (spin_trylock(&vmx->lock)) { vmx->x = 1; spin_unlock(&vmx->lock); } else r = vmx->y;",
        (
            "vmx->y = 1; if (!spin_trylock(&vmx->lock)) to_vmx(vcpu)->own = vmx->x; "
            "else spin_unlock(&vmx->lock);"
        ),
    ),
    "own unlock": (
        (
            "r = spin_trylock(&vmx->lock); if (r) spin_unlock(&vmx->lock); "
            "r = r * 2 + spin_trylock(&vmx->lock);"
        ),
        "spin_lock(&vmx->lock); spin_unlock(&vmx->lock); to_vmx(vcpu)->own = vmx->x;",
    ),
    "a stranger's unlock": (
        "spin_unlock(&vmx->lock); r = spin_trylock(&vmx->lock);",
        "spin_lock(&vmx->lock); to_vmx(vcpu)->own = vmx->x; spin_unlock(&vmx->lock);",
    ),
    "mutex": (
        "vmx->x = 1; mutex_lock(&vmx->mutex); mutex_unlock(&vmx->mutex); r = vmx->y;",
        (
            "mutex_lock(&vmx->mutex); vmx->y = 1; mutex_unlock(&vmx->mutex); "
            "to_vmx(vcpu)->own = vmx->x;"
        ),
    ),
    "loop": (
        "int i; for (i = 0; i < 2; i++) { vmx->x = i; r += vmx->y; }",
        "vmx->y = 1; if (vmx->x) vmx->z = 1;",
    ),
}


@pytest.mark.sample(every=8)
@pytest.mark.parametrize("name", list(PIECES))
def test_pieces_end_as_on_the_reference_machine(name: str, tmp_path: Path) -> None:
    """An ending that is missing would be a proof of what does not hold.

    Guards Lemma L24 of docs/soundness.md.
    """
    made = write_machine(tmp_path, *PIECES[name])
    assert _endings(made, 3) == _expected(made)
    assert _endings(made, 3, locks=False) == _expected(made, locks=False)


@pytest.mark.slow
def test_flushers_have_buffers_of_their_own(tmp_path: Path) -> None:
    """Flushers that shared a buffer would see each other's stores early."""
    made = write_machine(tmp_path, "vmx->x = vmx->x + 1; r = vmx->x;", "r = vmx->y;")
    assert _endings(made, 1, flushers=2) == _expected(made, flushers=2)


def test_a_buffer_outlives_the_call(tmp_path: Path) -> None:
    """A return is no barrier: after two loads both stores may be waiting."""
    made = write_machine(tmp_path, "r = vmx->x;", "vmx->x = vmx->x + 1;")
    found = _endings(made, 2, calls=2)
    assert found == _expected(made, calls=2)
    assert found > _endings(made, 1, calls=2)


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("seed", range(12))
def test_random_code_ends_as_on_the_reference_machine(seed: int, tmp_path: Path) -> None:
    """The pieces above are those that somebody thought of.

    Guards Lemma L24 of docs/soundness.md.
    """
    chance = random.Random(seed)
    left = f"{random_body(chance)} to_vmx(vcpu)->own = r;"
    made = write_machine(tmp_path, random_body(chance), left)
    exact = _expected(made)
    assert _endings(made, 4) == exact
    assert _endings(made, 1) <= exact


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("seed", range(LOCKING))
def test_random_locking_ends_as_on_the_reference_machine(seed: int, tmp_path: Path) -> None:
    """Locks that are tried, waited for, held on return and freed by strangers meet here."""
    chance = random.Random(seed)
    left = f"{random_locking(chance)} to_vmx(vcpu)->own = r;"
    made = write_machine(tmp_path, random_locking(chance), left)
    locks = chance.random() < 0.5
    exact = _expected(made, locks=locks)
    assert _endings(made, 5, locks=locks) == exact
    assert _endings(made, 2, locks=locks) <= exact


def test_a_full_buffer_drains_its_oldest_entry(tmp_path: Path) -> None:
    """Full buffers are a restriction, which the scope must tell of, and no invention.

    Guards Lemma L24 of docs/soundness.md.
    """
    made = write_machine(
        tmp_path,
        "if (vmx->x) r = 1;",
        "vmx->x = 1; vmx->y = 1; vmx->z = 1; to_vmx(vcpu)->own = 1;",
    )
    limits = CallLimits(1, 1, 1)
    view = ClaimView(frozenset(f.name for f in made.places))
    assert add_store_buffers(made.base, view, limits, 3).full
    assert not add_store_buffers(made.base, view, limits, 4).full
    assert add_store_buffers(made.base, view, replace(limits, loads=2), 4).full
    late = [memory for _, memory in _endings(made, 4) if not any(memory)]
    assert late
    assert not [memory for _, memory in _endings(made, 3) if not any(memory)]


def test_no_claim_sees_another_machine_than_it_was_made_for(tmp_path: Path) -> None:
    """Code for one call knows nothing of what a call before it left in the buffer."""
    made = write_machine(tmp_path, "r = vmx->x;", "vmx->x = 1;").within(Bounds((1, 1), 1, 1, 1))
    program = made.with_claims(("no_bogus",))
    with pytest.raises(InternalError):
        enumerate_claim(program, Sizes(1, 2, 1), "no_bogus")


# What is buffered ------------------------------------------------------------------------------

LOCKED = "spin_lock(&vmx->lock); vmx->x = 1; vmx->y = 1; spin_unlock(&vmx->lock);"


def _instructions(made: Machine, view: ClaimView) -> list[Instr]:
    done = add_store_buffers(made.base, view, CallLimits(2, 2, 1), 2)
    return [i for o in done.operations for i in o.code]


def test_stores_under_a_common_lock_are_made_at_once(tmp_path: Path) -> None:
    """They are what locked code consists of, and buffering them shows nobody anything."""
    made = write_machine(tmp_path, LOCKED, LOCKED)
    assert guarded_fields(made.base) == {"kvm_vmx.x", "kvm_vmx.y"}
    assert not any(isinstance(i, Drain) for i in _instructions(made, BLIND))


@pytest.mark.parametrize(
    "other",
    [
        "r = vmx->x;",
        "spin_unlock(&vmx->lock); " + LOCKED,
        "spin_lock(&vmx->lock); spin_unlock(&vmx->lock); vmx->x = 2;",
    ],
)
def test_stores_that_others_see_are_buffered(other: str, tmp_path: Path) -> None:
    """A lock that one access does without, or that anyone frees, guards nothing."""
    made = write_machine(tmp_path, other, LOCKED)
    assert "kvm_vmx.x" not in guarded_fields(made.base)
    stored = {i.field.label for i in _instructions(made, BLIND) if isinstance(i, Access)}
    assert "x" in stored


def test_what_a_claim_reads_is_buffered(tmp_path: Path) -> None:
    """A claim may look at any time, without the lock."""
    made = write_machine(tmp_path, LOCKED, LOCKED)
    seen = _instructions(made, ClaimView(frozenset({"kvm_vmx.y"})))
    assert {i.field.name for i in seen if isinstance(i, Access)} == {"kvm_vmx.y"}


def test_an_unlock_waits_only_where_somebody_could_tell(tmp_path: Path) -> None:
    """Code that does no more than lock and unlock would have twice the steps."""
    limits = CallLimits(1, 1, 1)
    locked = write_machine(tmp_path, LOCKED, LOCKED)
    assert not add_store_buffers(locked.base, BLIND, limits, 2).unlocks
    assert add_store_buffers(locked.base, ClaimView(frozenset(), free=True), limits, 2).unlocks
    stores = write_machine(tmp_path, "r = vmx->x;", LOCKED)
    assert add_store_buffers(stores.base, BLIND, limits, 2).unlocks
    tried = LOCKED.replace("spin_lock(&vmx->lock);", "if (!spin_trylock(&vmx->lock)) return 1;")
    assert add_store_buffers(write_machine(tmp_path, tried, LOCKED).base, BLIND, limits, 2).unlocks


def test_nothing_changes_under_sequential_consistency(tmp_path: Path) -> None:
    """Without the option there is no trace of buffers in the code."""
    made = write_machine(tmp_path, "r = vmx->x;", "vmx->x = 1;")
    plain = replace(made, setup=replace(made.setup, memory=MemoryModel.SC))
    program = plain.with_claims(("no_bogus",))
    assert not any(f.name.startswith("buffer:") for f in program.fields)
    assert program.limits is None
    woven = made.with_claims(("no_bogus",))
    assert any(f.name.startswith("buffer:") for f in woven.fields)


# Litmus tests ----------------------------------------------------------------------------------

EXPECTED = [(spec, e) for spec in LITMUS for e in _machine(spec).setup.expectations]


@pytest.mark.sample("sb_half")
@pytest.mark.parametrize(("spec", "expected"), EXPECTED, ids=lambda x: getattr(x, "stem", ""))
def test_litmus(spec: Path, expected: object) -> None:
    """Both engines give the verdict that is known of x86."""
    made = _machine(spec)
    bounds = made.setup.bounds
    wanted = next(e for s, e in EXPECTED if s == spec and e == expected)
    every = frozenset({wanted.claim} if wanted.every_number else ())
    (result,) = decide_claims(made, Question((wanted.claim,), bounds, every_number=every))
    assert (result.verdict, result.smallest_vcpus) == (wanted.verdict, wanted.vcpus)
    sizes = Sizes(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    program = made.with_claims((wanted.claim,))
    found = enumerate_claim(program, sizes, wanted.claim).found
    assert (found is not None) == (wanted.verdict == "refuted")


LEFT_OVER = "vmx->x = vmx->y + 1; to_vmx(vcpu)->own = vmx->x;"


@pytest.mark.sample("2-1-no_bogus")
@pytest.mark.parametrize("claim", ["no_race", "no_bogus", "mine"])
@pytest.mark.parametrize(("loads", "flushes"), [(2, 1), (1, 2)])
def test_engines_agree_over_several_calls(
    claim: str, loads: int, flushes: int, tmp_path: Path
) -> None:
    """Buffers that outlive calls are where the engines could part."""
    made = write_machine(tmp_path, "if (vmx->x && !vmx->y) r = 1; vmx->y = 1;", LEFT_OVER)
    assert made is not None
    text = SPEC.format(memory="tso").replace(
        "memory tso;",
        "memory tso;\n\tclaim mine { on return flush(ret) { assert(ret == 0); } }",
    )
    (tmp_path / "v.spec").write_text(text)
    bounds = Bounds((1, 1), loads, flushes, 1)
    made = build_machine(from_spec(str(tmp_path / "v.spec"))).within(bounds)
    (result,) = decide_claims(made, Question((claim,), bounds))
    program = made.with_claims((claim,))
    found = enumerate_claim(program, Sizes(1, loads, flushes), claim).found
    assert (found is not None) == (result.verdict == "refuted")

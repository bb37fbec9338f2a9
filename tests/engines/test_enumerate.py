"""The enumerator and the solver agree on every claim, and the enumerator can find what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.engines.explicit.enumerator import (
    ExplicitEngine,
    SearchOutcome,
    Sizes,
    enumerate_claim,
)
from flushproof.engines.outcome import Undecided
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import Machine, build_machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.machines import machine_of
from support.places import NAMES, SPECS

SMALL = Bounds((1, 2), 1, 2, 1)
RACES = Bounds((1, 1), 1, 2, 1), Bounds((1, 2), 1, 1, 1)
"""Whose accesses are looked at costs ten times as much: two flushes, or two vCPUs, in turn."""
LOCK = "spin_lock(&kvm_vmx->ept_pointer_lock);"
UNLOCK = "spin_unlock(&kvm_vmx->ept_pointer_lock);"


CASES = [
    (s, c.name)
    for n, s in enumerate(NAMES)
    for k, c in enumerate(load_builtin().claims)
    if s == "load_unlocked" or (n + k) % 3 == 0
]
"""All claims of one variant, and each third of the others."""


def _outcome(made: Machine, claim: str, sizes: Sizes) -> SearchOutcome:
    return enumerate_claim(made.with_claims((claim,)), sizes, claim)


def _bounds(made: Machine, claim: str) -> Bounds:
    """Return bounds that both can exhaust: small ones, or a spec's own for one vCPU."""
    own = made.setup.bounds
    if own.vcpus == (1, 1):
        return own
    return RACES[NAMES.index(made.setup.name) % 3 == 0] if claim == "no_race" else SMALL


def _smallest(made: Machine, claim: str, bounds: Bounds) -> int | None:
    """Return the least number of vCPUs for which the enumerator refutes a claim."""
    for n in range(1, bounds.vcpus[1] + 1):
        outcome = _outcome(made, claim, Sizes(n, bounds.loads, bounds.flushes))
        assert outcome.undefined is None
        if outcome.found:
            return n
    return None


@pytest.mark.sample("load_unlocked-coverage", "load_unlocked-cache_sound", "load_unlocked-no_race")
@pytest.mark.parametrize(("spec", "claim"), CASES)
def test_enumerator_and_solver_agree(spec: str, claim: str) -> None:
    """A proof that some interleaving contradicts would be the worst of all defects.

    Guards Lemma L2 of docs/soundness.md.
    """
    made = machine_of(spec)
    bounds = _bounds(made, claim)
    (result,) = decide_claims(made, Question((claim,), bounds))
    assert result.verdict in {Verdict.BOUNDED, Verdict.REFUTED}
    assert _smallest(made, claim, bounds) == result.smallest_vcpus


def _variant(folder: Path, spec: str, *changes: tuple[str, str]) -> Machine:
    """Build a variant with texts of its load function replaced."""
    head, load, body = (SPECS / f"{spec}.c").read_text().rpartition("void vmx_load_mmu_pgd")
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    (folder / f"{spec}.c").write_text(head + load + body)
    (folder / f"{spec}.spec").write_text((SPECS / f"{spec}.spec").read_text())
    return build_machine(from_spec(str(folder / f"{spec}.spec")))


@pytest.mark.parametrize("claim", ["coverage", "no_race", "cache_sound"])
def test_missing_lock_is_found(tmp_path: Path, claim: str) -> None:
    """Steps that are too coarse would hide what only shows between two accesses of a load.

    Guards Lemma L15 of docs/soundness.md.
    """
    made = _variant(tmp_path, "mismatch_flag", (LOCK, ""), (UNLOCK, ""))
    assert _outcome(made, claim, Sizes(1, 2, 2)).found


@pytest.mark.slow
def test_three_vcpus_repeat_a_root() -> None:
    """What needs three vCPUs must not be lost to the states that are taken as one."""
    assert _outcome(machine_of("enum_cached"), "no_repeat", Sizes(3, 1, 1)).found


def test_self_deadlock_is_noticed(tmp_path: Path) -> None:
    """A run in which nobody goes on would pass for one that is over."""
    made = _variant(tmp_path, "dedup_all", (LOCK, LOCK * 2))
    assert _outcome(made, "no_deadlock", Sizes(1)).found
    assert not _outcome(made, "no_bogus", Sizes(1)).found


def test_undefined_behaviour_is_reported(tmp_path: Path) -> None:
    """Past undefined behaviour nothing is known, so it must not count as explored.

    Guards Lemma L6 of docs/soundness.md.
    """
    nobody = ("to_vmx(vcpu)", "to_vmx(kvm_get_vcpu(vcpu->kvm, 7))")
    outcome = _outcome(_variant(tmp_path, "dedup_all", nobody), "no_bogus", Sizes(1))
    assert outcome.undefined is not None
    assert outcome.undefined.text == "NULL is dereferenced"


ENUMERATED = [
    ("enum_cached", "no_wasted", (1, 2), 2, Verdict.REFUTED),
    ("load_unlocked", "coverage", (1, 1), 1, Verdict.REFUTED),
    ("lock_order", "no_deadlock", (1, 1), 1, Verdict.REFUTED),
    ("store_late", "no_race", (1, 1), 1, Verdict.REFUTED),
    ("early_return", "lock_balanced", (1, 1), 1, Verdict.REFUTED),
    ("dedup_all", "no_repeat", (1, 2), None, Verdict.BOUNDED),
]


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(("spec", "claim", "vcpus", "smallest", "verdict"), ENUMERATED)
def test_engine_decides(
    spec: str, claim: str, vcpus: tuple[int, int], smallest: int | None, verdict: Verdict
) -> None:
    """Its counterexamples must replay like the solver's, and its proofs say what they cover."""
    bounds = Bounds(vcpus, 3 - vcpus[1], 2, 1)
    (result,) = decide_claims(machine_of(spec), Question((claim,), bounds, engine="enumerate"))
    assert (result.verdict, result.smallest_vcpus) == (verdict, smallest)
    assert (result.trace is None) == (verdict is Verdict.BOUNDED)
    assert result.scope.roots == "2 roots, one range and one error code"


def test_smallest_comes_first() -> None:
    """The first counterexample that a search meets need not be one that a reader wants."""
    made = machine_of("load_unlocked")
    (solver,) = decide_claims(made, Question(("coverage",), Bounds((1, 1), 2, 2, 1)))
    found = _outcome(made, "coverage", Sizes(1, 2, 2)).found
    assert found is not None
    assert solver.trace is not None
    assert solver.trace.smallest.startswith(
        f"{found.schedule.vcpus} vCPU, {found.roots} roots, {found.calls} operations;"
    )


def test_limit_is_no_proof() -> None:
    """A search that ends early has shown nothing."""
    made = machine_of("dedup_all")
    engine = ExplicitEngine(made.with_claims(("no_repeat",)), Sizes(2), limit=100)
    reason = "there are more than 100 states with 2 vCPUs"
    assert engine.claim("no_repeat", 2) == Undecided(reason)

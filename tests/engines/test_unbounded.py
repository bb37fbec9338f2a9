"""Invariants for any number of vCPUs: they hold up to a second look, and only where they should."""

from __future__ import annotations

import pytest

from flushproof.engines.unbounded.horn_clauses import System
from flushproof.engines.unbounded.horn_encoding import Builder
from flushproof.engines.unbounded.ic3 import Ic3, Invariant
from flushproof.engines.unbounded.inductiveness_check import list_failing_clauses
from flushproof.engines.unbounded.state_space import TrackedInstances, make_state_space
from flushproof.support.record import replace
from support.machines import plan_of, program_of

EFFORT = 30_000


def _system(spec: str, claim: str, *, generic: bool = False) -> System:
    steps = plan_of(spec, claim)
    found = make_state_space(
        program_of(spec, claim), steps.kinds, TrackedInstances(generic=generic)
    )
    return Builder(found, steps.boundaries, claims_only=True).run()


@pytest.mark.sample(every=2)
@pytest.mark.parametrize(
    ("spec", "claim", "generic"),
    [
        ("counter_first", "cache_sound", False),
        ("counter_first", "no_wasted", False),
        ("dedup_all", "range_kept", False),
        ("counter_late", "converges", True),
        ("enum_cached", "no_bogus", True),
        ("enum_cached", "no_race", False),
    ],
)
def test_invariant_is_found_and_holds(spec: str, claim: str, generic: bool) -> None:
    """What the search returns must satisfy every clause when asked anew.

    Guards Lemma L19 of docs/soundness.md.
    """
    system = _system(spec, claim, generic=generic)
    invariant = Ic3(system, EFFORT).run()
    assert isinstance(invariant, Invariant)
    assert not list_failing_clauses(system, invariant)


def test_every_lemma_matters_to_the_second_look() -> None:
    """A check that passes whatever it is given would be worth nothing.

    Guards Lemma L22 of docs/soundness.md.
    """
    system = _system("counter_first", "failure_kept")
    invariant = Ic3(system, EFFORT).run()
    assert isinstance(invariant, Invariant)
    assert list_failing_clauses(system, replace(invariant, lemmas={}))


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("spec", "claim"),
    [
        ("counter_first", "no_bogus"),
        ("enum_cached", "no_wasted"),
        ("load_unlocked", "cache_sound"),
        ("store_late", "no_race"),
        ("flush_unlocked", "no_race"),
    ],
)
def test_no_invariant_for_what_is_refuted(spec: str, claim: str) -> None:
    """The claim fails for a small number of vCPUs, so there can be no invariant.

    Guards Lemma L18 of docs/soundness.md.
    """
    assert Ic3(_system(spec, claim), EFFORT).run() is None

"""Random variants with claims of their own: the oracles say the same of each.

What the enumerator finds the bounded engine finds, too, and so with what is undefined in a handler;
what is proved for every number of vCPUs has no counterexample with five or six of them, nor in
random runs. `FLUSHPROOF_OWN_CLAIMS` gives the number of variants (9), and `FLUSHPROOF_FIRST_SEED`
where to start.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import SearchOutcome, Sizes, enumerate_claim
from flushproof.engines.interpreter.random_runs import Attack
from flushproof.engines.outcome import NOTHING_FAILS, Outcome, Undecided
from flushproof.machine.build import Machine
from flushproof.support.diagnostics import InputError
from flushproof.verify.question import replay_to_end
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.claim_variants import sample, write
from support.tiers import lumps

VARIANTS = int(os.environ.get("FLUSHPROOF_OWN_CLAIMS", "9"))
FIRST = int(os.environ.get("FLUSHPROOF_FIRST_SEED", "5"))
AT_ONCE = 7
SEEDS = lumps(FIRST, VARIANTS, AT_ONCE, quick=2)
STATES = 20_000
EFFORT = 2_000
"""Questions that a search for an invariant may ask."""

MORE = (5, 6)
RUNS = 30
STEPS = 5_000_000


def _enumerated(machine: Machine, vcpus: int) -> SearchOutcome:
    own = machine.setup.bounds
    sizes = Sizes(vcpus, own.loads, own.flushes, own.flushers)
    return enumerate_claim(machine.with_claims(("it",)), sizes, "it", STATES)


def _bounded(machine: Machine, vcpus: int) -> Outcome:
    own = machine.setup.bounds
    program = machine.with_claims(("it",))
    most = Counts(vcpus, own.loads, own.flushes, own.flushers)
    found = Bounded(program, most, Settings(effort=STEPS)).claim("it", vcpus)
    if isinstance(found, Counterexample):
        replay_to_end(program, found)
    return found


def _agreed(machine: Machine, vcpus: int) -> str:
    """Return what both engines say of one number of vCPUs."""
    outcome, found = _enumerated(machine, vcpus), _bounded(machine, vcpus)
    if isinstance(found, Undecided) and not found.undefined:
        return "given up"
    if outcome.found is not None:
        assert found != NOTHING_FAILS
        return "refuted" if isinstance(found, Counterexample) else "refuted or undefined"
    if outcome.in_claim is not None:
        assert found != NOTHING_FAILS
        return "undefined"
    if found != NOTHING_FAILS:
        return "seen by the solver alone"
    return "held" if outcome.complete else "held as far as seen"


def _proved(machine: Machine) -> bool:
    """Tell whether the claim is proved for every number; then nothing may speak against it."""
    forall = ForAll(machine, evidence=False)
    program = machine.with_claims(("it",))
    found = forall.prove(program)
    if not isinstance(found, Evidence):
        return False
    for vcpus in MORE:
        assert not isinstance(_bounded(machine, vcpus), Counterexample)
    attack = Attack(program, 1)
    assert not any(map(attack.run, range(RUNS)))
    return True


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_own_claims(seeds: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference is a defect of one of the oracles; its seed says which variant shows it."""
    monkeypatch.setattr("flushproof.engines.unbounded.prove.EFFORT", EFFORT)
    count: Counter[str] = Counter()
    for seed in seeds:
        machine = write(seed, tmp_path)
        try:
            said = [_agreed(machine, n) for n in range(1, machine.setup.bounds.vcpus[1] + 1)]
            proved = _proved(machine)
        except (AssertionError, InputError) as error:
            raise AssertionError(f"seed {seed}") from error
        assert not proved or set(said) <= {"held", "held as far as seen", "given up"}, seed
        count.update(said)
        count["proved"] += proved
        count["buffered or two flushers"] += machine.setup.bounds.vcpus[1] == 1
    sys.stdout.write(f"{seeds}: {dict(count)}\n")
    if len(seeds) == AT_ONCE:
        assert count["refuted"] >= 1
        assert count["held"] >= 1


def test_variants_differ() -> None:
    """A generator that repeats itself would make the number of variants a number only."""
    texts = {"".join(sample(seed)) for seed in range(300)}
    assert len(texts) > 290
    everything = "".join(texts)
    for word in ("memory tso", "flushers 2", "on end()", "on step()", "1 << ", "(s8)"):
        assert word in everything

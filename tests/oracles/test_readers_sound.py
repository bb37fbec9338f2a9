"""Random variants around a lock with readers: what is proved has no counterexample.

Of each variant one claim is put to the enumerator and to the bounded engine, for two vCPUs or for
one with more calls. What is proved for every number of vCPUs is looked at by the bounded engine
with up to three vCPUs besides.
`FLUSHPROOF_READERS` gives the number of variants, and `FLUSHPROOF_FIRST_SEED` where to start.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.reduction.commutativity import ThreadCounts
from flushproof.engines.reduction.step_plan import make_plan
from flushproof.engines.unbounded.prove import Proof, Subject, prove
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.rwlock_variants import sample, write
from support.tiers import lumps

VARIANTS = int(os.environ.get("FLUSHPROOF_READERS", "9"))
FIRST = int(os.environ.get("FLUSHPROOF_FIRST_SEED", "0"))
AT_ONCE = 8
SEEDS = lumps(FIRST, VARIANTS, AT_ONCE, quick=1)
CLAIMS = ("no_bogus", "no_bogus", "lock_balanced", "no_bogus")
STATES = 5_000
EFFORT = 100
"""Questions that a search for an invariant may ask."""

BOUNDS = (Bounds((1, 3), 1, 1, 1), Bounds((1, 1), 2, 2, 1))
FEW = (Bounds((2, 2), 1, 1, 1), Bounds((1, 1), 2, 2, 1))


def _hopeful() -> None:
    """Say that another attempt may be worth while."""


def _proved_for_all(machine: Machine, claim: str) -> bool:
    """Tell whether an invariant is found; that nothing is undefined in a variant need not be."""
    program = machine.with_claims((claim,))
    plan = make_plan(program, ThreadCounts(None, 1))
    subject = Subject(program, plan.kinds, plan.boundaries, claims_only=True)
    return isinstance(prove(subject, _hopeful), Proof)


def _found(machine: Machine, claim: str, bounds: Bounds) -> bool:
    """Tell whether the enumerator finds a counterexample; the bounded engine must say the same."""
    sizes = Sizes(bounds.vcpus[1], bounds.loads, bounds.flushes)
    outcome = enumerate_claim(machine.with_claims((claim,)), sizes, claim, STATES)
    found = outcome.found is not None
    if found or outcome.complete:
        (result,) = decide_claims(machine, Question((claim,), bounds))
        assert result.verdict is (Verdict.REFUTED if found else Verdict.BOUNDED), result.reason
    return found


def _holds(machine: Machine, claim: str) -> bool:
    """Tell whether the bounded engine finds nothing wrong either."""
    asked = (next(decide_claims(machine, Question((claim,), b))) for b in BOUNDS)
    return all(result.verdict is Verdict.BOUNDED for result in asked)


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_proofs_have_no_counterexample(
    seeds: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that is taken for none, or a lock that is trusted too much, proves what is false.

    Guards Lemma L18 of docs/soundness.md.
    """
    monkeypatch.setattr("flushproof.engines.unbounded.prove.EFFORT", EFFORT)
    count: Counter[str] = Counter()
    for seed in seeds:
        machine = write(sample(seed), tmp_path)
        claim = CLAIMS[seed % len(CLAIMS)]
        found = _found(machine, claim, FEW[seed // len(CLAIMS) % len(FEW)])
        proved = _proved_for_all(machine, claim)
        assert not proved or (not found and _holds(machine, claim)), f"{claim} of seed {seed}"
        count["found"] += found
        count["proved"] += proved
    sys.stdout.write(f"{seeds}: {dict(count)}\n")
    assert len(seeds) < AT_ONCE or (count["found"] and count["proved"])

"""Random variants: the solver, the enumerator, the invariants and gcc say the same of each claim.

By default there are 60 variants, in three ways:

* Of every variant every claim is put to the bounded engine and to the enumerator, for one vCPU
  with one load and one flush at the same time: those that watch every state (`cache_sound`) of
  each second variant, those about accesses (`no_race`), which cost most, of each fourth. The
  bounded engine takes the claims together and need not find the smallest counterexample; one
  counterexample of each variant, or else random operations, are compared with compiled C.
* Of each tenth variant one claim is decided as a command would, with a plan and counterexamples of
  its own, with more calls or vCPUs; its counterexample is compiled. The unbounded engine is asked
  where it answers quickly.
* `FLUSHPROOF_CLAIMS=every` does that for every claim of every variant, in full: invariants are
  looked for each time, each counterexample is compiled, and more states are enumerated. That takes
  some ten seconds a variant.

The environment variable `FLUSHPROOF_VARIANTS` gives the number of variants (60) and
`FLUSHPROOF_FIRST_SEED` where to start.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from flushproof.engines.explicit.enumerator import Sizes
from flushproof.engines.unbounded import prove
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from support.every_claim import Together, ask_together, watches
from support.four_oracles import Answers, Ask, DisagreementError, ask
from support.random_variants import sample, write
from support.small_c import have_gcc
from support.tiers import lumps

VARIANTS = int(os.environ.get("FLUSHPROOF_VARIANTS", "60"))
FIRST = int(os.environ.get("FLUSHPROOF_FIRST_SEED", "0"))
IN_FULL = os.environ.get("FLUSHPROOF_CLAIMS") == "every"
AT_ONCE = 40
STATES = 60_000 if IN_FULL else 5_000
FEW_STATES = 1_000
EFFORT = 1_000 if IN_FULL else 100
"""Questions that a search for an invariant may ask."""

ALONE = 10
QUICK = ("no_repeat", "no_bogus", "no_wasted", "failure_kept", "failure_true", "range_kept")
"""Claims for which invariants are found, or not, within a fraction of a second."""

SEEDS = lumps(FIRST, VARIANTS, AT_ONCE)
BOUNDS = (Bounds((1, 1), 1, 2, 1), Bounds((1, 2), 1, 1, 1), Bounds((1, 1), 2, 1, 1))


@pytest.fixture(autouse=True)
def _little_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "EFFORT", EFFORT)


def _claims(machine: Machine) -> tuple[str, ...]:
    return tuple(c.name for c in machine.setup.claims if machine.statable(c.name))


def _affordable(machine: Machine, claim: str, seed: int) -> bool:
    if watches(machine, claim, "step"):
        return seed % 2 == 0
    return seed % 4 == 0 or not watches(machine, claim, "access")


@pytest.mark.skipif(IN_FULL, reason="every claim is decided on its own")
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_every_claim(seeds: range, tmp_path: Path) -> None:
    """A difference is a defect of one of the oracles; its seed says which variant shows it.

    Guards Lemma L8 of docs/soundness.md.
    """
    count: Counter[str] = Counter()
    for seed in seeds:
        machine = write(sample(seed), tmp_path)
        claims = tuple(c for c in _claims(machine) if _affordable(machine, c, seed))
        folder = tmp_path if have_gcc() else None
        try:
            found = ask_together(
                machine, claims, Together(Sizes(1, 1, 1), FEW_STATES, seed, folder)
            )
        except DisagreementError as error:
            raise DisagreementError(f"seed {seed}: {error}") from error
        count["claims"] += len(claims)
        count["refuted"] += found.refuted
        count["all states"] += found.enumerated
        count["undefined"] += found.undefined
        count["seen in C"] += found.ran
        count["operations in C"] += found.operations
    sys.stdout.write(f"{dict(count)}\n")
    assert count["claims"] >= 10 * len(seeds)
    assert count["claims"] // 10 <= count["refuted"] <= count["claims"] // 2
    assert count["all states"] >= count["claims"] * 3 // 4
    if have_gcc():
        assert count["seen in C"] >= len(seeds) // 3
        assert count["operations in C"] >= 1


def _alone(seeds: range, folder: Path) -> Iterator[Answers]:
    """Yield what is said of the claims that are decided as a command would."""
    for seed in seeds:
        machine = write(sample(seed), folder)
        claims = _claims(machine)
        bounds, compiled = BOUNDS[seed % len(BOUNDS)], folder if have_gcc() else None
        if not IN_FULL:
            claims = (claims[seed // ALONE % len(claims)],)
        for_all = IN_FULL or claims[0] in QUICK
        try:
            yield from ask(machine, claims, Ask(bounds, STATES, for_all, folder=compiled))
        except DisagreementError as error:
            raise DisagreementError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_claims_alone(seeds: range, tmp_path: Path) -> None:
    """Plans for one claim, the smallest counterexamples, and invariants stand the same test."""
    count: Counter[str] = Counter()
    for a in _alone(seeds if IN_FULL else seeds[::ALONE], tmp_path):
        count[str(a.verdict)] += 1
        count["for all"] += a.for_all is True
        count["not for all"] += a.for_all is False
        count["all states"] += a.enumerated
        count["seen in C"] += a.ran
    sys.stdout.write(f"{dict(count)}\n")
    assert count["proved"] + count["bounded"] + count["refuted"] >= 1
    assert count["all states"] >= 1


def test_variants_differ() -> None:
    """A generator that repeats itself would make the number of variants a number only."""
    texts = {sample(seed).code for seed in range(500)}
    assert len(texts) > 490
    everything = "".join(texts)
    for word in ("READ_ONCE", "other_lock", "NULL)", "break;", "continue;", "nr > 1"):
        assert word in everything

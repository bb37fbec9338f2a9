"""Random variants: the solver, the enumerator, the invariants and gcc say the same of each claim.

Every test takes the next few seeds, and of each variant one claim in turn. The environment variable
`FLUSHPROOF_VARIANTS` gives the number of variants (500), `FLUSHPROOF_FIRST_SEED` where to start,
and with `FLUSHPROOF_FOR_ALL=every` invariants are looked for in each case and not in one of a few.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from flushproof.engines.unbounded import prove
from flushproof.machine.setup import Bounds
from four_oracles import Answers, Ask, ask
from random_variants import sample, write
from small_c import have_gcc

VARIANTS = int(os.environ.get("FLUSHPROOF_VARIANTS", "500"))
FIRST = int(os.environ.get("FLUSHPROOF_FIRST_SEED", "0"))
THOROUGH = os.environ.get("FLUSHPROOF_FOR_ALL") == "every"
AT_ONCE = 50
STATES = 60_000 if THOROUGH else 5_000
EFFORT = 3_000 if THOROUGH else 100
"""Questions that a search for an invariant may ask."""

QUICK = ("no_repeat", "no_bogus", "no_wasted", "failure_kept", "failure_true", "range_kept")
"""Claims for which invariants are found, or not, within a fraction of a second."""

BOUNDS = (Bounds((1, 1), 1, 2, 1), Bounds((1, 2), 1, 1, 1), Bounds((1, 1), 2, 1, 1))


@pytest.fixture(autouse=True)
def _little_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "EFFORT", EFFORT)


def _answers(seeds: range, folder: Path) -> Iterator[Answers]:
    for seed in seeds:
        machine = write(sample(seed), folder)
        claims = [c.name for c in machine.setup.claims if machine.statable(c.name)]
        claim = claims[seed % len(claims)]
        how = Ask(
            BOUNDS[seed % len(BOUNDS)],
            states=STATES,
            for_all=THOROUGH or seed % (6 if claim in QUICK else 40) == 0,
            folder=folder if have_gcc() else None,
        )
        yield ask(machine, claim, how)


@pytest.mark.parametrize("first", range(FIRST, FIRST + VARIANTS, AT_ONCE))
def test_oracles_agree(first: int, tmp_path: Path) -> None:
    """A difference is a defect of one of them; its seed says which variant shows it."""
    count: Counter[str] = Counter()
    for a in _answers(range(first, min(first + AT_ONCE, FIRST + VARIANTS)), tmp_path):
        count[str(a.verdict)] += 1
        count["for all"] += a.for_all is True
        count["not for all"] += a.for_all is False
        count["all states"] += a.enumerated
        count["seen in C"] += a.ran
    sys.stdout.write(f"{dict(count)}\n")
    assert count["proved"] >= AT_ONCE // 5
    assert count["refuted"] >= AT_ONCE // 10
    assert count["all states"] >= AT_ONCE // 3
    assert count["for all"] + count["not for all"] >= 1
    if have_gcc():
        assert count["seen in C"] >= 1


def test_variants_differ() -> None:
    """A generator that repeats itself would make the number of variants a number only."""
    texts = {sample(seed).code for seed in range(500)}
    assert len(texts) > 490
    everything = "".join(texts)
    for word in ("READ_ONCE", "other_lock", "NULL)", "break;", "continue;", "nr > 1"):
        assert word in everything

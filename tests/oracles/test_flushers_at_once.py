"""Several flushers at once: the bounded engine and the enumerator say the same of each claim.

The bounded engine names the thread of a chosen call and lets the first flusher make it; the
enumerator chooses calls as they come and takes every flusher for another one. Each claim that
chooses calls is asked, and with each variant one that does not. `FLUSHPROOF_FLUSHERS` gives the
number of variants (7).

Guards Lemma L33 of docs/soundness.md.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from flushproof.engines.bounded.engine import Bounded, Settings
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import NoCounterexample, Undecided
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.verify.question import replay_to_end
from support.random_variants import sample, write
from support.tiers import lumps

VARIANTS = int(os.environ.get("FLUSHPROOF_FLUSHERS", "7"))
FIRST = 2
"""The variants before it take longer than all others."""
STATES = 6_000
EFFORT = 10_000_000
SIZES = ((1, 1, 1, 2), (2, 1, 1, 2), (1, 1, 1, 3), (1, 1, 2, 2))
"""vCPUs, loads, flushes, flushers."""


@pytest.mark.parametrize("seeds", lumps(FIRST, VARIANTS, 5, quick=2), ids=str)
def test_no_contradiction(seeds: range, tmp_path: Path) -> None:
    """A run that is lost as flushers are exchanged would be a counterexample that is lost."""
    told: Counter[str] = Counter()
    for seed in seeds:
        told.update(_compare(seed, tmp_path))
    sys.stderr.write(f"{dict(told)}\n")
    assert told["hold"]
    assert told["fail"]


def _compare(seed: int, folder: Path) -> Iterator[str]:
    machine = write(sample(seed), folder)
    vcpus, loads, flushes, flushers = SIZES[seed % len(SIZES)]
    machine = machine.within(Bounds((1, vcpus), loads, flushes, flushers))
    named = [c for c in _stated(machine) if machine.with_claim(c).callers]
    others = [c for c in _stated(machine) if c not in named]
    for claim in (*named, others[seed % len(others)]):
        yield _told(machine, claim, Counts(vcpus, loads, flushes, flushers), seed)


def _stated(machine: Machine) -> list[str]:
    return [c.name for c in machine.setup.claims if machine.statable(c.name)]


def _told(machine: Machine, claim: str, counts: Counts, seed: int) -> str:
    program = machine.with_claim(claim)
    solved = Bounded(program, counts, Settings(effort=EFFORT)).claim(claim, counts.vcpus)
    sizes = Sizes(counts.vcpus, counts.loads, counts.flushes, counts.flushers)
    met = enumerate_claim(machine.with_claims((claim,)), sizes, claim, STATES)
    about = seed, claim, counts
    match solved:
        case Counterexample():
            replay_to_end(program, solved)
            assert met.found is not None or not met.complete, about
            return "fail"
        case NoCounterexample():
            assert met.found is None, about
            return "hold" if met.complete else "hold, not all enumerated"
        case Undecided():
            return "open"

"""Random variants at the edge of C: no verdict contradicts an exhaustive run of the compiled code.

By default there are 13 variants; FLUSHPROOF_EDGES gives another number, and
FLUSHPROOF_FIRST_SEED where to start. Both look at up to three vCPUs with one load each and at two
flushes, with every outcome of each hypercall. `-s` shows how many variants of each kind there were,
and how many of their claims hold, fail, or are open.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from flushproof.machine.build import Machine
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.portfolio import Question, decide_claims
from support.edge_variants import KINDS, PLAIN, Edge, Sample, sample, write
from support.exhaustive_c import CLAIMS, CutOffError, failures
from support.small_c import have_gcc
from support.tiers import lumps

pytestmark = pytest.mark.skipif(
    not have_gcc(), reason="gcc is not installed, so nothing says what the C means"
)

VARIANTS = int(os.environ.get("FLUSHPROOF_EDGES", "13"))
FIRST = int(os.environ.get("FLUSHPROOF_FIRST_SEED", "0"))
AT_ONCE = 10
SEEDS = lumps(FIRST, VARIANTS, AT_ONCE, quick=3)


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda s: str(s[0]))
def test_no_contradiction(seeds: range, tmp_path: Path) -> None:
    """A claim that is proved here and fails in compiled C is the worst that can happen."""
    tally: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        s = sample(seed)
        words = _asked(s, tmp_path)
        tally.update((kind, word) for kind in set(s.edge.kinds) for word in words)
    for (kind, word), number in sorted(tally.items()):
        sys.stdout.write(f"{kind:13} {word:8} {number}\n")
    said = Counter(word for _, word in tally.elements())
    assert said["holds"] > said["refused"]
    assert said["fails"]


def _asked(s: Sample, folder: Path) -> list[str]:
    """Compare what is said of each claim of a variant, and tell it."""
    try:
        machine = write(s, folder)
    except InputError:
        return ["refused"]
    found = list(
        decide_claims(machine, Question(CLAIMS, machine.setup.bounds, engine="bounded", jobs=1))
    )
    smallest = _smallest(machine, folder)
    if smallest is None:
        return ["open"]
    return [_compared(s, r, smallest[r.claim]) for r in found]


def _smallest(machine: Machine, folder: Path) -> dict[str, int] | None:
    try:
        return failures(machine, folder)
    except CutOffError:
        return None


def _compared(s: Sample, found: ClaimResult, theirs: int) -> str:
    about = f"seed {s.seed}, {found.claim}: {found.verdict}, in C {theirs or 'it holds'}"
    match found.verdict:
        case Verdict.REFUTED:
            assert found.smallest_vcpus == theirs, f"{about}\n{s.edge.text()}"
            return "fails"
        case Verdict.UNKNOWN:
            return "open"
        case _:
            assert not theirs, f"{about}\n{s.edge.text()}"
            return "holds"


def test_every_kind_is_there() -> None:
    """A kind that no variant has is not tried at all."""
    assert {k for seed in range(200) for k in sample(seed).edge.kinds} == set(KINDS)


def test_the_same_seed_is_the_same_variant() -> None:
    """A seed that is reported has to lead to the code again."""
    assert [sample(n).edge.text() for n in range(20)] == [sample(n).edge.text() for n in range(20)]


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("slots", "claim", "smallest"),
    [
        ({}, "no_repeat", 3),
        ({"drop": ""}, "coverage", 2),
        ({"joins": "="}, "failure_kept", 2),
        ({"done": "spin_unlock(&vm->lock); return ret ? 0 : -1;"}, "failure_true", 1),
        ({"failed": "if (ret) break;"}, "no_wasted", 0),
        ({"repeated": "", "failed": ""}, "no_repeat", 2),
        ({"root": "to_vmx(vcpu)->root | 1"}, "no_bogus", 1),
    ],
)
def test_the_exhaustive_run_finds_what_fails(
    slots: dict[str, str], claim: str, smallest: int, tmp_path: Path
) -> None:
    """A run that finds nothing would contradict nothing."""
    edge = Edge({**PLAIN, **slots})
    assert failures(write(Sample(0, edge), tmp_path), tmp_path)[claim] == smallest

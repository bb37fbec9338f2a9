"""What is proved for every number of vCPUs has no counterexample: the corpus and its mutants.

By default a few mutants of each file are taken, one claim of each. `FLUSHPROOF_MUTANTS` gives the
number of mutants of each file; 15 are more than two hundred in all, and take some minutes. Where a
mutant does something undefined with fewer vCPUs than it takes to refute the claim, that is what is
told; a mutant that loops for ever is not accepted.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.unbounded import prove
from flushproof.features.mutation.mutants import make_mutants
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine, build_machine
from flushproof.pipeline import Passes
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options
from flushproof.verify.portfolio import Question, decide_claims
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.places import NAMES, SPECS

EACH = int(os.environ.get("FLUSHPROOF_MUTANTS", "2"))
EFFORT = 300 if EACH <= 2 else 3_000
CLAIMS = ("failure_kept", "no_wasted", "no_bogus", "no_repeat", "coverage", "range_kept")
ANSWERS = ("proved", "bounded", "refuted", "unknown")
LONG = ("flush_unlocked", "load_unlocked", "lock_order", "store_late") if EACH <= 2 else ()
"""Variants whose mutants take several times as long as others, left out where few are asked."""
FEW = Bounds((1, 3), 1, 2, 1)


def _proved_for_all(machine: Machine, claim: str) -> bool:
    forall = ForAll(machine, evidence=False)
    program = machine.with_claims((claim,))
    return isinstance(forall.prove(program), Evidence)


def _look(machine: Machine, claim: str) -> Verdict:
    """Look for a counterexample with up to three vCPUs, and with two by the enumerator."""
    (result,) = decide_claims(machine, Question((claim,), FEW))
    outcome = enumerate_claim(machine.with_claims((claim,)), Sizes(2, 1, 1), claim, 5_000)
    if outcome.found is not None and not result.reason.startswith("undefined behaviour"):
        assert result.verdict is Verdict.REFUTED
    return result.verdict


def _check(machine: Machine, claim: str, count: Counter[str]) -> None:
    verdict = _look(machine, claim)
    proved = _proved_for_all(machine, claim)
    count[str(verdict)] += 1
    count["for all"] += proved
    assert not proved or verdict in (Verdict.PROVED, Verdict.BOUNDED), claim


@pytest.mark.sample("cache_read_early", "enum_cached", "mismatch_flag", "vcpu0_first")
@pytest.mark.parametrize("spec", [n for n in NAMES if n not in LONG])
def test_proofs_for_all_have_no_counterexample(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An abstraction that loses a step of some vCPU would prove what is false.

    Guards Lemma L18 of docs/soundness.md.
    """
    monkeypatch.setattr(prove, "EFFORT", EFFORT)
    start = Passes(str(SPECS / f"{spec}.spec"), None, Options()).origin
    found = make_mutants(start.setup)
    count: Counter[str] = Counter()
    stride = max(1, len(found) // EACH)
    for mutant in found[NAMES.index(spec) % stride :: stride][:EACH]:
        claim = CLAIMS[(mutant.number + NAMES.index(spec)) % len(CLAIMS)]
        try:
            _check(build_machine(start.again(mutant.source)).within(FEW), claim, count)
        except InputError:
            count["not accepted"] += 1
    sys.stdout.write(f"{spec}: {dict(count)}\n")
    assert sum(count[x] for x in (*ANSWERS, "not accepted")) == EACH


@pytest.mark.sample("failure_kept-True")
@pytest.mark.parametrize(
    ("old", "new", "claim", "proved"),
    [
        ("if (!ret)\n", "if (ret == 0)\n", "failure_kept", True),
        ("if (!ret)\n", "if (1)\n", "failure_kept", False),
        ("ret && nr_roots > 1", "!ret && nr_roots > 1", "coverage", False),
        ("if (!ret)\n", "if (1)\n", "no_wasted", False),
    ],
)
def test_both_outcomes_occur(old: str, new: str, claim: str, proved: bool) -> None:
    """If all mutants came out alike, agreement on them would mean nothing."""
    start = Passes(str(SPECS / "counter_first.spec"), None, Options()).origin
    source = start.setup.variant
    assert old in source.text
    machine = build_machine(
        start.again(type(source)(source.name, source.text.replace(old, new, 1)))
    )
    machine = machine.within(FEW)
    assert (_look(machine, claim) is Verdict.BOUNDED) == proved
    assert _proved_for_all(machine, claim) == proved

"""Steps that have nothing to do with each other by their code alone."""

from __future__ import annotations

import pytest

from flushproof.engines.reduction.commutativity import ThreadCounts
from flushproof.engines.reduction.step_plan import make_plan
from flushproof.engines.reduction.touched_fields import Touched
from support.machines import plan_of, program_of

CASES = (
    ("counter_first", "coverage"),
    ("counter_first", "cache_sound"),
    ("rwlock_readers", "no_race"),
    ("lock_order", "no_deadlock"),
)


@pytest.mark.parametrize(("variant", "claim"), CASES)
def test_no_conflict_is_missed(variant: str, claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps taken to be strangers by their text that are not would be taken to commute."""
    quick = plan_of(variant, claim)
    monkeypatch.setattr(Touched, "meets", lambda _mine, _other: True)
    executed = make_plan(program_of(variant, claim), ThreadCounts(None, 1))
    assert (quick.atomicity, quick.order) == (executed.atomicity, executed.order)

"""Some changed texts for each target, the same ones each time; `campaign.py` goes on."""

from __future__ import annotations

import random

import pytest

from fuzz.mutate import LONGEST, mutate
from fuzz.targets import TARGETS

TRIED = {"variant": 40, "kernel": 30, "spec": 30, "claims": 20, "prelude": 50}
OTHERS = 100


@pytest.mark.sample("variant")
@pytest.mark.parametrize("name", TARGETS)
def test_changed_texts(name: str) -> None:
    """Whatever a file holds, it is accepted or refused with a message that can be read."""
    target = TARGETS[name]
    seeds = target.seeds()
    chance = random.Random(f"flushproof {name}")
    for _ in range(TRIED.get(name, OTHERS)):
        target.accepts(mutate(chance.choice(seeds), seeds, chance))


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    """A target that refused its own seeds would test nothing."""
    target = TARGETS[name]
    assert any(target.accepts(seed) for seed in target.seeds()), name


def test_changes_stay_short() -> None:
    """A text that grows without an end would only test patience."""
    chance = random.Random(1)
    text = b"int x; { } ( )"
    for _ in range(40):
        text = mutate(text, (b"a b c",), chance)
        assert len(text) <= LONGEST

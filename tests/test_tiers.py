"""The sample that plain `pytest` runs has something of each kind, and `.ci/run` runs all."""

from __future__ import annotations

import re
import shlex

import pytest

from support.places import SPEC_FILES, TESTS, TOP
from support.tiers import FAST, SAMPLED_SPECS, TIERS, Tiers, lumps, seeds_of

RUN = (TOP / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def tiers(request: pytest.FixtureRequest) -> Tiers:
    """Return what was collected; a part of it would tell little."""
    found = request.config.stash[TIERS]
    if not {*TESTS.rglob("test_*.py"), *SPEC_FILES} <= found.siblings.keys():
        pytest.skip("only a run of all files knows them")
    return found


def test_a_slow_module_has_a_fast_sibling(tiers: Tiers) -> None:
    """A kind of test that the sample has nothing of breaks unseen until all tests are run."""
    alone = {p: s for p, s in tiers.slow_throughout.items() if p.suffix == ".py"}
    assert all(s is not None and TOP / s in tiers.fast for s in alone.values()), alone


def test_the_corpus_is_sampled(tiers: Tiers) -> None:
    """Without one, the sample would not see that spec files are no longer items."""
    assert tiers.fast >= SAMPLED_SPECS


def test_samples_name_what_is_there(tiers: Tiers) -> None:
    """A parameter that is renamed would leave the sample in silence."""
    assert not tiers.idle_words


def _pytest_lines(text: list[str]) -> list[list[str]]:
    words = (re.sub(r"^.*?python -m pytest", "pytest", x) for x in text if "-m pytest" in x)
    return [shlex.split(x) for x in words]


def test_ci_runs_what_the_readme_says_and_the_rest() -> None:
    """A tier that nobody runs is no test."""
    readme = _pytest_lines((TOP / "README.md").read_text(encoding="utf-8").splitlines())
    assert readme == [["pytest", "-n", "auto"]]
    assert _pytest_lines(RUN) == [*readme, [*readme[0], "-m", "slow"]]


def test_plain_pytest_is_the_sample(pytestconfig: pytest.Config) -> None:
    """The two lines above are all tests only if the first has what the second leaves out."""
    words = pytestconfig.getini("addopts")
    assert words[words.index("-m") + 1] == FAST


def test_lumps_have_every_seed_once() -> None:
    """A seed between two ranges would never be run."""
    ranges = [seeds_of(p) for p in lumps(5, 100, 30, quick=7)]
    assert [n for r in ranges for n in r] == list(range(5, 105))
    assert [len(r) for r in ranges] == [7, 30, 30, 30, 3]
    assert lumps(0, 3, 10, quick=7) == [range(3)]

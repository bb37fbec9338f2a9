"""The corpus through the pytest plugin, and what its files have in common."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.resolve import from_spec
from flushproof.runner.expectations import read_expectations
from support.places import NAMES, SPECS, TOP

SOURCE = str(TOP / "src")

# The verdicts that an exhaustive execution of the compiled C gave, by the number of vCPUs of the
# smallest counterexample.
FOUND: dict[str, dict[str, int]] = {
    "enum_status": {"coverage": 2, "no_repeat": 3, "no_bogus": 1, "no_wasted": 2, "converges": 2},
    "enum_cached": {"no_repeat": 3, "no_wasted": 2},
    "mismatch_flag": {"no_repeat": 3, "no_bogus": 1, "no_wasted": 2},
    "vcpu0_first": {"no_repeat": 2, "no_bogus": 1, "no_wasted": 2, "converges": 3},
    "counter_late": {"no_repeat": 3, "no_bogus": 1},
    "counter_first": {"no_repeat": 3, "no_bogus": 1},
    "dedup_all": {},
}

# What the enumerator finds within the bounds of each spec.
FOUND |= {
    "cache_read_early": {"no_bogus": 1},
    "cache_read_late": {"coverage": 2, "no_bogus": 1},
    "early_return": {"no_bogus": 1},
    "flush_unlocked": {"coverage": 1, "no_bogus": 1, "converges": 1},
    "hypercall_unlocked": {"no_repeat": 3, "no_bogus": 1},
    "load_unlocked": {"coverage": 1, "no_bogus": 1, "converges": 1},
    "lock_order": {"no_bogus": 1},
    "rwlock_readers": {"coverage": 1, "no_bogus": 1},
    "rwlock_walk": {"no_bogus": 1},
    "store_late": {"coverage": 1, "no_bogus": 1, "converges": 1},
}


@pytest.mark.parametrize("name", NAMES)
def test_specs_expect_what_was_measured(name: str) -> None:
    """A spec bent to fit the program would hide that the program is wrong."""
    expected = {
        claim: verdict for claim, verdict, _ in read_expectations(str(SPECS / f"{name}.spec"))
    }
    for claim in ("coverage", "no_repeat", "no_bogus", "no_wasted", "converges"):
        n = FOUND[name].get(claim)
        holds = ("proved for every", "proved", "bounded") if n is None else (f"refuted at {n}",)
        assert expected[claim] in holds, claim


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_is_expected(name: str) -> None:
    """A claim without an expectation is never checked."""
    setup = from_spec(str(SPECS / f"{name}.spec"))
    assert {e.claim for e in setup.expectations} == {c.name for c in setup.claims}
    assert setup.name == name
    assert Path(setup.variant.name).stem == name


@pytest.mark.slow
def test_through_the_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pytest specs/` is how the corpus is checked; every expectation is one item.

    One file is enough: a run of all tests collects the others itself.
    """
    name = "enum_status"
    monkeypatch.setenv("PYTHONPATH", SOURCE + os.pathsep + os.environ.get("PYTHONPATH", ""))
    for suffix in ("spec", "c"):
        shutil.copy(SPECS / f"{name}.{suffix}", pytester.path)
    done = pytester.runpytest_subprocess("-p", "flushproof.pytest_plugin", "-q")
    done.assert_outcomes(passed=len(load_builtin().claims))


@pytest.mark.slow
def test_a_wrong_expectation_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item that cannot fail would check nothing."""
    monkeypatch.setenv("PYTHONPATH", SOURCE + os.pathsep + os.environ.get("PYTHONPATH", ""))
    shutil.copy(SPECS / "enum_status.c", pytester.path)
    text = (SPECS / "enum_status.spec").read_text()
    (pytester.path / "x.spec").write_text(text.replace("coverage refuted at 2", "coverage proved"))
    done = pytester.runpytest_subprocess("-p", "flushproof.pytest_plugin", "-q", "-k", "coverage")
    done.assert_outcomes(failed=1, deselected=len(load_builtin().claims) - 1)
    done.stdout.fnmatch_lines(["refuted  coverage *"])

"""Where the things that tests read are."""

from __future__ import annotations

from pathlib import Path

TOP = Path(__file__).parents[2]
TESTS = TOP / "tests"
SPECS = TOP / "specs"
TREES = TESTS / "kernel" / "trees"

SPEC_FILES = tuple(sorted(SPECS.glob("*.spec")))
NAMES = tuple(p.stem for p in SPEC_FILES)
"""The variants that have a spec, by the names under which `machine` has them."""

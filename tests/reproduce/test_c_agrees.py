"""The corpus, compiled by gcc and interpreted: the same state after each operation."""

from __future__ import annotations

from pathlib import Path

import pytest

from c_harness import LENGTH, compiled, interpreted, sequences
from flushproof.machine.build import build
from flushproof.spec.resolve import from_spec
from small_c import have_gcc

pytestmark = pytest.mark.skipif(
    not have_gcc(), reason="gcc is not installed, so nothing says what the C means"
)

FOLDER = Path(__file__).parents[2] / "specs"
SPECS = sorted(FOLDER.rglob("*.spec"))
VARIANTS = {from_spec(str(p)).variant.name: p for p in SPECS}
MOST_VCPUS = 3
OPERATIONS = 10_500


@pytest.mark.parametrize("name", sorted(VARIANTS), ids=lambda n: Path(n).stem)
def test_state_is_the_same(name: str, tmp_path: Path) -> None:
    """Where they differ, the verdicts are about something that the C does not say."""
    machine = build(from_spec(str(VARIANTS[name])))
    count = -(-OPERATIONS // (len(VARIANTS) * LENGTH))
    vcpus = min(machine.setup.bounds.vcpus[1], MOST_VCPUS)
    wanted = sequences(machine, vcpus, count, Path(name).stem)
    theirs = compiled(machine, vcpus, wanted, tmp_path).splitlines()
    ours = interpreted(machine, vcpus, wanted).splitlines()
    assert ours == theirs
    assert len(ours) == count * LENGTH


def test_there_is_enough_of_it() -> None:
    """At least ten thousand operations are compared over all files."""
    count = -(-OPERATIONS // (len(VARIANTS) * LENGTH))
    assert count * LENGTH * len(VARIANTS) >= 10_000

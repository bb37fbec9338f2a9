"""The gallery of bugs: each is refuted before its fix and holds after it, by the enumerator too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import build_machine
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.places import TOP
from support.scripts import load_script

FEWEST = 24
LONGEST = 60
"""Lines of code, the head and empty lines not counted."""


GALLERY = load_script(TOP / "docs" / "gallery.py")
REGENERATE = load_script(TOP / "examples" / "regenerate.py")
BUGS: dict[str, Path] = {folder.name: folder for folder in GALLERY.list_bugs()}


def test_there_are_many() -> None:
    """A gallery that shrinks unseen is none."""
    assert len(BUGS) >= FEWEST


@pytest.mark.parametrize("name", list(BUGS))
def test_each_names_its_source_and_is_short(name: str) -> None:
    """A reader has to find the bug elsewhere, and to see it in one look."""
    source, wrong = GALLERY.describe_bug(BUGS[name])
    assert re.search(r"\b(19|20)\d\d\b|a bug of (several|many)|KVM", source), source
    assert 1 <= wrong.count("\n") + 1 <= 3
    for which in ("before.c", "after.c"):
        code = (BUGS[name] / which).read_text(encoding="utf-8").partition(" */\n")[2]
        assert len([line for line in code.splitlines() if line.strip()]) <= LONGEST


def test_the_page_is_made_from_the_bugs() -> None:
    """A bug that is on the page only, or otherwise than in its file, is not decided."""
    page = (TOP / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert REGENERATE.without_outputs(page) == GALLERY.make_page()


@pytest.mark.sample("lazy_idle", "ipi_spinner")
@pytest.mark.parametrize("name", list(BUGS))
def test_the_enumerator_agrees(name: str) -> None:
    """The solver may not be alone in what it says of a bug."""
    claim = GALLERY.name_claim(BUGS[name])
    for which, wanted in (("before", Verdict.REFUTED), ("after", Verdict.BOUNDED)):
        machine = build_machine(from_spec(str(BUGS[name] / f"{which}.spec")))
        asked = Question((claim,), machine.setup.bounds, engine="enumerate")
        (result,) = decide_claims(machine, asked)
        assert result.verdict is wanted, (which, result.reason)


def test_most_fixes_are_proved_for_every_number() -> None:
    """What holds within bounds only leaves a reader with the question of the next CPU."""
    proved = [f for f in BUGS.values() if "for every" in (f / "after.spec").read_text()]
    assert len(proved) * 3 >= len(BUGS) * 2

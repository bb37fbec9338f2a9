"""README.md, the walk in examples/README.md and the tutorial show what the tool prints today."""

from __future__ import annotations

import re

import pytest

from flushproof.cli.spec_files import find_specs
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.resolve import from_spec
from flushproof.report.summary import render
from flushproof.results.verdict import ClaimResult, Expected, Report, Verdict
from flushproof.support.record import replace
from support.places import TOP
from support.report_samples import SCOPE, Made, result
from support.scripts import load_script

REGENERATE = load_script(TOP / "examples" / "regenerate.py")
README, WALK, TUTORIAL, GALLERY = (page.read_text(encoding="utf-8") for page in REGENERATE.PAGES)
SHOWN = tuple(b for page in (README, WALK, TUTORIAL, GALLERY) for b in REGENERATE.blocks(page))
BLOCKS: dict[str, str] = dict(SHOWN)
CHECKS = {c.removeprefix("flushproof check "): shown for c, shown in SHOWN if " check " in c}
DECIDED_ELSEWHERE = ("flushproof check specs/", "flushproof check specs/counter_late.spec")
"""Whole files that are checked: what is expected of them is decided by their own items."""


def _expected(setup: Setup, claim: str, wanted: Expected) -> ClaimResult:
    """Return the result that is expected of a claim, no more and no less."""
    scope = SCOPE if wanted.every_number else replace(SCOPE, vcpus=setup.bounds.vcpus)
    found = result(wanted.verdict, claim, Made(scope, expected=wanted))
    return replace(found, smallest_vcpus=wanted.vcpus)


def _as_expected(spec: str) -> Report:
    setup = from_spec(spec)
    stated = {
        e.claim: Expected(Verdict(e.verdict), e.vcpus, e.every_number) for e in setup.expectations
    }
    results = tuple(_expected(setup, claim, wanted) for claim, wanted in stated.items())
    return Report(spec, "", setup.name, "", results)


@pytest.mark.parametrize("asked", CHECKS)
def test_tables_show_what_specs_expect(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the page shows another verdict than the one that is decided for the spec.

    Each of these verdicts is decided where the spec file is run, so that none is decided again.
    """
    monkeypatch.chdir(TOP)
    reports = [_as_expected(spec) for spec in find_specs(asked.split())]
    assert render(reports, {}) == CHECKS[asked]


@pytest.mark.sample("refute specs/enum_cached", "examples/no_lock.c --explain-atomicity")
@pytest.mark.parametrize(
    ("command", "shown"),
    [pytest.param(c, s, id=c) for c, s in BLOCKS.items() if not c.startswith(DECIDED_ELSEWHERE)],
)
def test_the_pages_show_what_the_tool_prints(command: str, shown: str) -> None:
    """If this fails, a reader who types the command sees something else than the page says.

    `python examples/regenerate.py` brings the pages up to date.
    """
    assert REGENERATE.output(command) == shown


def test_every_command_of_the_walk_is_in_a_block() -> None:
    """If this fails, the walk shows a command whose output nothing compares."""
    commands = re.findall(
        r"^\W*flushproof (?:prove|refute|check|nfc|review)\b.*$", WALK, re.MULTILINE
    )
    assert [c.lstrip("$ ") for c in commands] == [c for c, _ in REGENERATE.blocks(WALK)]


def test_one_command_has_one_output() -> None:
    """If this fails, the pages contradict each other."""
    assert len(set(SHOWN)) == len(BLOCKS)


def test_the_walk_visits_every_variant() -> None:
    """If this fails, a variant under `specs/` is explained nowhere."""
    for variant in (TOP / "specs").glob("*.c"):
        assert f"`{variant.name}`" in WALK, variant.name


def test_a_block_is_replaced_whole() -> None:
    """If this fails, regenerating leaves parts of an old output behind, or eats the text after."""
    page = "a\n```console\n$ flushproof --version\nold\n\nolder\n```\nb\n"
    new = REGENERATE.rewritten(page)
    assert new.startswith("a\n```console\n$ flushproof --version\nflushproof ")
    assert new.endswith("\n```\nb\n")
    assert "old" not in new

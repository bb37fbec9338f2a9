"""README.md, ARCHITECTURE.md and the pages of docs/ speak of what is there."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flushproof.cli.arguments import KEYS
from flushproof.cli.main import build_command_line
from flushproof.report.formats import FORMATS
from flushproof.runner.expectations import ExpectationChecker, read_expectations
from support.places import TOP

README = (TOP / "README.md").read_text(encoding="utf-8")
USAGE = (TOP / "docs" / "usage.md").read_text(encoding="utf-8")
PAGES = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "examples/README.md"),
    *("docs/usage.md", "docs/tutorial.md", "docs/limits.md", "docs/grammar.md", "docs/faq.md"),
    "CHANGELOG.md",
)
SOURCE = TOP / "src" / "flushproof"
PLACES = (
    TOP,
    SOURCE,
    SOURCE / "engines/reduction",
    SOURCE / "engines/bounded",
    SOURCE / "engines/symbolic",
    SOURCE / "engines/smt",
    SOURCE / "engines/unbounded",
    SOURCE / "engines/interpreter",
    SOURCE / "features/nfc",
    SOURCE / "frontend/kernel",
    SOURCE / "frontend/c",
    SOURCE / "machine/store_buffers",
    SOURCE / "verify",
)


def _parsers(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield top
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _parsers(command)


def _table(head: str) -> list[str]:
    """Return the first cells of the table whose head begins like this."""
    rows = f"{README}\n{USAGE}\n".partition(f"| {head} |")[2].splitlines()[2:]
    table = rows[: next(k for k, row in enumerate(rows) if not row.startswith("|"))]
    return [row.split("|")[1] for row in table]


def test_the_options_are_those_of_the_command_line() -> None:
    """If this fails, the table lacks an option, or names one that does not exist."""
    named = {o for cell in _table("option") for o in re.findall(r"--[\w-]+", cell)}
    known = {
        o for p in _parsers(build_command_line()) for a in p._actions for o in a.option_strings
    }
    assert named == {o for o in known if o.startswith("--")}


def test_the_commands_are_those_of_the_command_line() -> None:
    """If this fails, the README hides a command, or promises one that does not exist."""
    named = [re.findall(r"`flushproof ([\w-]+)", cell)[0] for cell in _table("command")]
    assert sorted(named) == sorted(build_command_line().commands())


def test_the_settings_are_those_that_are_accepted() -> None:
    """If this fails, the page lacks a setting, or names one that is refused."""
    listed = USAGE.partition("Keys are the names of options: ")[2].partition(".")[0]
    assert re.findall(r"`([\w-]+)`", listed) == [k.name for k in KEYS]


def test_the_readme_is_short() -> None:
    """If this fails, what sells and teaches takes more than two screens: move details to docs/."""
    assert len(README.splitlines()) <= 100


def test_the_choices_are_those_of_the_command_line() -> None:
    """If this fails, the table shows a choice that is refused, or hides one that is not."""
    cells = _table("option")
    for p in _parsers(build_command_line()):
        for action in p._actions:
            shown = next((c for c in cells if f"`{'/'.join(action.option_strings)} " in c), None)
            if action.choices is not None and shown is not None:
                words = re.findall(r"`(?:--\w+ )?(\w+)`", shown)
                if words[0].islower():
                    assert words == list(action.choices)


def test_the_claims_are_those_that_are_checked() -> None:
    """If this fails, a claim is checked that the table does not explain, or the other way round."""
    claims = (TOP / "specs" / "claims.claims").read_text(encoding="utf-8")
    known = re.findall(r"^claim (\w+)", claims, re.MULTILINE)
    assert re.findall(r"\w+", " ".join(_table("claim"))) == known


def test_the_formats_are_those_of_the_command_line() -> None:
    """If this fails, the page lacks a form of output, or names one that is refused."""
    listed = USAGE.partition("write, with `--format`: ")[2].partition(". Errors")[0]
    named = re.findall(r"(?:^|[;,] |and )`([a-z]+)`", re.sub(r"\s+", " ", listed))
    assert ["text", *named] == list(FORMATS)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """If this fails, a reader follows a link to nothing."""
    text = re.sub(r"(?ms)^```.*?^```$", "", (TOP / page).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or ((TOP / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    """If this fails, the page speaks of a file that is gone."""
    text = (TOP / page).read_text(encoding="utf-8").replace("`mine.c`", "")
    named = re.findall(
        r"`([\w./-]+(?:/|\.(?:py|c|h|md|claims|defaults|profiles|lark|json|toml)))`", text
    )
    missing = [n for n in named if not any((p / n).exists() for p in (*PLACES, TOP / "specs"))]
    assert missing == []


def test_the_example_spec_is_accepted(tmp_path: Path) -> None:
    """If this fails, a user who starts from the page's spec gets an error."""
    blocks = re.findall(r"(?:^(?:    .*)?\n)+", USAGE, re.MULTILINE)
    spec = next(b for b in blocks if b.lstrip().startswith("spec "))
    claim = next(b for b in blocks if b.lstrip().startswith("claim "))
    variant = (TOP / "specs" / "mismatch_flag.c").read_text(encoding="utf-8")
    (tmp_path / "mine.c").write_text(variant, encoding="utf-8")
    path = tmp_path / "mine.spec"
    wanted = spec.replace("no_repeat refuted at 3;", "at_most_two refuted at 3;")
    path.write_text(wanted + claim, encoding="utf-8")
    assert [name for name, _, _ in read_expectations(str(path))] == ["coverage", "at_most_two"]
    (result,) = ExpectationChecker(str(path)).check("at_most_two").results
    assert result.as_expected


def test_the_figures_of_the_faq_are_those_of_the_benchmarks() -> None:
    """A figure that nobody measured, or measured long ago, is an advertisement."""
    table = (TOP / "docs" / "faq.md").read_text(encoding="utf-8").partition("| CPU s |")[2]
    rows = [row.split("|")[2].strip() for row in table.splitlines()[2:] if row.startswith("|")]
    measured = (TOP / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert len(rows) == 4
    assert all(f"| {figure} |" in measured for figure in rows)


def test_the_citation_is_of_this_version() -> None:
    """Who cites an old version cites other proofs."""
    from flushproof import __version__

    cited = yaml.safe_load((TOP / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == __version__
    assert cited["license"] == "MIT"
    assert f"## {__version__}" in (TOP / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_first_commands_work_one_after_the_other() -> None:
    """Who types what stands there must have the program at hand for the tutorial, too."""
    first = README.partition("## Try it")[2]
    assert ". .venv/bin/activate" in first
    assert ".venv/bin/flushproof" not in first
    for command in re.findall(r"^    (flushproof .*)$", first, re.MULTILINE):
        build_command_line().parse_args(command.split()[1:])
        assert (TOP / command.split()[-1]).exists()

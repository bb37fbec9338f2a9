"""The page that argues for the verdicts names modules and tests that there are; they name it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from flushproof.support.record import Record
from support.places import TOP

PAGE = TOP / "docs" / "soundness.md"
CODE = TOP / "src" / "flushproof"
WIDTH = 100
LINES = 760
ARGUMENT = 15

_LEMMA = re.compile(r"^### L(\d+)\. [^\n]+\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"\bLemma L(\d+)\b")
_LABELS = ("Assumes", "Argument", "Source", "Modules", "Tests")


class Lemma(Record, frozen=True):
    """A lemma of the page: its number, and what stands behind each label."""

    number: int
    text: str

    def part(self, label: str) -> str:
        """Return what stands behind a label, "" if nothing does."""
        here = re.compile(rf"^\*{label}[.*:]+ ?(.*?)(?=^\*|^$|\Z)", re.MULTILINE | re.DOTALL)
        found = here.search(self.text)
        return "" if found is None else found[1].strip()

    def named(self, label: str) -> list[str]:
        """Return what stands in backquotes behind a label."""
        return re.findall(r"`([^`]+)`", self.part(label))


@cache
def _lemmas() -> tuple[Lemma, ...]:
    found = _LEMMA.finditer(PAGE.read_text(encoding="utf-8"))
    return tuple(Lemma(int(m[1]), m[2]) for m in found)


def _docstring(path: Path, name: str | None) -> str:
    """Return the docstring of a module, or of one of its functions and the module's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = ast.get_docstring(tree) or ""
    if name is None:
        return whole
    functions = (x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name == name)
    return whole + (ast.get_docstring(next(functions)) or "")


def _numbers(text: str) -> set[int]:
    return {int(n) for n in _NAMED.findall(text)}


def _named_in(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in sorted(folder.rglob("*.py")):
        for number in sorted(_numbers(path.read_text(encoding="utf-8"))):
            yield path, number


def test_numbers_follow_each_other() -> None:
    """A number that is used twice, or none, leads a reader astray."""
    assert [x.number for x in _lemmas()] == list(range(1, len(_lemmas()) + 1))
    assert _lemmas()


@pytest.mark.parametrize("lemma", _lemmas(), ids=lambda x: f"L{x.number}")
def test_a_lemma_is_whole(lemma: Lemma) -> None:
    """An argument without its assumptions, or one too long to follow, cannot be refereed."""
    assert all(map(lemma.part, _LABELS))
    assert lemma.part("Argument").count("\n") < ARGUMENT


@pytest.mark.parametrize("lemma", _lemmas(), ids=lambda x: f"L{x.number}")
def test_modules_are_there_and_say_so(lemma: Lemma) -> None:
    """Whoever changes the code has to see that an argument rests on it."""
    modules = lemma.named("Modules")
    assert modules
    for name in modules:
        assert lemma.number in _numbers(_docstring(CODE / name, None)), name


@pytest.mark.parametrize("lemma", _lemmas(), ids=lambda x: f"L{x.number}")
def test_tests_are_there_and_say_so(lemma: Lemma) -> None:
    """A test that is gone, or renamed, notices nothing."""
    tests = lemma.named("Tests")
    assert tests
    for name in tests:
        path, function = name.split("::")
        assert function.startswith("test_")
        assert lemma.number in _numbers(_docstring(TOP / path, function)), name


@pytest.mark.parametrize("folder", ["src/flushproof", "tests"])
def test_what_is_named_is_on_the_page(folder: str) -> None:
    """A lemma that is named and not argued for is an empty promise, and so is one not listed."""
    listed = {
        (CODE / name if label == "Modules" else TOP / name.split("::")[0], x.number)
        for x in _lemmas()
        for label in ("Modules", "Tests")
        for name in x.named(label)
    }
    assert set(_named_in(TOP / folder)) <= listed


def test_the_page_can_be_read() -> None:
    """It is read beside code."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH

"""Names in the source: no class name stands for two things, functions are a verb and an object."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import flushproof

SOURCE = Path(flushproof.__file__).parent

ALLOWED = frozenset(
    {
        # commands, and the passes that bear their names
        "main",
        "run",
        "prove",
        "nfc",
        "compare",
        "review",
        "reproduce",
        "replay",
        "recheck",
        "mutate",
        # stages, and words of the field
        "tokenise",
        "preprocess",
        "evaluate",
        "implies",
        "render",
        # trees
        "walk",
        "children",
    }
)
"""Single words that say all there is to say."""


@cache
def _modules() -> tuple[tuple[str, ast.Module], ...]:
    """Return the path and the syntax of each module of the package."""
    return tuple(
        (path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(SOURCE.rglob("*.py"))
    )


def _repeated_classes(modules: Iterable[tuple[str, ast.Module]]) -> dict[str, list[str]]:
    """Return the names that several classes have, with the modules they are in."""
    places = defaultdict(list)
    for path, module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    return {name: found for name, found in places.items() if len(found) > 1}


def _single_words(modules: Iterable[tuple[str, ast.Module]]) -> dict[str, list[str]]:
    """Return the public top-level functions whose names are one word, with their modules."""
    places = defaultdict(list)
    for path, module in modules:
        for node in module.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "_" not in node.name:
                places[node.name].append(path)
    return dict(places)


def test_no_class_name_twice() -> None:
    """A reader who meets a class name knows which class is meant."""
    assert _repeated_classes(_modules()) == {}


def test_functions_are_a_verb_and_an_object() -> None:
    """A single word is on the list, and no word stays there once nothing bears it."""
    found = _single_words(_modules())
    assert {name: places for name, places in found.items() if name not in ALLOWED} == {}
    assert found.keys() >= ALLOWED


def test_checks_see_what_they_forbid() -> None:
    """Two classes of one name are noticed, and so is a function of one word."""
    code = ast.parse("class A: ...\ndef told(): ...\ndef is_told(): ...\ndef _told(): ...\n")
    assert _repeated_classes([("a.py", code), ("b.py", code)]) == {"A": ["a.py", "b.py"]}
    assert _single_words([("a.py", code)]) == {"told": ["a.py"]}

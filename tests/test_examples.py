"""The walk in `examples/README.md` shows what the tool prints today."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).parent.parent
PAGE = TOP / "examples" / "README.md"


def _regenerate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", TOP / "examples" / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REGENERATE = _regenerate()
BLOCKS: tuple[tuple[str, str], ...] = REGENERATE.blocks(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[command for command, _ in BLOCKS])
def test_the_walk_shows_what_the_tool_prints(command: str, shown: str) -> None:
    """If this fails, a reader who types the command sees something else than the page says.

    `python examples/regenerate.py` brings the page up to date.
    """
    assert REGENERATE.output(command) == shown


def test_every_command_of_the_walk_is_in_a_block() -> None:
    """If this fails, the page shows a command whose output nothing compares."""
    page = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^\W*flushproof (?:prove|refute|check)\b.*$", page, re.MULTILINE)
    assert [c.lstrip("$ ") for c in commands] == [command for command, _ in BLOCKS]


def test_the_walk_visits_every_variant() -> None:
    """If this fails, a variant under `specs/` is explained nowhere."""
    page = PAGE.read_text(encoding="utf-8")
    for variant in (TOP / "specs").glob("*.c"):
        assert f"`{variant.name}`" in page, variant.name


def test_a_block_is_replaced_whole() -> None:
    """If this fails, regenerating leaves parts of an old output behind, or eats the text after."""
    page = "a\n```console\n$ flushproof --version\nold\n\nolder\n```\nb\n"
    new = REGENERATE.rewritten(page)
    assert new.startswith("a\n```console\n$ flushproof --version\nflushproof ")
    assert new.endswith("\n```\nb\n")
    assert "old" not in new

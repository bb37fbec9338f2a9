"""The parser's table on disk: used when whole, made anew when not, never needed."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

from flushproof.frontend.c.grammar import STARTS, build_parser
from flushproof.frontend.c.parse_table_cache import cached_parser


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "flushproof"


def _build() -> lark.Lark:
    return lark.Lark('start: "a"+', parser="lalr", lexer="basic")


def _refuse() -> lark.Lark:
    raise AssertionError("the table is built although it is there")


def test_a_table_is_built_once(folder: Path) -> None:
    """A second process must not pay again."""
    cached_parser(_build, ("x",))
    assert cached_parser(_refuse, ("x",)).parse("aa").data == "start"
    assert [f.name.startswith("table-") for f in folder.iterdir()] == [True]


def test_another_grammar_is_another_table(folder: Path) -> None:
    """A table of an old grammar would parse a language that is no more."""
    cached_parser(_build, ("x",))
    with pytest.raises(AssertionError):
        cached_parser(_refuse, ("y",))
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_table_is_built_anew(folder: Path, damage: bytes | None) -> None:
    """Whatever has become of the file, the parser works and the file is mended."""
    cached_parser(_build, ("x",))
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?" if damage is None else damage)
    assert cached_parser(_build, ("x",)).parse("a").data == "start"
    assert cached_parser(_refuse, ("x",)).parse("a").data == "start"


def test_no_folder_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only home must not stop anyone from checking a file."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cached_parser(_build, ("x",)).parse("a").data == "start"


def test_the_parser_is_the_same_from_the_cache(folder: Path) -> None:
    """The grammar's own parser must survive being written and read."""
    built = cached_parser(build_parser, ("x",))
    read = cached_parser(_refuse, ("x",))
    assert folder.is_dir()
    assert read.options.start == built.options.start == list(STARTS)
    assert [str(r) for r in read.rules] == [str(r) for r in built.rules]
    assert [t.name for t in read.terminals] == [t.name for t in built.terminals]

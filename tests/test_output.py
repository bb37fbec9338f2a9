"""Writing files: whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from flushproof.cli.main import main
from flushproof.support import atomic_write
from flushproof.support.diagnostics import InputError


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_writes_and_replaces(tmp_path: Path) -> None:
    """A second run replaces the file, keeps its permissions and leaves nothing else behind."""
    target = tmp_path / "page.html"
    atomic_write.write_atomically(str(target), "one")
    target.chmod(0o640)
    atomic_write.write_atomically(str(target), "two\n\u00fc")
    assert target.read_text(encoding="utf-8") == "two\n\u00fc"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert _names(tmp_path) == ["page.html"]


def test_follows_links(tmp_path: Path) -> None:
    """A link stays a link; the file behind it is replaced."""
    target, link = tmp_path / "a", tmp_path / "b"
    target.write_text("old")
    link.symlink_to(target)
    atomic_write.write_atomically(str(link), "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs neither the old file nor leaves half a new one."""
    target = tmp_path / "page.html"
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError) as stopped:
        atomic_write.write_atomically(str(target), "new" * 1000)
    assert stopped.value.diagnostics[0].title == (
        f"cannot write `{target}`: no space left on device"
    )
    assert target.read_text() == "old"
    assert _names(tmp_path) == ["page.html"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".", "it is a folder"),
        ("no/such/page.html", "there is no folder"),
        ("loop", "loop"),
        ("pipe", "it is no regular file"),
        ("x" * 300, "too long"),
        ("a\0b", "null"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, reason: str) -> None:
    """Each obstacle is named, before anything is decided."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError) as stopped:
        atomic_write.check_writable(str(tmp_path / name))
    assert reason in stopped.value.diagnostics[0].title
    assert stopped.value.exit_code == 2


def test_a_slip_costs_no_source(tmp_path: Path) -> None:
    """`--html` before the files of a command would else replace the first of them."""
    source = tmp_path / "x.c"
    source.write_text("int x;")
    for call in (
        atomic_write.check_writable,
        lambda p, b: atomic_write.write_atomically(p, "<!DOCTYPE html>", b),
    ):
        with pytest.raises(InputError) as stopped:
            call(str(source), atomic_write.PAGE)
        assert "is there already" in stopped.value.diagnostics[0].title
    assert source.read_text() == "int x;"
    for old in ("", "<!DOCTYPE html>\nold"):
        source.write_text(old)
        atomic_write.write_atomically(str(source), "<!DOCTYPE html>\nnew", atomic_write.PAGE)
    assert source.read_text() == "<!DOCTYPE html>\nnew"


def test_no_page_without_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that is asked for in vain is not left out silently."""
    page = tmp_path / "x.html"
    assert main(["prove", "x.c", "--list", "--html", str(page)]) == 2
    assert "`--html` needs verdicts" in capsys.readouterr().err
    assert not page.exists()


def test_command_line_complains_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of minutes must not end in an error that could be told at once."""
    assert main(["prove", "no_such_file.c", "--html", "no/such/folder/x.html"]) == 2
    assert "cannot write `no/such/folder/x.html`: there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "report"])
@pytest.mark.parametrize(("name", "target"), [("v.c", "v.c"), ("v", "v"), ("v.c", "other.c")])
def test_no_source_is_replaced_by_a_report(
    form: str, name: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip with `-o` must not cost the code under review, whatever may begin a report."""
    for path in {tmp_path / name, tmp_path / target}:
        path.write_text("int x;\n")
    output_to = str(tmp_path / target)
    assert main(["prove", str(tmp_path / name), "--format", form, "-o", output_to]) == 2
    assert "it is " in capsys.readouterr().err
    assert (tmp_path / target).read_text() == "int x;\n"

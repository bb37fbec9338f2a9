"""`review --git`: everything is read from the two revisions, and nothing that they name is run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flushproof.features.review.git import from_git
from flushproof.results.review import FileChange
from flushproof.support.diagnostics import InputError

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", "-C", str(folder), *WHO, *arguments], check=True, capture_output=True)


def commit(folder: Path, message: str, **texts: str) -> None:
    """Write files, `x` standing for `x.h`, and commit all that is there."""
    for name, text in texts.items():
        (folder / ("vmx.c" if name == "vmx" else f"{name}.h")).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of a kernel tree with one commit."""
    place = tmp_path / "arch/x86/kvm/vmx"
    place.mkdir(parents=True)
    git(tmp_path, "init", "-q")
    commit(place, "begin", vmx='#include "vmx.h"\n', vmx_h="int a;\n")
    return place


def around(change: FileChange, name: str) -> tuple[str | None, str | None]:
    """Return what a header is before and after, None where it is as on the disk."""
    old, new = ({Path(s.name).name: s.text for s in sources} for sources in change.around)
    return old.get(f"{name}.h"), new.get(f"{name}.h")


def test_headers_of_the_revisions(folder: Path) -> None:
    """A header is read that only the working tree has, or none that only a revision has."""
    commit(folder, "more", vmx="int x;\n", vmx_h="int b;\n", created="int c;\n")
    (folder / "created.h").unlink()
    (folder / "untracked.h").write_text("int wrong;\n")
    (change,) = from_git("HEAD~1..HEAD", str(folder / "vmx.c"))
    assert around(change, "vmx_h") == ("int a;\n", None)
    assert around(change, "created") == (None, "int c;\n")
    assert around(change, "untracked") == ("", "")


def test_however_many_headers(folder: Path) -> None:
    """Of many files that changed some are read as they stand on the disk."""
    names = [f"h{n}" for n in range(230)]
    commit(folder, "old", vmx="int x;\n", **dict.fromkeys(names, "int old;\n"))
    commit(folder, "new", vmx="int y;\n", **dict.fromkeys(names, "int new;\n"))
    (change,) = from_git("HEAD~1..HEAD", str(folder / "vmx.c"))
    assert {around(change, n) for n in names} == {("int old;\n", None)}


def test_a_header_alone(folder: Path) -> None:
    """A commit that changes only a header of the file is said to change nothing."""
    commit(folder, "wider\n\nNo functional change intended.", vmx_h="long a;\n")
    (change,) = from_git("HEAD~1..HEAD", str(folder / "vmx.c"))
    assert around(change, "vmx_h") == ("int a;\n", None)
    assert change.subject == "wider"
    assert change.statement is not None


def test_nothing_is_run(folder: Path, tmp_path: Path) -> None:
    """A program that the settings of a repository name is run."""
    commit(folder, "more", vmx="int x;\n", vmx_h="int b;\n")
    mark = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    trap.chmod(0o755)
    (folder / ".gitattributes").write_text("* filter=x diff=x\n")
    for key in ("core.fsmonitor", "filter.x.clean", "diff.x.textconv", "gpg.program"):
        git(tmp_path, "config", key, str(trap))
    git(tmp_path, "config", "log.showSignature", "true")
    (folder / "vmx_h.h").write_text("int later;\n")
    from_git("HEAD~1..HEAD", str(folder / "vmx.c"))
    assert not mark.exists()
    git(tmp_path, "diff", "HEAD")
    assert mark.exists(), "the trap does not work"


def test_a_link_in_place_of_a_header(folder: Path, tmp_path: Path) -> None:
    """A header of the working tree that is a link changes what another file holds."""
    commit(folder, "more", vmx="int x;\n", other="int o;\n")
    (folder / "vmx_h.h").unlink()
    (folder / "vmx_h.h").symlink_to("other.h")
    with pytest.raises(InputError, match="is a link in the working tree"):
        from_git("HEAD~1..HEAD", str(folder / "vmx.c"))


@pytest.mark.parametrize("given", ["HEAD~0..-x", "HEAD..--output=ran", "HEAD..", "-x.."])
def test_odd_revisions(folder: Path, tmp_path: Path, given: str) -> None:
    """A revision that looks like an option is taken for one."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        from_git(given, str(folder / "vmx.c"))
    assert caught.value.exit_code in (2, 4)
    assert sorted(tmp_path.rglob("*")) == before


def test_no_repository(tmp_path: Path) -> None:
    """A `.git` that is none ends in a traceback."""
    (tmp_path / ".git").write_bytes(b"\0gitdir: elsewhere")
    (tmp_path / "vmx.c").write_text("int x;\n")
    with pytest.raises(InputError, match="git: ") as caught:
        from_git("HEAD~1..HEAD", str(tmp_path / "vmx.c"))
    assert caught.value.exit_code == 2

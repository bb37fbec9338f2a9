"""`review` on files of a kernel tree, whose headers a patch changes along with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import chdir
from difflib import unified_diff
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from support.places import TREES

TREE = TREES / "v5_0"
FILES = ("vmx.c", "vmx.h")
QUICK = ("--vcpus", "1", "--claim", "coverage", "--claim", "lock_balanced")
RENAMED = ("ept_pointers_match", "ept_agreement")


def copied(to: Path) -> Path:
    """Copy the tree into the places its files have in a kernel."""
    folder = to / "arch/x86/kvm/vmx"
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(TREE / name, folder / name)
    return folder


def patch(old: str, new: str, names: tuple[str, ...] = FILES) -> str:
    """Return a patch that replaces a word in files."""
    parts: list[str] = []
    for name in names:
        before = (TREE / name).read_text()
        path = f"arch/x86/kvm/vmx/{name}"
        was = before.splitlines(keepends=True)
        now = before.replace(old, new).splitlines(keepends=True)
        parts += unified_diff(was, now, f"a/{path}", f"b/{path}")
    return "".join(parts)


def review(
    capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str
) -> tuple[int, str, str]:
    """Run the command in a folder; return its exit code, its report and its complaints."""
    with chdir(folder):
        code = cli.main(["review", *arguments, *QUICK])
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


def test_a_header_changes_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A member that the patch renames in the header is looked for under its old name."""
    folder = copied(tmp_path)
    (tmp_path / "fix").write_text("Subject: rename\n\n---\n" + patch(*RENAMED))
    code, out, err = review(capsys, tmp_path, "fix", "--base", str(folder / "vmx.c"))
    assert (code, err) == (0, "")
    assert "broke nothing nfc equal for 1 vCPU from boot" in out
    assert "not looked at" not in out
    assert RENAMED[0] in (folder / "vmx.h").read_text(), "a file was written"


def test_a_header_that_is_left_behind(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A patch that forgets the header is told so, with the line that has no such member."""
    folder = copied(tmp_path)
    (tmp_path / "fix").write_text(patch(*RENAMED, names=("vmx.c",)))
    code, _, err = review(capsys, tmp_path, "fix", "--base", str(folder / "vmx.c"))
    assert code == 4
    assert "has no member `ept_agreement`" in " ".join(err.split())


def test_a_header_of_another_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The hunk of the header that does not apply is named, and nothing is decided."""
    folder = copied(tmp_path)
    header = folder / "vmx.h"
    header.write_text(header.read_text().replace(RENAMED[0], "something_else"))
    (tmp_path / "fix").write_text(patch(*RENAMED))
    code, out, err = review(capsys, tmp_path, "fix", "--base", str(folder / "vmx.c"))
    assert (code, out) == (4, "")
    assert "hunk 1 of `arch/x86/kvm/vmx/vmx.h` does not apply" in " ".join(err.split())


@pytest.mark.slow
def test_commits_with_their_headers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each revision is read with its own header, not with the one that is checked out."""
    folder = copied(tmp_path)
    git = ("git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y")
    subprocess.run([*git, "init", "-q"], check=True)
    for message in ("first", "rename"):
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", message], check=True)
        for name in FILES:
            path = folder / name
            path.write_text(path.read_text().replace(*RENAMED))
    arguments = ("--git", "HEAD~1..HEAD", "--path", str(folder / "vmx.c"))
    code, out, err = review(capsys, tmp_path, *arguments)
    assert (code, err) == (0, "")
    assert "broke nothing nfc equal for 1 vCPU from boot" in out


@pytest.mark.slow
def test_where_it_goes_wrong_in_another_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What fails in a file beside the one under review is told by its name.

    The flush keeps its lock, in a file that the first patch does not touch.
    """
    tree = tmp_path / "tree"
    shutil.copytree(TREE.parent / "v5_14", tree)
    flush = tree / "arch/x86/kvm/kvm_onhyperv.c"
    text = flush.read_text().replace("spin_unlock(&arch->hv_root_tdp_lock);\n\treturn", "return")
    flush.write_text(text)
    for name, where in (
        ("vmx/vmx.c", r"refuted at 1 fixed .* fails at lock_balanced: \S*/kvm_onhyperv\.c:\d+ nfc"),
        ("kvm_onhyperv.c", r"refuted at 1 \d+ fixed nothing broke nothing nfc"),
    ):
        path = f"arch/x86/kvm/{name}"
        old = (tree / path).read_text().splitlines(keepends=True)
        fix = "".join(unified_diff(old, [*old, "/* end */\n"], f"a/{path}", f"b/{path}"))
        (tmp_path / "fix").write_text(fix)
        _, out, err = review(capsys, tree, "../fix", "--base", path)
        assert err == ""
        assert re.search(where, out), out


def test_functions_of_other_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A fork whose functions have other names can be checked, but not reviewed or compared."""
    folder = copied(tmp_path)
    file, fork = folder / "vmx.c", folder / "fork.c"
    text = re.sub(r"\bhv_remote_flush_tlb(_with_range)?\b", r"fork_flush\1", file.read_text())
    file.write_text(text.replace("vmx_set_cr3", "fork_load"))
    fork.write_text(file.read_text() + "/* the same */\n")
    said = ("--flush", "fork_flush_with_range", "--load", "fork_load")
    with chdir(tmp_path):
        code = cli.main(["nfc", str(file), str(fork), *said])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "equal" in out
    fork.unlink()
    last = len(file.read_text().splitlines())
    (tmp_path / "fix").write_text(
        f"--- a/vmx.c\n+++ b/vmx.c\n@@ -{last} +{last},2 @@\n }}\n+/* the same */\n"
    )
    code, out, err = review(capsys, tmp_path, "fix", "--base", str(file), *said)
    assert (code, err) == (0, "")
    assert "broke nothing" in out
    code, _, err = review(capsys, tmp_path, "fix", "--base", str(file))
    assert code == 4
    assert "defines no function that" in " ".join(err.split())


@pytest.mark.parametrize("path", ["/etc/vmx.h", "b/../../../vmx.h"])
def test_a_file_outside(capsys: pytest.CaptureFixture[str], tmp_path: Path, path: str) -> None:
    """A patch for a kernel file reads and shows a file elsewhere on the disk."""
    folder = copied(tmp_path)
    other = patch("\n", "\n/* */\n", names=("vmx.h",)).splitlines(keepends=True)
    other[:2] = [f"--- {path}\n", f"+++ {path}\n"]
    (tmp_path / "fix").write_text(patch(*RENAMED, names=("vmx.c",)) + "".join(other))
    code, out, err = review(capsys, tmp_path, "fix", "--base", str(folder / "vmx.c"))
    assert (code, out) == (4, "")
    assert "which is no path within a tree" in " ".join(err.split())

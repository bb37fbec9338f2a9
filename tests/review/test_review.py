"""`review`: what a patch fixes and breaks, and whether its message is true."""

from __future__ import annotations

import json
from contextlib import chdir
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from flushproof.cli import main as cli
from support.letters import NOTHING, body, changed, diff, mail
from support.places import SPECS
from support.two_variants import text

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
QUICK = ("--vcpus", "2", "--claim", "coverage", "--claim", "no_bogus", "--claim", "no_wasted")


def review(
    capsys: pytest.CaptureFixture[str], folder: Path, patch: str, base: str, *more: str
) -> tuple[int, str, str]:
    """Run the command; return its exit code, its report and its complaints."""
    (folder / "patch").write_text(patch, encoding="utf-8")
    (folder / "vmx.c").write_text(text(base), encoding="utf-8")
    with chdir(folder):
        code = cli.main(["review", "patch", "--base", "vmx.c", *more])
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


@pytest.mark.slow
def test_a_false_statement(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The message is believed although the patch breaks a claim."""
    patch = mail(body(diff("enum_cached", "mismatch_flag")))
    code, out, err = review(capsys, tmp_path, patch, "enum_cached", *QUICK)
    assert (code, err) == (1, "")
    assert "no_bogus bounded refuted at 1 broke 60 line" in out
    assert "fixed nothing broke no_bogus nfc differs at 1 vCPU from boot; equal for 1..2" in out
    assert (
        f'"{NOTHING[:-1]}" (patch:10): false, but calls are alike once any vCPU has loaded' in out
    )
    assert "a hypercall is issued on 0, which is no root" in out
    assert "return hyperv_flush_guest_mapping(eptp & PAGE_MASK);" in out


@pytest.mark.slow
def test_a_true_statement(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A patch that changes nothing is held up."""
    patch = mail(body(diff("counter_late", "counter_first")))
    code, out, _ = review(capsys, tmp_path, patch, "counter_late", *QUICK)
    assert code == 0
    assert "fixed nothing broke nothing nfc equal for 1..2 vCPUs from boot" in out
    assert "true for 1..2 vCPUs" in out


@pytest.mark.slow
def test_alike_calls_and_a_broken_claim(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A claim broke, and that nothing changes is called true, as all calls are alike."""
    before = text("counter_first")
    after = before.replace("nr_roots = 0;", "nr_roots = unset - unset;")
    after = after.replace("nr_roots, i;", "nr_roots, unset, i;")
    patch = mail(body(changed(before, after)))
    more = ("--vcpus", "1", "--claim", "no_uninit", "--claim", "coverage")
    code, out, _ = review(capsys, tmp_path, patch, "counter_first", *more)
    assert code == 1
    assert "broke no_uninit nfc equal" in out
    assert "false; calls are alike for 1 vCPU, but no_uninit held before" in out
    assert ": true" not in out


@pytest.mark.slow
def test_what_was_fixed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A mend counts as damage, or a change of function that nobody denied does."""
    patch = mail(body(diff("enum_status", "enum_cached"), "Skip what needs no flush."))
    code, out, _ = review(capsys, tmp_path, patch, "enum_status", *QUICK)
    assert code == 0
    assert "fixed coverage, no_bogus broke nothing nfc differs at 1 vCPU from boot" in out
    assert "stated nothing about functional changes" in out


@pytest.mark.slow
def test_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Programs that read the document rely on the schema."""
    patch = mail(body(diff("enum_cached", "mismatch_flag")))
    code, out, _ = review(capsys, tmp_path, patch, "enum_cached", *QUICK, "--format", "json")
    document = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["exit"] == code == 1
    (change,) = document["review"]["changes"]
    effects = {c["claim"]: c["effect"] for c in change["claims"]}
    assert effects == {"coverage": "same", "no_bogus": "broke", "no_wasted": "same"}
    assert change["statement"]["truth"] == "false"


def test_a_patch_that_is_no_c(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An error in the patched text is shown in the text before it."""
    old = text("enum_cached")
    new = old.replace("spin_unlock(&kvm_vmx->ept_pointer_lock);", "spin_unlock(;", 1)
    patch = "--- a/vmx.c\n+++ b/vmx.c\n" + "".join(_one_line(old.splitlines(), new.splitlines()))
    code, out, err = review(capsys, tmp_path, patch, "enum_cached", *QUICK)
    assert (code, out) == (4, "")
    assert "vmx.c@patched:67:" in err
    assert "spin_unlock(;" in err


def _one_line(old: list[str], new: list[str]) -> list[str]:
    (at,) = [k for k, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    return [f"@@ -{at + 1} +{at + 1} @@\n", f"-{old[at]}\n", f"+{new[at]}\n"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["review", "p.patch"], "`PATCH` needs `--base FILE`"),
        (["review", "--git", "A..B"], "`--git` needs `--path FILE`"),
        (["review", "nowhere.patch", "--base", str(SPECS / "enum_cached.c")], "nowhere.patch"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """Wrong usage ends in a traceback."""
    assert cli.main(arguments) == 2
    assert words in capsys.readouterr().err

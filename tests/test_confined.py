"""Which files are read: what a spec or an include names stays in its own folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.support.resources import SPECS

SECRET = "root:x:0:0"
SPEC = """\
spec small {{
	variant {variant};
	operations {{
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}}
	bounds {{ vcpus 1; loads 1; flushes 1; flushers 1; }}
	expect {{ no_wasted proved; }}
}}
"""
Outcome = tuple[int, str, str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a secret beside it and a variant in it."""
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text(SECRET)
    code = (SPECS / "counter_first.c").read_bytes()
    for place in (inside / "good.c", inside / "sub" / "good.c", tmp_path / "good.c"):
        place.write_bytes(code)
    (inside / "out.c").symlink_to("../good.c")
    (inside / "secret.c").symlink_to("../secret")
    (inside / "in.c").symlink_to("sub/good.c")
    (inside / "up").symlink_to("..")
    (inside / "loop.c").symlink_to("loop.c")
    os.mkfifo(inside / "pipe.c")
    monkeypatch.chdir(inside)
    return inside


def _check(capsys: pytest.CaptureFixture[str], variant: str, *more: str) -> Outcome:
    Path("small.spec").write_text(SPEC.format(variant=variant))
    code = cli.main(("check", "small.spec", "--no-cache", "--jobs", "1", *more))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("variant", ['"good.c"', '"sub/good.c"', '"./good.c"', '"in.c"'])
def test_inside(capsys: pytest.CaptureFixture[str], variant: str) -> None:
    """A file below the spec is its own, also through a link that stays there."""
    assert _check(capsys, variant)[0] == 0


@pytest.mark.parametrize(
    "variant",
    [
        *('"../good.c"', '"../secret"', '"sub/../../secret"', '"/etc/passwd"', '"/dev/zero"'),
        *('"secret.c"', '"out.c"', '"up/good.c"', '"up/secret"', '"../inside/good.c"'),
    ],
)
def test_outside(capsys: pytest.CaptureFixture[str], variant: str) -> None:
    """Nothing elsewhere is read, let alone shown, whatever the path or the link looks like."""
    code, out, err = _check(capsys, variant)
    assert (code, out) == (4, "")
    assert err.startswith("small.spec:2:10: error")
    assert "is not in the folder of the spec" in " ".join(err.split())
    assert SECRET not in err


@pytest.mark.parametrize("variant", ['"pipe.c"', '"loop.c"', '"gone.c"', '"a\\0b.c"', '"\\377"'])
def test_no_regular_file(capsys: pytest.CaptureFixture[str], variant: str) -> None:
    """Opening a pipe would wait for ever; names that no system has are merely not found."""
    code, out, err = _check(capsys, variant)
    assert (code, out) == (4, "")
    assert re.match(r"small\.spec:2:10: error\S* cannot find", err)


def test_named_by_the_user(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """On the command line any path is the user's to name."""
    Path("small.spec").write_text(SPEC.format(variant='"good.c"'))
    for path in ("../good.c", str(folder.parent / "good.c"), "out.c"):
        small = (
            "--no-sanity",
            "--spec",
            "small.spec",
            "--claim",
            "no_wasted",
            "--no-cache",
            "--jobs",
            "1",
        )
        assert cli.main(("prove", path, *small, "--vcpus", "1")) == 0, path
    capsys.readouterr()


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    "include", ['"../../secret.h"', '"/{0}/secret.h"', '"link.h"', "<{0}/secret.h>", '"up.h"']
)
def test_includes(capsys: pytest.CaptureFixture[str], folder: Path, include: str) -> None:
    """A kernel file's headers come from its folder, the one above, its tree, and -I."""
    top = folder.parent
    deep = folder / "sub"
    (top / "secret.h").write_text(f"{SECRET}\n")
    (deep / "link.h").symlink_to("../../secret.h")
    (deep / "up.h").symlink_to("../up/secret.h")
    code = f"#include {include.format(top)}\n" + (SPECS / "counter_first.c").read_text()
    (deep / "k.c").write_text(code)
    assert cli.main(("prove", "sub/k.c", "--list", "--kernel")) == 0
    out = capsys.readouterr().out
    assert "not found" in out or "missing" in out, out
    assert cli.main(("prove", "sub/k.c", "--list", "--kernel", "-I", str(top))) == 0
    capsys.readouterr()

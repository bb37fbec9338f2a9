"""What somebody meets in the first ten minutes: legends, streaming, signals, files of others."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.cli.progress_line import ProgressLine
from flushproof.cli.spec_files import find_specs
from flushproof.support.diagnostics import InputError
from support.places import SPECS, TOP

TUTORIAL = TOP / "docs" / "tutorial"
RPM = "Name: foo\nVersion: 1\n%prep\n"
BUNDLE = "# -*- mode: python -*-\na = Analysis(['x.py'])\n"


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("first.c", "first.spec", "second.c"):
        shutil.copy(TUTORIAL / name, name)
    return tmp_path


def test_spec_files_of_other_programs(folder: Path) -> None:
    """A tree with a package of RPM in it could not be checked, or a broken spec be passed over."""
    (folder / "foo.spec").write_text(RPM, encoding="utf-8")
    (folder / "bar.spec").write_text(BUNDLE, encoding="utf-8")
    (folder / "broken.spec").write_text('spce x { variant "first.c"; }\n', encoding="utf-8")
    (folder / "summary.spec").write_text(f"/*\n{RPM}*/\nspec x {{\n}}\n", encoding="utf-8")
    names = {Path(path).name for path in find_specs([str(folder)])}
    assert names == {"first.spec", "broken.spec", "summary.spec"}
    assert find_specs(["foo.spec"]) == ("foo.spec",)


def test_pytest_leaves_spec_files_of_others_alone(folder: Path) -> None:
    """Whoever has the plugin installed could not run the tests of another project."""
    (folder / "first.spec").unlink()
    (folder / "foo.spec").write_text(RPM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout


def test_all_files_that_are_not_accepted_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who mends one mistake and runs again, only to be told of the next, does so for an hour."""
    text = (folder / "first.spec").read_text(encoding="utf-8")
    (folder / "first.spec").unlink()
    for name, old, new in (
        ("a", "1..4", "4..1"),
        ("b", "loads", "lods"),
        ("c", "flush my", "x my"),
    ):
        (folder / f"{name}.spec").write_text(text.replace(old, new), encoding="utf-8")
    code, _, err = _run(capsys, "check", ".")
    assert code == 4
    assert all(f"{name}.spec:" in err for name in "abc")
    with pytest.raises(InputError) as caught:
        find_specs(["gone", "gone_too"])
    assert len(caught.value.diagnostics) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--vcpus", "1", "--require", "every"), 0, "proved for every number of vCPUs"),
        (("--vcpus", "1"), 0, "bounded: holds for 1 vCPU"),
        (("--engine", "bounded", "--vcpus", "1", "--require", "every"), 3, "holds for 1 vCPU"),
        (("--engine", "bounded", "--require", "bounds"), 0, "holds for 1..4 vCPUs"),
        (("--engine", "bounded"), 3, "holds for 1..4 vCPUs"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_required(
    arguments: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that wants proofs must not be content with bounds, nor one with bounds fail."""
    asked = ("prove", "second.c", "--spec", "first.spec", "--claim", "no_bogus", "--no-sanity")
    found, out, _ = _run(capsys, *asked, *arguments)
    assert found == code
    assert said in out


def test_the_legend_has_the_marks_that_occur(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marks that stand nowhere are riddles; one that is not explained is a worse one."""
    text = (folder / "first.spec").read_text(encoding="utf-8").replace("first.c", "second.c")
    spec = text[: text.index("expect")] + "expect { no_bogus proved; no_uninit proved; } }\n"
    (folder / "first.spec").write_text(spec, encoding="utf-8")
    code, out, _ = _run(capsys, "check", "first.spec", "--vcpus", "1", "--no-sanity")
    assert code == 0
    assert "\n<=4 bounded: holds for 1..4 vCPUs\n" in out
    assert not any(mark in out for mark in ("ok proved", "? unknown", "- not", "! not", "vac"))


def test_a_design_without_a_cache(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a design does not have cannot be missing from its proof."""
    text = (folder / "first.spec").read_text(encoding="utf-8").replace("first.c", "second.c")
    lines = [x for x in text.splitlines() if "cache when" not in x and "expect" not in x]
    (folder / "first.spec").write_text("\n".join(lines), encoding="utf-8")
    _, out, _ = _run(capsys, "prove", "first.spec", "--vcpus", "1", "--loads", "1", "--no-sanity")
    assert "not asked  cache_sound" in out
    assert "no cache named" in out
    assert ", 1 not asked" in out


def test_finished_parts_are_told_while_others_run() -> None:
    """A run of minutes whose output goes to a file would look dead, and nobody know why."""
    now, stream = [0.0], io.StringIO()
    progress = ProgressLine(stream, shown=False, noun="specs", total=3, clock=lambda: now[0])
    progress.advance("a.spec: 2 proved", "b.spec")
    assert stream.getvalue() == ""
    now[0] = 4.0
    progress.advance("b.spec: 1 proved", "c.spec\x1b")
    assert stream.getvalue() == (
        "b.spec: 1 proved (2 of 3 specs, 4 s, about 2 s left; running: c.spec\\x1b)\n"
    )


@pytest.mark.sample("1")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_termination(jobs: str) -> None:
    """A job that a scheduler ends must leave what it found, and no process behind."""
    command = [sys.executable, "-m", "flushproof", "check", "--jobs", jobs, "--no-cache"]
    specs = [str(SPECS / f"{name}.spec") for name in ("cache_read_late", "rwlock_walk")]
    run = subprocess.Popen(
        [*command, *specs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(1.5)
    begun = time.monotonic()
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 143, out + err
    assert "interrupted" in out + err
    assert time.monotonic() - begun < 20
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)

"""What a real shell completes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.cli.shell_completion import SHELLS, completion_script

ASK = """\
eval "$(flushproof completion bash)"
complete -p flushproof
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=$' \\t\\n='
read -ra COMP_WORDS <<< "$1"
_flushproof flushproof
printf '%s\\n' "${COMPREPLY[@]}"
"""
BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flushproof che", {"check"}),
        ("flushproof prove --mem", {"--memory"}),
        ("flushproof prove x.c --memory ", {"sc", "tso", "pso"}),
        ("flushproof check x.spec --claim no_b", {"no_bogus"}),
        ("flushproof completion ", set(SHELLS)),
        ("flushproof prove som", {"some_file.c"}),
    ],
)
def test_bash(line: str, expected: set[str], tmp_path: Path) -> None:
    """If this fails, pressing tab offers nothing, or words that are refused."""
    assert BASH is not None
    (tmp_path / "some_file.c").touch()
    environ = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    done = subprocess.run(
        [BASH, "--norc", "-c", ASK, "bash", line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environ,
        check=False,
    )
    assert done.stderr == ""
    registered, *offered = done.stdout.splitlines()
    assert registered.endswith("-F _flushproof flushproof")
    assert {word.strip() for word in offered} == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is what the shell is to read; where it is installed, it accepts that."""
    assert cli.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert text == completion_script(shell)
    assert "flushproof" in text
    found = shutil.which(shell)
    if found is not None:
        subprocess.run([found, "-n"], input=text, text=True, check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_script_for_bash_has_no_findings(capsys: pytest.CaptureFixture[str]) -> None:
    """Who sources it from a checked file would be told of every slip in it."""
    assert cli.main(["completion", "bash"]) == 0
    text = capsys.readouterr().out
    subprocess.run(["shellcheck", "-s", "bash", "-"], input=text, text=True, check=True)


def test_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is code 2."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["completion", "csh"])
    assert stopped.value.code == 2
    assert "csh" in capsys.readouterr().err

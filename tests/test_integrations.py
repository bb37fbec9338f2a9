"""The files that other programs read: the workflow for GitHub Actions, the hooks of pre-commit."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from flushproof.cli.main import build_command_line
from support.places import TOP

WORKFLOW: dict[Any, Any] = yaml.safe_load((TOP / "examples" / "github.yml").read_text("utf-8"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((TOP / ".pre-commit-hooks.yaml").read_text("utf-8"))


def _steps() -> list[dict[str, Any]]:
    (job,) = WORKFLOW["jobs"].values()
    return list(job["steps"])


def _commands() -> Iterator[str]:
    for step in _steps():
        yield from (line for line in step.get("run", "").splitlines() if "flushproof " in line)
    for hook in HOOKS:
        named = ["a.spec", "b.spec"] if hook.get("pass_filenames", True) else []
        yield shlex.join([*shlex.split(hook["entry"]), *hook.get("args", []), *named])


@pytest.mark.parametrize("command", [c for c in _commands() if c.startswith("flushproof ")])
def test_the_commands_exist(command: str) -> None:
    """A command line that is refused fails in somebody else's project first."""
    program, *arguments = shlex.split(command)
    assert program == "flushproof"
    try:
        parsed = build_command_line().parse_args(arguments)
    except SystemExit:
        pytest.fail(command)
    assert isinstance(parsed, argparse.Namespace)


def test_the_workflow() -> None:
    """What is uploaded must be what was written, and uploading needs its permission."""
    upload = next(s for s in _steps() if "upload-sarif" in s.get("uses", ""))
    written = next(s["run"] for s in _steps() if "--format sarif" in s.get("run", ""))
    assert written.endswith(f"--output {upload['with']['sarif_file']}")
    assert WORKFLOW["permissions"]["security-events"] == "write"
    assert all(("uses" in s) != ("run" in s) for s in _steps())
    assert all(re.fullmatch(r"[\w./-]+@v\d+", s["uses"]) for s in _steps() if "uses" in s)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda h: h["id"])
def test_the_hooks(hook: dict[str, Any]) -> None:
    """pre-commit refuses a manifest with other keys, and a pattern that is none matches nothing."""
    assert {"id", "name", "entry", "language"} <= hook.keys()
    known = {"description", "files", "types", "require_serial", "pass_filenames", "args"}
    assert hook.keys() <= {"id", "name", "entry", "language", *known}
    assert hook["language"] == "python"
    re.compile(hook["files"])


def test_which_files_the_hooks_are_for() -> None:
    """A hook that runs on no file, or on every one, is off or in the way."""
    by_name = {h["id"]: re.compile(h["files"]) for h in HOOKS}
    assert by_name["flushproof"].search("specs/counter_first.spec")
    assert by_name["flushproof"].search("specs/counter_first.c")
    assert not by_name["flushproof"].search("README.md")
    assert not by_name["flushproof-specs"].search("specs/counter_first.c")


def test_the_workflow_installs_from_a_repository() -> None:
    """The program is in no package index: somebody else's of that name would be installed."""
    (install,) = [s for s in _steps() if "pip install" in s.get("run", "")]
    assert "git+" in install["run"]

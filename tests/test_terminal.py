"""What a reader sees in a real pseudo-terminal: wide, narrow, piped, without colour, in ASCII."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pytest

import flushproof
from flushproof.report import itf
from flushproof.results.saved_trace import save_trace
from flushproof.results.verdict import Verdict
from support.places import TESTS
from support.report_samples import COVERAGE_TRACE, SOURCES, report, result

APP = str(TESTS / "support" / "terminal_app.py")
PLACES = os.pathsep.join((str(TESTS), str(Path(flushproof.__file__).parents[1])))
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
MOVES = re.compile(r"\x1b\[\??[0-9;]*[A-Za-z]")
PLAIN = {"PATH": os.environ["PATH"], "PYTHONPATH": PLACES, "TERM": "xterm", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal: its columns, and what differs in its environment."""

    columns: int = 100
    environ: dict[str, str] = field(default_factory=dict)


TOLD = re.compile(r"\w+: [a-z ]+ \((\d+ claims? done|\d+ of \d+ claims), .*\)")
"""What is told in a pipe of a claim that is decided."""


def _seen(screen: Screen, *arguments: str) -> str:
    """Run `prove` in a pseudo-terminal and return all that came, line ends as in a file."""
    child = pexpect.spawn(
        sys.executable,
        [APP, "prove", "enum_status.c", *arguments],
        env=PLAIN | screen.environ,
        dimensions=(40, screen.columns),
        encoding="utf-8",
        timeout=120,
        echo=False,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    text = child.before or ""
    return text.replace("\r\n", "\n")


def _piped(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, APP, "prove", "enum_status.c", *arguments],
        env=PLAIN | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert all(TOLD.fullmatch(line) for line in done.stderr.splitlines()), done.stderr
    return done.stdout


def _widest(text: str) -> int:
    return max(len(ESCAPE.sub("", line)) for line in text.splitlines())


@pytest.mark.sample(every=7)
@pytest.mark.parametrize(
    ("screen", "arguments", "coloured", "columns"),
    [
        (Screen(100), (), True, 100),
        (Screen(60), (), True, 60),
        (Screen(300), (), True, 120),
        (Screen(20), (), True, 40),
        (Screen(100, {"NO_COLOR": "1"}), (), False, 100),
        (Screen(100, {"NO_COLOR": "1", "FORCE_COLOR": "1"}), (), False, 100),
        (Screen(100, {"TERM": "dumb"}), (), False, 100),
        (Screen(100, {"LANG": "C", "LC_ALL": "C"}), (), True, 100),
        (Screen(100), ("--width", "50"), True, 50),
        (Screen(100), ("--color", "never"), False, 100),
        (Screen(100, {"FORCE_COLOR": "1"}), ("--mail",), False, 75),
    ],
)
def test_on_a_terminal(
    screen: Screen, arguments: tuple[str, ...], coloured: bool, columns: int
) -> None:
    """Lines that the terminal breaks destroy the columns; colours may not change a letter."""
    text = _seen(screen, *arguments)
    assert ("\x1b[" in text) is coloured
    assert _widest(text) <= columns
    assert text.isascii()
    plain = ESCAPE.sub("", text)
    assert plain == _piped({}, "--width", str(columns))
    assert plain.count("VIOLATION") == 3


def test_the_table_comes_first() -> None:
    """Ten seconds are enough for the table, not for the traces."""
    lines = _piped({}).splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["verdict", "claim"])
    assert head == 2
    assert lines[head + 2].split()[:3] == ["refuted", "coverage", "2"]
    assert next(k for k, line in enumerate(lines) if "step  " in line) > head + 7


@pytest.mark.parametrize(
    ("environ", "arguments", "coloured"),
    [({}, (), False), ({"FORCE_COLOR": "1"}, (), True), ({}, ("--color", "always"), True)],
)
def test_in_a_pipe(environ: dict[str, str], arguments: tuple[str, ...], coloured: bool) -> None:
    """A log wants 75 plain columns, unless colour is asked for; and no progress at all."""
    text = _piped(environ, *arguments)
    assert ("\x1b[" in text) is coloured
    assert _widest(text) <= 75


def test_colours_of_a_trace() -> None:
    """Bars, changed values and the outcome of hypercalls stand out."""
    text = _seen(Screen(100))
    for styled in (
        "\x1b[1;36m[\x1b[0m lock",
        "\x1b[35mmatch = MATCH\x1b[0m",
        "\x1b[32mflush INVALID ",
        "\x1b[1;31mVIOLATION\x1b[0m",
        "\x1b[31m  refuted",
    ):
        assert styled in text, styled


def test_progress_is_for_terminals_and_for_what_takes_long() -> None:
    """A line that rewrites itself is junk in a log, and flickers in a run of half a second."""
    slow = {"SLOW": "1"}
    text = MOVES.sub("", _seen(Screen(100, slow), "--color", "never"))
    assert re.search(r"\r\d of 5 claims, \d+ s, about \d+ s left|\r\d claims done, \d+ s", text)
    assert "\r" not in _piped(slow)
    assert "\r" not in _seen(Screen(100, {}), "--color", "never")
    assert "\r" not in _seen(Screen(100, {**slow, "TERM": "dumb"}))


def test_what_is_known_early_is_told_on_a_terminal() -> None:
    """Whoever waits for a proof would not hear that a claim holds for few vCPUs.

    Cut to the width, or left after the verdict, it would say more than was decided.
    """
    screen = Screen(50, {"SLOW": "1", "EARLY": "1"})
    raw = _seen(screen, "--color", "never")
    lines = [line.strip() for line in re.split(r"[\r\n]", MOVES.sub("", raw))]
    begin = next(k for k, line in enumerate(lines) if line.startswith("no_repeat: holds so far"))
    assert " ".join(line for line in lines[begin:] if line).startswith(
        "no_repeat: holds so far from boot, 1..2 vCPUs, up to 3 loads each, up to 4 flushes, "
        "every interleaving, any roots, assuming loads go on; looking for a proof for every "
        "number of vCPUs"
    )
    assert "so far" not in raw[raw.rindex("\x1b[2K") :]
    assert _piped({}, "--width", "50") in MOVES.sub("", raw).replace("\r", "")


def test_what_is_known_early_is_told_once_in_a_pipe() -> None:
    """A log would not say that anything is known, or say it again and again."""
    done = subprocess.run(
        [sys.executable, APP, "prove", "enum_status.c"],
        env=PLAIN | {"SLOW": "1", "EARLY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    early = (line.partition(": holds so far ") for line in done.stderr.splitlines())
    told = [claim for claim, found, _ in early if found]
    assert told == ["coverage", "no_repeat", "no_bogus", "failure_kept", "no_race"]
    assert done.stdout == _piped({})


def test_replay_by_keys(tmp_path: Path) -> None:
    """N and p go forwards and backwards, arrows too, G to the end; q ends it."""
    made = result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)
    path = tmp_path / "t.itf.json"
    path.write_text(itf.render(save_trace(report(made), made, "", SOURCES)), encoding="utf-8")
    child = pexpect.spawn(
        sys.executable,
        [APP, "replay", str(path)],
        env={**PLAIN, "NO_COLOR": "1"},
        dimensions=(40, 90),
        encoding="utf-8",
        timeout=120,
    )
    shown = [
        ("", "step 0 of 5   boot"),
        ("n", r"step 1 of 5   vCPU1: load\(A\)"),
        ("\x1b[C", "step 2 of 5   flusher: lock"),
        ("p", r"step 1 of 5   vCPU1: load\(A\)"),
        ("G", "step 5 of 5   flusher: unlock, return 0"),
        ("n", "step 5 of 5"),
        ("g", "step 0 of 5"),
    ]
    for key, expected in shown:
        child.send(key)
        child.expect(expected)
        child.expect("q: quit")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0

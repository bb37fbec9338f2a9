"""`--max-steps` and `--max-memory`: what is too hard ends as unknown, exit 3, and no crash."""

from __future__ import annotations

import os
import re
import resource
import select
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from flushproof.cli import main as cli
from flushproof.engines.bounded.engine import Bounded
from flushproof.frontend.c import load
from flushproof.support.memory_limit import memory_limit
from flushproof.support.process_pool import map_cases, stream_answers
from flushproof.support.resources import SPECS

FILE = str(SPECS / "counter_first.c")
MORE_THAN_ALLOWED = 8 << 30
Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture
def prove(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `prove` with more options."""

    def run(*more: str) -> Outcome:
        code = cli.main(("prove", FILE, "--claim", "coverage", "--no-cache", *more))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_steps_of_the_bounded_engine(prove: Run) -> None:
    """The number is the solver's own, so the same question always ends in the same way."""
    few = ("--vcpus", "3", "--max-steps", "20000")
    code, out, _ = prove(*few)
    assert code == 3
    assert "because  the solver gave up after 20,000 steps" in out
    assert prove(*few)[1] == out
    assert prove("--vcpus", "1", "--max-steps", "50000000")[0] == 0


def test_steps_of_the_unbounded_engine(prove: Run) -> None:
    """A search for an invariant is counted in questions, and these by the solver's steps."""
    code, out, _ = prove("--engine", "unbounded", "--max-steps", "100000")
    assert code == 3
    assert "took too many steps" in " ".join(out.split())


@pytest.mark.sample("1")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_memory_for_a_claim(prove: Run, monkeypatch: pytest.MonkeyPatch, jobs: str) -> None:
    """Only the claim that needs too much is unknown."""
    small = Bounded.claim

    def large(self: Bounded, name: str, vcpus: int) -> object:
        return bytearray(MORE_THAN_ALLOWED) if name == "coverage" else small(self, name, vcpus)

    monkeypatch.setattr(Bounded, "claim", large)
    more = ("--claim", "no_wasted", "--vcpus", "1", "--jobs", jobs, "--max-memory", "4096")
    code, out, _ = prove(*more)
    assert code == 3
    assert re.search(r"unknown +coverage\b", out)
    assert "out of memory" in out
    assert re.search(r"bounded +no_wasted\b", out)
    assert "1 bounded, 1 unknown" in out


def test_a_process_that_dies(prove: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may end the process where memory runs out; that is no verdict either."""

    def die(*_: object) -> NoReturn:
        os._exit(1)

    monkeypatch.setattr(Bounded, "claim", die)
    code, out, _ = prove("--vcpus", "1", "--max-memory", "4096")
    assert code == 3
    assert "a process is gone" in out


def test_memory_before_any_claim(prove: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to give a verdict on, but the exit code is the same."""
    monkeypatch.setattr(load, "source_of", lambda *_: bytearray(MORE_THAN_ALLOWED))
    code, out, err = prove("--max-memory", "4096")
    assert (code, out) == (3, "")
    assert err.startswith("error[FP0130]: out of memory\n")


@pytest.mark.parametrize("option", ["--max-steps", "--max-memory"])
def test_limits_are_numbers_that_make_sense(prove: Run, option: str) -> None:
    """Zero steps prove nothing, and no memory does not even load the solver."""
    assert prove(f"{option}=0")[0] == 2
    assert prove(f"{option}=-5")[0] == 2


def test_a_limit_ends_with_the_command() -> None:
    """What runs afterwards in the same process is not limited."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(MemoryError), memory_limit(4096):
        bytearray(MORE_THAN_ALLOWED)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def _dies_at_two(case: int) -> int:
    if case == 2:
        os._exit(1)
    return case * 10


def test_only_the_case_that_died_is_lost() -> None:
    """A pool ends with its first dead process; the other cases are asked again."""
    found = list(stream_answers(_dies_at_two, (1, 2, 3), 2, lambda case: -case))
    assert found == [10, -2, 30]
    with pytest.raises(MemoryError, match="a process is gone"):
        list(stream_answers(_dies_at_two, (1, 2, 3), 2))
    with pytest.raises(MemoryError, match="a process is gone"):
        map_cases(_dies_at_two, (1, 2, 3))


WAITING = """
import os, threading
from flushproof.support.process_pool import stream_answers

def wait(_):
    os.write(1, b"%d\\n" % os.getpid())
    threading.Event().wait()

list(stream_answers(wait, (1, 2), 2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_no_worker_goes_on_without_its_parent() -> None:
    """Whoever kills the program does not want to have it running still."""
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            workers = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
        finally:
            parent.kill()
        for worker in workers:
            assert select.select([worker], [], [], 60)[0] == [worker]  # readable once it has ended
            os.close(worker)

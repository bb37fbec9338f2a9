"""Jobs on a real Dask cluster: a scheduler and two workers on this machine, one of them killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import Report
from flushproof.runner.jobs import Task, run_remote_job
from flushproof.runner.run import run_tasks
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.files import Sent
from flushproof.support.record import replace
from flushproof.verify.options import Options, Sweeping
from support.places import SPECS

pytestmark = pytest.mark.skipif(
    find_spec("distributed") is None, reason="needs the extra `dask`, which takes long to import"
)

NAMES = ("counter_first.spec", "enum_status.spec")
SMALL = Options(
    vcpus=(1, 1), loads=1, flushes=1, claims=("no_bogus", "range_kept", "failure_kept"), jobs=1
)


@contextmanager
def _process(*words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("DASK")}
    command = [sys.executable, "-W", "ignore", "-m", *words]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """Start a scheduler and two workers that see none of the corpus; yield its address."""
    ours = ("--host", "127.0.0.1", "--no-dashboard")
    with _process("distributed.cli.dask_scheduler", *ours, "--port", "0", folder=folder) as first:
        assert first.stderr is not None
        lines = (re.search(r"Scheduler at:\s+tcp://(\S+)", line) for line in first.stderr)
        address = next(found.group(1) for found in lines if found)
        words = ("distributed.cli.dask_worker", f"tcp://{address}", *ours, "--nthreads", "1")
        more = ("--no-nanny", "--memory-limit", "0")
        with (
            _process(*words, *more, "--name", "one", folder=folder) as one,
            _process(*words, *more, "--name", "two", folder=folder) as two,
        ):
            yield address, [one, two]


@pytest.mark.slow
def test_a_killed_worker_loses_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that goes away in a long night would take its share of the verdicts along."""
    distributed = import_module("distributed")
    monkeypatch.chdir(SPECS)
    with (
        _cluster(tmp_path) as (address, workers),
        distributed.Client(f"tcp://{address}", set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=20)
        options = replace(SMALL, sweeping=Sweeping(None, f"dask://{address}"))
        busy: list[dict[str, object]] = []

        def kill_one(_: Report) -> None:
            if not busy:
                busy.append(client.processing())
                os.kill(workers[1].pid, signal.SIGKILL)

        tasks = [Task("check", name, None, options) for name in NAMES]
        found = run_tasks(tasks, kill_one)
        assert workers[1].wait() == -signal.SIGKILL
        assert len(client.scheduler_info()["workers"]) == 1
    assert any(busy[0].values()), "nothing was left to do when the worker was killed"
    here = [pipeline.check(name, None, SMALL, lambda _: None) for name in NAMES]
    assert [_told(r) for r in found] == [_told(r) for r in here]


def _told(report: Report) -> Report:
    return replace(report, results=tuple(replace(r, seconds=0.0) for r in report.results))


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is a plain complaint, not a traceback of somebody else's library."""
    monkeypatch.chdir(SPECS)
    monkeypatch.setattr("flushproof.runner.executors.PATIENCE", "100ms")
    options = replace(SMALL, sweeping=Sweeping(None, "dask://127.0.0.1:1"))
    with pytest.raises(InputError, match=r"no Dask scheduler answers at `dask://127\.0\.0\.1:1`"):
        run_tasks([Task("check", NAMES[0], None, options)], lambda _: None)


def test_another_version_decides_nothing() -> None:
    """A worker with an old program would answer by old rules."""
    with pytest.raises(InternalError, match="another version"):
        run_remote_job(Task("check", "a.spec", None, SMALL), Sent("/", {}, {}), "other")

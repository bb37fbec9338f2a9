"""Jobs on local processes, and on files that were sent along."""

from __future__ import annotations

import pickle
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from flushproof.frontend.c.load import load_source
from flushproof.results.verdict import Report
from flushproof.runner import executors
from flushproof.runner.executors import Inline, job_result, open_executor
from flushproof.runner.fingerprint import program_fingerprint
from flushproof.runner.jobs import Task, claims_of, run_local_job, run_remote_job
from flushproof.runner.run import run_tasks
from flushproof.support import files
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.files import Recorded, Sent
from flushproof.support.record import replace
from flushproof.support.source import Source
from flushproof.verify.options import Options, Sweeping
from support.places import SPECS

SMALL = Options(vcpus=(1, 1), loads=1, flushes=1, claims=("range_kept",), jobs=2)


def test_processes_and_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports come in the order of the files whoever finishes first; the last one may be bad."""
    monkeypatch.chdir(SPECS)
    tasks = [Task("check", f"{n}.spec", None, SMALL) for n in ("vcpu0_first", "dedup_all")]
    assert [r.spec for r in run_tasks(tasks, lambda _: None)] == ["vcpu0_first", "dedup_all"]
    bad = [Task("check", str(tmp_path / n), None, SMALL) for n in ("b.spec", "a.spec")]
    told: list[Report] = []
    with pytest.raises(InputError, match=r"b\.spec"):
        run_tasks([bad[0], tasks[0], bad[1]], told.append)
    assert [r.spec for r in told] == ["vcpu0_first"]


def test_complaints_travel() -> None:
    """A bad file that another process reads must be complained about as one that this one reads."""
    with pytest.raises(InputError) as refused:
        load_source("no/such/file")
    error = refused.value
    error.sources = (Source("a", "b"),)
    again = pickle.loads(pickle.dumps(error))
    assert (again.diagnostics, again.sources) == (error.diagnostics, error.sources)
    assert str(again) == str(error)


def test_a_job_needs_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker on another machine has neither the files nor the folder; names stay as they were."""
    monkeypatch.chdir(SPECS)
    task = Task("check", "enum_status.spec", None, replace(SMALL, claims=("no_bogus",), jobs=1))
    names, sent = claims_of(task)
    assert names == ("no_bogus",)
    plain = run_local_job(task).report
    job, box = pickle.loads(pickle.dumps((task, sent)))
    monkeypatch.chdir(tmp_path)
    done = run_remote_job(job, box, program_fingerprint())
    assert done.report is not None
    assert plain is not None
    assert done.report.results[0].trace == plain.results[0].trace
    assert done.report.path == "enum_status.spec"


def test_what_was_not_sent_is_not_there(tmp_path: Path) -> None:
    """A worker must not find another file of that name on its own disk."""
    (tmp_path / "x.h").write_text("int x;")
    with files.use_files(Sent("/", {}, {})), pytest.raises(InternalError, match="not sent"):
        load_source(tmp_path / "x.h")


def test_answers_are_the_sender_s(tmp_path: Path) -> None:
    """Absent files, folders and links must look the same to a worker."""
    (tmp_path / "a").write_bytes(b"text")
    recorded = Recorded(files.DISK)
    here_ = str(tmp_path)
    a, no = f"{here_}/a", f"{here_}/no"

    def asked(where: files.Files) -> list[object]:
        out: list[object] = [where.is_file(a), where.is_file(no), where.is_folder(here_)]
        out += [where.real(a), where.read(a, 9), where.cwd()]
        with pytest.raises(FileNotFoundError):
            where.read(no, 9)
        with pytest.raises(IsADirectoryError):
            where.read(here_, 9)
        return out

    first = asked(recorded)
    assert asked(pickle.loads(pickle.dumps(recorded.sent()))) == first


def test_any_executor_will_do() -> None:
    """The interface is the standard one: what `submit` returns is a future."""
    with open_executor("local", 1) as pool:
        assert isinstance(pool, Inline)
        assert pool.submit(pow, 2, 5).result() == 32
    with open_executor("local", 2) as pool:
        assert isinstance(pool, Executor)


def test_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take a process away: no verdict, and no traceback."""
    import os

    with open_executor("local", 2) as pool, pytest.raises(InternalError, match="is gone"):
        job_result(pool.submit(os._exit, 1))


def test_a_scheduler_that_dies() -> None:
    """A cancelled job is a lost one."""
    future: Future[int] = Future()
    future.cancel()
    with pytest.raises(InputError, match="lost a job"):
        job_result(future)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional: say which one is missing."""
    monkeypatch.setattr(executors, "find_spec", lambda _: None)
    options = replace(SMALL, sweeping=Sweeping(None, "dask://h:1"))
    with pytest.raises(InputError, match="`dask://h:1` needs the Python package `distributed`"):
        run_tasks([Task("check", "a.spec", None, options)], lambda _: None)


@pytest.mark.parametrize("name", ["", "dask", "dask://", "dask://h", "dask://h:x", "ssh://h:1"])
def test_unknown_executors(name: str) -> None:
    """A name that is mistyped must not quietly mean this machine."""
    with pytest.raises(InputError, match="there is no executor"):
        Sweeping(None, name)

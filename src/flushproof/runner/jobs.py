"""One job, as plain data that any process can be handed, and how it is carried out.

In: a `Task`, and for a process elsewhere the files it needs. Out: `JobOutcome`, with the report or
what is wrong with the input, and every file that was looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from flushproof.results.verdict import ClaimResult, Report
from flushproof.support import files
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.files import FileLook, Sent
from flushproof.support.record import Record
from flushproof.verify.options import Options

Decision = Literal["prove", "refute", "check"]
_one_at_a_time = threading.Lock()
"""The solver's terms belong to the process: a worker of several threads takes turns."""


class Task(Record, frozen=True):
    """Decide claims about one file; without any in `options`, all that the command means."""

    command: Decision
    path: str
    spec: str | None
    options: Options


class JobOutcome(Record, frozen=True):
    """What became of a job; exactly one of `report` and `error` is there."""

    report: Report | None
    error: InputError | None
    looks: tuple[FileLook, ...]


def run_local_job(
    task: Task, on_result: Callable[[ClaimResult], None] = lambda _: None
) -> JobOutcome:
    """Carry out a job on the files of this machine; each result is told at once."""
    recorded = files.Recorded(files.current_files())
    with files.use_files(recorded):
        try:
            report = _decide(task, on_result)
        except InputError as error:
            return JobOutcome(None, error, recorded.looks)
    return JobOutcome(report, None, recorded.looks)


def run_remote_job(task: Task, sent: Sent, engine: str) -> JobOutcome:
    """Carry out a job on files that were sent along.

    Raises:
        InternalError: this process runs another version of the program.
    """
    from flushproof.runner.fingerprint import program_fingerprint

    if program_fingerprint() != engine:
        raise InternalError("a worker runs another version of flushproof, or of its libraries")
    with _one_at_a_time, files.use_files(sent):
        return run_local_job(task)


def _decide(task: Task, on_result: Callable[[ClaimResult], None]) -> Report:
    from flushproof import pipeline

    return pipeline.decide_file(task.command, task.path, task.spec, task.options, on_result)


def claims_of(task: Task) -> tuple[tuple[str, ...], Sent]:
    """Return the claims that a job would decide, and all files that it needs; they are only parsed.

    Raises:
        InputError: the file is not accepted.
    """
    from flushproof.pipeline import Passes

    recorded = files.Recorded(files.current_files())
    with files.use_files(recorded):
        names = Passes(task.path, task.spec, task.options).claims_for(task.command)
    return names, recorded.sent()

"""Jobs carried out wherever an executor runs them, known verdicts left out.

In: tasks. Out: a report for each, in their order, told of as soon as it is whole. Files go to an
executor elsewhere together with the job; one here reads the disk itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from functools import partial

from flushproof.results.verdict import ClaimResult, Report
from flushproof.runner.executors import job_result, open_executor, submit_job
from flushproof.runner.fingerprint import program_fingerprint
from flushproof.runner.jobs import JobOutcome, Task, claims_of, run_local_job, run_remote_job
from flushproof.runner.verdict_lookup import VerdictLookup, open_store
from flushproof.support.diagnostics import InputError, join_errors
from flushproof.support.record import replace
from flushproof.verify.options import LOCAL

OnResult = Callable[[ClaimResult], None]
OnReport = Callable[[Report], None]
OnRefused = Callable[[Task], None]


@dataclass
class _Open:
    """A task that is not wholly known: what is known, and what jobs have found so far."""

    task: Task
    results: dict[str, ClaimResult] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    pending: int = 0
    report: Report | None = None

    def take(self, report: Report) -> None:
        """Add what one job found."""
        self.pending -= 1
        self.results |= {r.claim: r for r in report.results}
        order = self.wanted or tuple(self.results)
        found = tuple(self.results[name] for name in order if name in self.results)
        self.report = replace(report, results=found)


HandOut = Callable[[_Open, Executor], list[tuple[Task, Future[JobOutcome]]]]


def run_task(task: Task, on_result: OnResult) -> Report:
    """Carry out one task in this process, or where the options say; each result is told at once.

    Raises:
        InputError: the file is not accepted, or the executor cannot be had.
        InternalError: a counterexample does not replay, or a worker is gone.
    """
    if task.options.sweeping.executor != LOCAL:
        (report,) = run_tasks((task,), lambda _: None)
        for found in report.results:
            on_result(found)
        return report
    known = open_store(task.options.sweeping.cache)
    hit = known.find(task) if known else None
    results = {} if hit is None else {r.claim: r for r in hit.results}
    for result in results.values():
        on_result(result)
    if hit is not None and not hit.missing:
        return hit.report
    wanted = task.options.claims if hit is None else hit.missing
    asked = replace(task, options=replace(task.options, claims=wanted))
    done = run_local_job(asked, on_result)
    if done.error is not None:
        raise done.error
    assert done.report is not None
    if known is not None:
        known.add(asked, done.report, done.looks)
    results |= {r.claim: r for r in done.report.results}
    order = tuple(results) if hit is None else hit.wanted
    return replace(done.report, results=tuple(results[name] for name in order))


def run_tasks(
    tasks: Sequence[Task], on_report: OnReport, on_refused: OnRefused = lambda _: None
) -> tuple[Report, ...]:
    """Carry out tasks as `stream_reports` does, and return their reports in order."""
    finished: dict[int, Report] = {}
    for index, report in stream_reports(tasks, on_refused):
        finished[index] = report
        on_report(report)
    return tuple(finished[index] for index in range(len(tasks)))


def stream_reports(
    tasks: Sequence[Task], on_refused: OnRefused = lambda _: None
) -> Iterator[tuple[int, Report]]:
    """Carry out tasks that share their way of being carried out; yield each when it is done.

    Files that are not accepted are told at once, and complained about when all others are done.

    Raises:
        InputError: a file is not accepted, or the executor cannot be had.
        InternalError: a counterexample does not replay, or a worker is gone.
    """
    if not tasks:
        return
    known = open_store(tasks[0].options.sweeping.cache)
    unknown: dict[int, _Open] = {}
    for index, task in enumerate(tasks):
        hit = known.find(task) if known else None
        if hit is not None and not hit.missing:
            yield index, hit.report
        elif hit is not None:
            results = {r.claim: r for r in hit.results}
            unknown[index] = _Open(task, results, hit.wanted, hit.missing)
        else:
            unknown[index] = _Open(task)
    if unknown:
        yield from _decided(unknown, known, on_refused)


def _decided(
    unknown: dict[int, _Open], known: VerdictLookup | None, on_refused: OnRefused
) -> Iterator[tuple[int, Report]]:
    options = next(iter(unknown.values())).task.options
    name = options.sweeping.executor
    jobs = options.processes
    workers = min(jobs, len(unknown))
    hand_out = partial(_whole, jobs=jobs // workers) if name == LOCAL else _spread
    errors: dict[int, InputError] = {}
    with open_executor(name, workers) as pool:
        for index, task, done in _done(unknown, pool, hand_out):
            if done.report is None:
                assert done.error is not None
                errors.setdefault(index, done.error)
                on_refused(task)
                continue
            if known is not None:
                known.add(task, done.report, done.looks)
            part = unknown[index]
            part.take(done.report)
            if not part.pending and part.report is not None:
                yield index, part.report
    if errors:
        raise join_errors([errors[index] for index in sorted(errors)])


def _done(
    unknown: dict[int, _Open], pool: Executor, hand_out: HandOut
) -> Iterator[tuple[int, Task, JobOutcome]]:
    """Hand out the jobs; yield what becomes of each, at once where it runs in this process."""
    running: dict[Future[JobOutcome], tuple[int, Task]] = {}
    for index, part in unknown.items():
        for task, future in hand_out(part, pool):
            if future.done():
                yield index, task, job_result(future)
            else:
                running[future] = index, task
    for future in as_completed(running):
        yield *running[future], job_result(future)


def _whole(part: _Open, pool: Executor, *, jobs: int) -> list[tuple[Task, Future[JobOutcome]]]:
    """Hand out a file as one job, which may use so many processes itself."""
    part.pending = 1
    task = _only(part.task, part.missing, jobs)
    return [(task, submit_job(pool, run_local_job, task))]


def _spread(part: _Open, pool: Executor) -> list[tuple[Task, Future[JobOutcome]]]:
    """Hand out each claim of a file as one job, and the file with it."""
    try:
        names, sent = claims_of(part.task)
    except InputError as error:
        failed: Future[JobOutcome] = Future()
        failed.set_result(JobOutcome(None, error, ()))
        return [(part.task, failed)]
    part.wanted = part.wanted or names
    tasks = [_only(part.task, (name,), 1) for name in part.missing or names]
    part.pending = len(tasks)
    return [(t, submit_job(pool, run_remote_job, t, sent, program_fingerprint())) for t in tasks]


def _only(task: Task, claims: tuple[str, ...], jobs: int) -> Task:
    wanted = claims or task.options.claims
    return replace(task, options=replace(task.options, claims=wanted, jobs=jobs))

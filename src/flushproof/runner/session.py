"""The pipeline as the command line sees it: what is known is answered before it is even loaded."""

from __future__ import annotations

from collections.abc import Callable

from flushproof.frontend.c.load import load_source
from flushproof.frontend.spec import syntax as s
from flushproof.results.atomicity import AtomicSteps
from flushproof.results.comparison import Comparison
from flushproof.results.recognition import Recognition
from flushproof.results.review import Review
from flushproof.results.verdict import ClaimResult, Report
from flushproof.runner.jobs import Command, Task, run_local_job
from flushproof.runner.run import run_tasks
from flushproof.runner.verdict_lookup import open_store
from flushproof.support.record import Record, replace
from flushproof.verify.options import LOCAL, Comparing, Options, Reviewing

OnResult = Callable[[ClaimResult], None]
OnReport = Callable[[Report], None]


class Session:
    """A `Pipeline` that keeps verdicts, and runs jobs where the options say."""

    def prove(self, path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
        """Decide claims about one variant, hoping for proofs."""
        return _one(Task("prove", path, spec, options), on_result)

    def refute(self, path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
        """Decide claims about one variant, hoping for counterexamples."""
        return _one(Task("refute", path, spec, options), on_result)

    def check(
        self, specs: tuple[str, ...], options: Options, on_report: OnReport
    ) -> tuple[Report, ...]:
        """Decide every expectation of the spec files."""
        return run_tasks(tuple(Task("check", s, None, options) for s in specs), on_report)

    def several(self, request: Several, options: Options, on_report: OnReport) -> Reports:
        """Prove or refute claims about several files."""
        command: Command = "refute" if request.command == "refute" else "prove"
        tasks = tuple(Task(command, p, request.spec, options) for p in request.paths)
        return run_tasks(tasks, on_report)

    def nfc(
        self, old: str, new: str, spec: str | None, options: Options, comparing: Comparing
    ) -> Comparison:
        """Compare two variants under the same operations."""
        from flushproof import pipeline

        return pipeline.nfc(old, new, spec, options, comparing)

    def review(
        self, reviewing: Reviewing, spec: str | None, options: Options, done: OnReport
    ) -> Review:
        """Review a patch."""
        from flushproof import pipeline

        return pipeline.review(reviewing, spec, options, done)

    def emit(self, path: str, spec: str | None, stage: str, options: Options) -> str:
        """Return what a stage hands to the next one, as text."""
        from flushproof import pipeline

        return pipeline.emit_stage(path, spec, stage, options)

    def atomicity(self, path: str, spec: str | None, options: Options) -> tuple[AtomicSteps, ...]:
        """Return which stretches of code are atomic steps, and why."""
        from flushproof import pipeline

        return pipeline.list_atomic_steps(path, spec, options)

    def recognised(self, path: str, spec: str | None, options: Options) -> Recognition:
        """Return what a file was taken for."""
        from flushproof import pipeline

        return pipeline.recognise_file(path, spec, options)


def _one(task: Task, on_result: OnResult) -> Report:
    """Decide the claims that are not known, telling of each at once."""
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


Reports = tuple[Report, ...]


class Several(Record, frozen=True):
    """Files to be decided by one command, "prove" or "refute", under one set-up."""

    command: str
    paths: tuple[str, ...]
    spec: str | None


def check_specs(
    specs: tuple[str, ...], options: Options, on_report: OnReport
) -> tuple[Report, ...]:
    """Decide the expectations of spec files, several at a time.

    Raises:
        InputError: a file is not accepted.
    """
    from flushproof.runner.jobs import Task
    from flushproof.runner.run import run_tasks

    return run_tasks(tuple(Task("check", s, None, options) for s in specs), on_report)


def check_claim(spec_path: str, claim: str, options: Options | None = None) -> Report:
    """Decide one expectation of a spec file."""
    asked = replace(options or Options(), claims=(claim,), jobs=1)
    return check_specs((spec_path,), asked, lambda _: None)[0]


def read_expectations(spec_path: str) -> tuple[tuple[str, str, int], ...]:
    """Return the expectations of a spec file as (claim, verdict, line); it is only parsed."""
    from flushproof.frontend.spec.resolve import only_spec

    spec, _ = only_spec(load_source(spec_path))
    return tuple((e.claim, _expected_text(e), e.span.line) for e in spec.expectations)


def _expected_text(stated: s.Expectation) -> str:
    every = " for every" if stated.every_number else ""
    return (
        f"{stated.verdict}{every}"
        if stated.vcpus is None
        else f"{stated.verdict} at {stated.vcpus}"
    )

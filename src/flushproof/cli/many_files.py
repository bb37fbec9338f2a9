"""Several files decided side by side, and shown together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from flushproof.cli.progress_line import start_progress
from flushproof.cli.verdict_output import VerdictOutput
from flushproof.report.exit_code import exit_code, verdict_counts
from flushproof.results.verdict import Report
from flushproof.support.diagnostics import InputError

if TYPE_CHECKING:
    from flushproof.runner.jobs import Task


def decide_files(tasks: Sequence[Task], noun: str, output: VerdictOutput) -> int:
    """Decide files and show the reports; return the exit code.

    What is finished is shown even where the run is interrupted or a later file is not accepted.
    """
    from flushproof.runner.run import run_tasks

    done: list[Report] = []
    workers = tasks[0].options.processes if tasks else 1
    progress = start_progress(output.terminal, noun, len(tasks))

    ended: set[str] = set()

    def at_work() -> str:
        running = (task.path for task in tasks if task.path not in ended)
        return ", ".join(PurePath(path).stem for path in islice(running, workers))

    progress.begin(at_work())

    def on_report(report: Report) -> None:
        done.append(report)
        ended.add(report.path)
        progress.advance(f"{report.path}: {_said(report)}", at_work())
        output.stream(report)

    def on_refused(task: Task) -> None:
        ended.add(task.path)
        progress.advance(f"{task.path}: not accepted", at_work())

    try:
        reports = run_tasks(tasks, on_report, on_refused)
    except (KeyboardInterrupt, InputError) as stop:
        progress.clear()
        order = {task.path: index for index, task in enumerate(tasks)}
        finished = sorted(done, key=lambda report: order.get(report.path, 0))
        output.show_finished(stop, tuple(finished))
        raise
    finally:
        progress.clear()
    code = exit_code(reports)
    output.show(reports, code)
    output.write_page(reports)
    return code


def _said(report: Report) -> str:
    """Return what a finished file came to, with the claims that are not as expected."""
    otherwise = ", ".join(r.claim for r in report.results if not r.as_expected)
    counts = verdict_counts(report.results)
    return f"{counts}, not as expected: {otherwise}" if otherwise else f"{counts}, as expected"

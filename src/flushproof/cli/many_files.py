"""Several files decided side by side, and shown together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flushproof.cli.progress_line import start_progress
from flushproof.cli.verdict_output import VerdictOutput
from flushproof.report.exit_code import exit_code
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
    progress = start_progress(output.terminal, noun, len(tasks))

    def on_report(report: Report) -> None:
        done.append(report)
        progress.advance()
        output.stream(report)

    try:
        reports = run_tasks(tasks, on_report)
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

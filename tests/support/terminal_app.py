"""The command line with a pipeline that answers by heart, for tests in a pseudo-terminal.

`SLOW` in the environment lets each result take half a second by the clock, which does not wait.
With `EARLY` something is known of a claim before its result is told.
"""

from __future__ import annotations

import itertools
import os
import sys

from flushproof.cli import main as cli
from flushproof.cli import progress_line
from flushproof.results.verdict import ClaimResult, EarlyVerdict, Report, Verdict, VerdictScope
from flushproof.runner import run
from flushproof.runner.jobs import Task
from flushproof.verify.progress import Listener
from support.report_samples import COVERAGE_TRACE, MANY_TRACE, SECTION_TRACE, Made, report, result

RESULTS = (
    result(Verdict.REFUTED, "coverage", Made(), COVERAGE_TRACE),
    result(Verdict.REFUTED, "no_repeat", Made(), SECTION_TRACE),
    result(Verdict.REFUTED, "no_bogus", Made(), MANY_TRACE),
    result(Verdict.BOUNDED, "failure_kept"),
    result(Verdict.UNKNOWN, "no_race", Made(reason="out of steps")),
)


class _Clock:
    """A clock that goes on by half a second each time somebody looks."""

    def __init__(self) -> None:
        self.ticks = itertools.count()

    def monotonic(self) -> float:
        return next(self.ticks) / 2


def _early(claim: str) -> EarlyVerdict:
    scope = VerdictScope((1, 2), 3, 4, 1, "every interleaving", "uninterpreted")
    return EarlyVerdict(claim, scope, ("loads go on",), 0.0, proving=True)


def _decide(_: Task, listener: Listener) -> Report:
    done: list[ClaimResult] = []
    for one in RESULTS:
        if "EARLY" in os.environ:
            listener.board.note(0, _early(one.claim))
        listener(one)
        listener.board.note(0, None)
        done.append(one)
    return report(*done)


if __name__ == "__main__":
    run.run_task = _decide  # type: ignore[assignment]
    if "SLOW" in os.environ:
        progress_line.time = _Clock()  # type: ignore[assignment, attr-defined]
    sys.exit(cli.main(sys.argv[1:]))

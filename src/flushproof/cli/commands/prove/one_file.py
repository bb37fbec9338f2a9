"""One file decided, each result told as it is found, and the proofs written out on demand."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from flushproof.cli.progress_line import start_progress
from flushproof.cli.terminal import load_sources
from flushproof.cli.verdict_output import VerdictOutput
from flushproof.results.verdict import ClaimResult, Report
from flushproof.support import files
from flushproof.support.atomic_write import write_atomically
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, replace
from flushproof.verify.certificate.certificate_file import write_certificate
from flushproof.verify.certificate.files_read import describe_reading
from flushproof.verify.certificate.head import BEGINS
from flushproof.verify.progress import Board, Listener

if TYPE_CHECKING:
    from flushproof.runner.jobs import Task


class EvidenceShown(Record, frozen=True):
    """What is to be shown of proofs for every number of vCPUs."""

    invariant: bool = False
    certificate: str | None = None


def decide_file(task: Task, evidence: EvidenceShown, output: VerdictOutput) -> int:
    """Decide the claims of a file and show the report; return the exit code.

    What is finished is shown even where the run is interrupted.
    """
    read = files.Recorded(files.current_files())
    # Only a certificate says what was read; each look costs a digest.
    with nullcontext() if evidence.certificate is None else files.use_files(read):
        report = _decide(task, output)
    if evidence.certificate is not None:
        read_with = describe_reading(task.path, task.spec, task.options.choices)
        text = write_certificate(report, read_with, read.looks, evidence.certificate)
        write_atomically(evidence.certificate, text, BEGINS)
    if not evidence.invariant:
        plain = (replace(r, invariant=()) for r in report.results)
        report = replace(report, results=tuple(plain))
    output.show((report,), report.exit_code)
    output.write_page((report,))
    return report.exit_code


def _decide(task: Task, output: VerdictOutput) -> Report:
    from flushproof.runner.run import run_task

    done: list[ClaimResult] = []
    board = Board()
    claims = len(task.options.claims) or None
    progress = start_progress(output.terminal, "claims", claims, board)

    def on_result(result: ClaimResult) -> None:
        done.append(result)
        progress.advance(f"{result.claim}: {result.verdict}")
        output.stream(_unfinished(task, (result,)))

    try:
        return run_task(task, Listener(on_result, progress.expect, board))
    except (KeyboardInterrupt, InputError) as stop:
        progress.clear()
        if done:
            output.show_finished(stop, (_unfinished(task, tuple(done)),))
        raise
    finally:
        progress.clear()


def _unfinished(task: Task, results: tuple[ClaimResult, ...]) -> Report:
    source = load_sources((task.path,)).get(task.path)
    digest = "" if source is None else source.sha256
    return Report(task.path, digest, task.spec or "", "", results)

"""The commands: call the pipeline, show what it returns, and say with which code to exit.

In: a `Request`, a `Pipeline` and a `Terminal`. Out: text on the terminal and an exit code. What is
finished is shown even where the run is interrupted or a later file is not accepted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar, Protocol

from flushproof.cli.terminal import Terminal, load_sources
from flushproof.features.nfc import json as compare_json
from flushproof.features.nfc import text as compare_text
from flushproof.features.review import json as review_json
from flushproof.features.review import text as review_text
from flushproof.report import atomicity, formats, jsonl
from flushproof.report import json_report as json
from flushproof.report import recognition as listing
from flushproof.report.exit_code import exit_code
from flushproof.report.findings import Results
from flushproof.report.formats import FORMATS, LINES, TEXT, TRACE, list_shown_files
from flushproof.report.plain import escape_unprintable
from flushproof.results.atomicity import AtomicSteps
from flushproof.results.comparison import Comparison
from flushproof.results.recognition import Recognition
from flushproof.results.review import Review
from flushproof.results.verdict import EXIT_INTERNAL, EXIT_OK, EXIT_UNDECIDED, ClaimResult, Report
from flushproof.runner.session import Reports, Several
from flushproof.support import files
from flushproof.support.atomic_write import PAGE, check_writable, write_atomically
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.memory_limit import memory_limit
from flushproof.support.record import Record, replace
from flushproof.verify.certificate.certificate_file import write_certificate
from flushproof.verify.certificate.head import BEGINS
from flushproof.verify.expectation import with_expected
from flushproof.verify.options import Comparing, Options, Reviewing
from flushproof.verify.progress import Board, Listener, Progress

EXIT_INTERRUPTED = 130

OnResult = Callable[[ClaimResult], None]
OnReport = Callable[[Report], None]


class Pipeline(Protocol):
    """What the commands need of `flushproof.pipeline`."""

    def prove(self, path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
        """Decide claims about one variant, hoping for proofs."""

    def refute(self, path: str, spec: str | None, options: Options, on_result: OnResult) -> Report:
        """Decide claims about one variant, hoping for counterexamples."""

    def check(
        self, specs: tuple[str, ...], options: Options, on_report: OnReport
    ) -> tuple[Report, ...]:
        """Decide every expectation of the spec files."""

    def several(self, request: Several, options: Options, on_report: OnReport) -> Reports:
        """Prove or refute claims about several files."""

    def nfc(
        self, old: str, new: str, spec: str | None, options: Options, comparing: Comparing
    ) -> Comparison:
        """Compare two variants under the same operations."""

    def review(
        self, reviewing: Reviewing, spec: str | None, options: Options, done: OnReport
    ) -> Review:
        """Review a patch; `done` is told of each version of the file that is decided."""

    def emit(self, path: str, spec: str | None, stage: str, options: Options) -> str:
        """Return what a stage hands to the next one, as text."""

    def atomicity(self, path: str, spec: str | None, options: Options) -> tuple[AtomicSteps, ...]:
        """Return which stretches of code are atomic steps, and why."""

    def recognised(self, path: str, spec: str | None, options: Options) -> Recognition:
        """Return what a file was taken for."""


class OutOfMemory(Diagnostic, frozen=True, kw_only=True):
    """Memory ran out before any claim was looked at."""

    CODE: ClassVar[str] = "FP0130"
    TITLE: ClassVar[str] = "out of memory"
    HELP: ClassVar[str] = "a higher --max-memory may be enough"
    EXIT: ClassVar[int] = EXIT_UNDECIDED


class NoSuchPath(Diagnostic, frozen=True, kw_only=True):
    """A file or folder named on the command line that does not exist."""

    CODE: ClassVar[str] = "FP0102"
    TITLE: ClassVar[str] = "no such file or folder: `{path}`"
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str


class NoSpecs(Diagnostic, frozen=True, kw_only=True):
    """A folder without spec files."""

    CODE: ClassVar[str] = "FP0103"
    TITLE: ClassVar[str] = "no `*.spec` file in `{path}`"
    EXIT: ClassVar[int] = EXIT_USAGE

    path: str


class NoPage(Diagnostic, frozen=True, kw_only=True):
    """A page was asked for, and nothing is decided that it could show."""

    CODE: ClassVar[str] = "FP0126"
    TITLE: ClassVar[str] = "`--html` needs verdicts, and this decides nothing"
    HELP: ClassVar[str] = "leave out `--emit`, `--list` or `--explain-atomicity`"
    EXIT: ClassVar[int] = EXIT_USAGE


class OneClaim(Diagnostic, frozen=True, kw_only=True):
    """A form that holds one trace is asked for, and not of one claim."""

    CODE: ClassVar[str] = "FP0111"
    TITLE: ClassVar[str] = "`--format itf` holds the trace of one claim"
    HELP: ClassVar[str] = "choose it with `--claim NAME`"
    EXIT: ClassVar[int] = EXIT_USAGE


class Request(Record, frozen=True):
    """One command line.

    `paths` holds one file or several, for `nfc` the old and the new one, for `check` files and
    folders, and for `review` nothing.
    """

    command: str
    paths: tuple[str, ...]
    options: Options
    spec: str | None = None
    stage: str | None = None
    atomicity: bool = False
    listing: bool = False
    format: str = "text"
    comparing: Comparing | None = None
    reviewing: Reviewing | None = None
    html: str | None = None
    invariant: bool = False
    certificate: str | None = None
    output: str | None = None


def run(request: Request, pipeline: Callable[[], Pipeline], terminal: Terminal) -> int:
    """Run one command and return the exit code; no exception but a bug in here escapes."""
    return guard_command(lambda: _told(request, pipeline, terminal), terminal)


def _told(request: Request, pipeline: Callable[[], Pipeline], terminal: Terminal) -> int:
    """Run one command; readers of JSON are told on stdout too that the input is not accepted."""
    try:
        with memory_limit(request.options.megabytes):
            return _run(request, pipeline(), terminal)
    except InputError as error:
        if request.format == "json" and not error.told:
            terminal.raw(json.dump_document(json.refusal_document(error)))
        raise


def guard_command(command: Callable[[], int], terminal: Terminal) -> int:
    """Return a command's exit code, or say on stderr what stopped it and return that one's."""
    try:
        return command()
    except InputError as error:
        terminal.input_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except MemoryError:
        terminal.input_error(InputError(OutOfMemory(span=None)))
        return EXIT_UNDECIDED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is our own fault
        terminal.internal_error(error)
        return EXIT_INTERNAL


def _run(request: Request, pipeline: Pipeline, terminal: Terminal) -> int:
    _check_outputs(request)
    if request.stage is not None:
        path = request.paths[0]
        emitted = pipeline.emit(path, request.spec, request.stage, request.options)
        terminal.raw(
            "".join(f"{escape_unprintable(x)}\n" for x in emitted.expandtabs().splitlines())
        )
        return EXIT_OK
    if request.atomicity:
        return _atomicity(request, pipeline, terminal)
    if request.listing:
        return _list(request, pipeline, terminal)
    if request.command == "check":
        return _check(request, pipeline, terminal)
    if request.command in {"prove", "refute"} and len(request.paths) > 1:
        return _check(request, pipeline, terminal)
    if request.comparing is not None:
        return _nfc(request, request.comparing, pipeline, terminal)
    if request.reviewing is not None:
        return _review(request, request.reviewing, pipeline, terminal)
    return _decide(request, pipeline, terminal)


def _check_outputs(request: Request) -> None:
    """Refuse early what could not be written at the end, or would not be what was asked for."""
    if request.html is not None:
        if request.stage is not None or request.atomicity or request.listing:
            raise InputError(NoPage(span=None))
        check_writable(request.html, PAGE)
    if request.certificate is not None:
        check_writable(request.certificate, BEGINS)
    if request.output is not None:
        reads = (*request.paths, *filter(None, (request.spec,)))
        check_writable(request.output, formats.BEGINS.get(request.format, ""), reads)
    if request.format == TRACE and len(request.options.claims) != 1:
        raise InputError(OneClaim(span=None))


def _decide(request: Request, pipeline: Pipeline, terminal: Terminal) -> int:
    decide = pipeline.refute if request.command == "refute" else pipeline.prove
    path = request.paths[0]
    done: list[ClaimResult] = []
    board, read = Board(), files.Recorded(files.current_files())
    # Only a certificate says what was read; each look costs a digest.
    reading = nullcontext() if request.certificate is None else files.use_files(read)
    progress = _progress(terminal, "claims", len(request.options.claims) or None, board)

    def on_result(result: ClaimResult) -> None:
        done.append(result)
        progress.advance()
        if request.format == LINES:
            last = partial()
            _stream(replace(last, results=last.results[-1:]), request, terminal)

    def partial() -> Report:
        return _expecting(_unfinished(path, request.spec, tuple(done)), request)

    try:
        listener = Listener(on_result, progress.expect, board)
        with reading:
            report = decide(path, request.spec, request.options, listener)
    except (KeyboardInterrupt, InputError) as stop:
        progress.clear()
        _show_finished(stop, [partial()] if done else [], request, terminal)
        raise
    progress.clear()
    report = _expecting(report, request)
    if request.certificate is not None:
        text = write_certificate(report, read.looks, request.certificate)
        write_atomically(request.certificate, text, BEGINS)
    if not request.invariant:
        plain = (replace(r, invariant=()) for r in report.results)
        report = replace(report, results=tuple(plain))
    _show((report,), report.exit_code, request, terminal)
    _write_page((report,), request)
    return report.exit_code


def _atomicity(request: Request, pipeline: Pipeline, terminal: Terminal) -> int:
    path = request.paths[0]
    steps = pipeline.atomicity(path, request.spec, request.options)
    sources = load_sources((path, *atomicity.list_code_files(steps)))
    if request.format == "json":
        terminal.raw(json.dump_document(json.atomicity_document(path, sources.get(path), steps)))
    else:
        terminal.raw(atomicity.render(path, steps, sources, terminal.width))
    return EXIT_OK


def _list(request: Request, pipeline: Pipeline, terminal: Terminal) -> int:
    found = pipeline.recognised(request.paths[0], request.spec, request.options)
    if request.format == "json":
        terminal.raw(json.dump_document(listing.recognition_document(found)))
    else:
        terminal.raw(listing.render(found, terminal.width))
    return EXIT_OK


def _check(request: Request, pipeline: Pipeline, terminal: Terminal) -> int:
    checked = request.command == "check"
    paths = find_specs(request.paths) if checked else tuple(dict.fromkeys(request.paths))
    done: list[Report] = []
    progress = _progress(terminal, "specs" if checked else "files", len(paths))

    def on_report(report: Report) -> None:
        done.append(report)
        progress.advance()
        _stream(report, request, terminal)

    try:
        if checked:
            reports = pipeline.check(paths, request.options, on_report)
        else:
            asked = Several(request.command, paths, request.spec)
            reports = pipeline.several(asked, request.options, on_report)
    except (KeyboardInterrupt, InputError) as stop:
        progress.clear()
        order = {path: index for index, path in enumerate(paths)}
        finished = sorted(done, key=lambda report: order.get(report.path, 0))
        _show_finished(stop, finished, request, terminal)
        raise
    progress.clear()
    code = exit_code(reports)
    _show(reports, code, request, terminal)
    _write_page(reports, request)
    return code


def _nfc(request: Request, comparing: Comparing, pipeline: Pipeline, terminal: Terminal) -> int:
    old, new = request.paths
    found = pipeline.nfc(old, new, request.spec, request.options, comparing)
    if request.format == "json":
        terminal.raw(json.dump_document(compare_json.comparison_document(found)))
    else:
        sources = load_sources(compare_text.list_compared_files(found))
        terminal.report(compare_text.render(found, sources, terminal.width))
    return found.exit_code


def _review(request: Request, reviewing: Reviewing, pipeline: Pipeline, terminal: Terminal) -> int:
    progress = _progress(terminal, "versions", None)
    try:
        found = pipeline.review(
            reviewing, request.spec, request.options, lambda _: progress.advance()
        )
    finally:
        progress.clear()
    if request.format == "json":
        terminal.raw(json.dump_document(review_json.review_document(found)))
    else:
        sources = load_sources(review_text.list_reviewed_files(found))
        terminal.report(review_text.render(found, sources, terminal.width))
    return found.exit_code


def find_specs(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the files, and the `*.spec` files under the folders, sorted and each only once.

    Raises `InputError` for a path that does not exist and for a folder without spec files.
    """
    return tuple(sorted({spec for path in paths for spec in _specs_of(path)}))


def _specs_of(path: str) -> list[str]:
    place = Path(path)
    if place.is_file():
        return [path]
    if not place.is_dir():
        raise InputError(NoSuchPath(span=None, path=path))
    found = [str(p) for p in place.rglob("*.spec") if p.is_file()]
    if not found:
        raise InputError(NoSpecs(span=None, path=path))
    return found


def _expecting(report: Report, request: Request) -> Report:
    """Return the report with what the command expects of its claims."""
    command, options = request.command, request.options
    results = (with_expected(r, command, options) for r in report.results)
    return replace(report, results=tuple(results))


def _unfinished(path: str, spec: str | None, results: tuple[ClaimResult, ...]) -> Report:
    source = load_sources((path,)).get(path)
    digest = "" if source is None else source.sha256
    return Report(path, digest, spec or "", "", results)


def _show_finished(
    stop: BaseException, reports: list[Report], request: Request, terminal: Terminal
) -> None:
    """Show what was decided before the run stopped, under the exit code of the stop."""
    code = stop.exit_code if isinstance(stop, InputError) else EXIT_INTERRUPTED
    if not reports:
        return
    if isinstance(stop, InputError):
        stop.told = request.format == "json"
    _show(tuple(reports), code, request, terminal, stop)
    if code == EXIT_INTERRUPTED and request.format == TEXT:
        terminal.raw("interrupted: only what was finished is shown\n")


def _stream(report: Report, request: Request, terminal: Terminal) -> None:
    """Write the lines of results at once, in a form that has one for each."""
    if request.format == LINES and request.output is None:
        terminal.raw("".join(jsonl.report_lines(report)))


def _show(
    reports: tuple[Report, ...],
    code: int,
    request: Request,
    terminal: Terminal,
    stop: BaseException | None = None,
) -> None:
    """Write the report in the form asked for, to the file asked for or to stdout."""
    spec = request.spec or next((p for p in request.paths if p.endswith(".spec")), "")
    results = Results(
        reports=reports,
        code=code,
        sources=load_sources((*list_shown_files(reports), spec)),
        expectations=request.command == "check",
        many=request.command == "check" or len(request.paths) > 1,
        width=terminal.width,
        spec=spec,
        refused=stop if isinstance(stop, InputError) else None,
    )
    if request.output is not None:
        text = FORMATS[request.format](results)
        write_atomically(request.output, text, formats.BEGINS.get(request.format, ""))
        terminal.report(FORMATS[TEXT](results))
    elif request.format == TEXT:
        terminal.report(FORMATS[TEXT](results))
    elif request.format == LINES:
        terminal.raw(jsonl.last_line(code))
    else:
        terminal.raw(FORMATS[request.format](results))


def _write_page(reports: tuple[Report, ...], request: Request) -> None:
    if request.html is not None:
        from flushproof.report.html import page

        sources = load_sources(page.list_page_files(reports))
        expectations = request.command == "check"
        write_atomically(
            request.html, page.render_page(reports, sources, expectations=expectations), PAGE
        )


def _progress(
    terminal: Terminal, noun: str, total: int | None, board: Board | None = None
) -> Progress:
    progress = Progress(
        terminal.err,
        shown=terminal.live,
        noun=noun,
        total=total,
        clock=time.monotonic,
        board=board,
    )
    progress.start()
    return progress

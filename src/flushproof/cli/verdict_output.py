"""Where reports of verdicts go, and in which form: stdout, a file, a page.

In: reports as they are finished. Out: text on the terminal, and the files asked for.
"""

from __future__ import annotations

import argparse
from typing import ClassVar

from flushproof.cli.failures import stop_code
from flushproof.cli.terminal import Terminal, load_sources
from flushproof.report import formats, jsonl
from flushproof.report.findings import Results
from flushproof.report.formats import FORMATS, LINES, TEXT, TRACE, list_shown_files
from flushproof.results.verdict import Report
from flushproof.support.atomic_write import PAGE, check_writable, write_atomically
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.record import Record
from flushproof.verify.options import Options

TELLING = ("json", LINES)
"""The forms that also say what was not accepted."""


class OneClaim(Diagnostic, frozen=True, kw_only=True):
    """A form that holds one trace is asked for, and not of one claim."""

    CODE: ClassVar[str] = "FP0111"
    TITLE: ClassVar[str] = "`--format itf` holds the trace of one claim"
    HELP: ClassVar[str] = "choose it with `--claim NAME`"
    EXIT: ClassVar[int] = EXIT_USAGE


class VerdictOutput(Record, frozen=True):
    """What a command that decides claims writes about `paths`.

    `expectations` says that specs state what is expected, and not the command.
    """

    terminal: Terminal
    paths: tuple[str, ...]
    spec: str | None = None
    expectations: bool = False
    format: str = TEXT
    html: str | None = None
    output: str | None = None

    def check_places(self, options: Options) -> None:
        """Refuse early what could not be written at the end, or is not what was asked for.

        Raises:
            InputError: a file cannot be written, or the form wants one claim.
        """
        if self.html is not None:
            check_writable(self.html, PAGE)
        if self.output is not None:
            reads = (*self.paths, *filter(None, (self.spec,)))
            check_writable(self.output, formats.BEGINS.get(self.format, ""), reads)
        if self.format == TRACE and len(options.claims) != 1:
            raise InputError(OneClaim(span=None))

    def stream(self, report: Report) -> None:
        """Write the lines of results at once, in a form that has one for each."""
        if self.format == LINES and self.output is None:
            self.terminal.raw("".join(jsonl.report_lines(report)))

    def show(
        self, reports: tuple[Report, ...], code: int, refused: InputError | None = None
    ) -> None:
        """Write the report in the form asked for, to the file asked for or to stdout."""
        results = self._results(reports, code, refused)
        if self.output is not None:
            text = FORMATS[self.format](results)
            write_atomically(self.output, text, formats.BEGINS.get(self.format, ""))
            self.terminal.report(FORMATS[TEXT](results))
        elif self.format == TEXT:
            self.terminal.report(FORMATS[TEXT](results))
        elif self.format == LINES:
            self.terminal.raw(jsonl.last_line(code, refused))
        else:
            self.terminal.raw(FORMATS[self.format](results))

    def show_finished(
        self, stop: KeyboardInterrupt | InputError, reports: tuple[Report, ...]
    ) -> None:
        """Show what was decided before the run stopped, under the exit code of the stop."""
        if not reports:
            return
        if isinstance(stop, InputError):
            stop.told = self.format in TELLING
            self.show(reports, stop.exit_code, stop)
            return
        self.show(reports, stop_code(stop))
        if self.format == TEXT:
            self.terminal.raw("interrupted: only what was finished is shown\n")

    def write_page(self, reports: tuple[Report, ...]) -> None:
        """Write the page, where one is asked for."""
        if self.html is None:
            return
        from flushproof.report.html import page

        sources = load_sources(page.list_page_files(reports))
        text = page.render_page(reports, sources, expectations=self.expectations)
        write_atomically(self.html, text, PAGE)

    def _results(
        self, reports: tuple[Report, ...], code: int, refused: InputError | None
    ) -> Results:
        spec = self.spec or next((p for p in self.paths if p.endswith(".spec")), "")
        return Results(
            reports=reports,
            code=code,
            sources=load_sources((*list_shown_files(reports), spec)),
            expectations=self.expectations,
            many=self.expectations or len(self.paths) > 1,
            width=self.terminal.width,
            spec=spec,
            refused=refused,
        )


def place_output(
    arguments: argparse.Namespace,
    terminal: Terminal,
    paths: tuple[str, ...],
    *,
    expectations: bool = False,
) -> VerdictOutput:
    """Return what the command line says of the output."""
    return VerdictOutput(
        terminal,
        paths,
        spec=vars(arguments).get("spec"),
        expectations=expectations,
        format=arguments.format,
        html=arguments.html,
        output=arguments.output,
    )

"""Spec files as tests: one item per expectation, such as `specs/x.spec::coverage`.

Collecting parses and never solves; the solver is loaded by the first item that runs. A claim that
is undecided or could not fail is a failure of its own kind, never a skip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flushproof.cli.settings.layers import options_of
from flushproof.cli.settings.project import find_project_file
from flushproof.cli.terminal import load_sources
from flushproof.frontend.spec.foreign import is_foreign
from flushproof.report import diagnostics, text
from flushproof.report.exit_code import NOTHING_ASKED
from flushproof.report.plain import escape_unprintable
from flushproof.report.summary import ADVICE
from flushproof.results.verdict import ClaimResult, ExpectationOutcome, Report, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.options import Options, Sweeping

if TYPE_CHECKING:
    from flushproof.runner.expectations import ExpectationChecker


class ClaimError(Exception):
    """A claim whose verdict is not the expected one; the message is the whole report."""


class OtherwiseError(ClaimError):
    """The claim is decided, otherwise than expected."""


class UndecidedError(ClaimError):
    """No verdict was found."""


class NothingAskedError(ClaimError):
    """The spec file expects nothing, so that nothing would be checked."""


class VacuousError(ClaimError):
    """The claim could not fail, so that its success would say nothing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Verdicts are decided anew in each run, unless the user wants those that are kept."""
    text = "answer from kept verdicts of unchanged files (see `flushproof check --help`)"
    parser.addoption("--flushproof-cache", action="store_true", help=text)
    parser.addini("flushproof_cache", text, "bool", default=False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect `*.spec` files but those of other programs."""
    if file_path.suffix != ".spec" or is_foreign(file_path):
        return None
    return SpecFile.from_parent(parent, path=file_path)


class SpecFile(pytest.File):
    """One spec file; its items are its expectations, which share what their proofs rest on."""

    checker: ExpectationChecker | None = None

    def teardown(self) -> None:
        """Let go of machines and proofs once another file's items run."""
        self.checker = None

    def check(self, claim: str) -> Report:
        """Decide one expectation."""
        from flushproof.runner.expectations import ExpectationChecker

        if self.checker is None:
            self.checker = ExpectationChecker(str(self.path), _options(self.config))
        return self.checker.check(claim)

    def collect(self) -> Iterator[pytest.Item]:
        """Parse the file; a parse error is a collection error that shows the diagnostic."""
        from flushproof.runner import expectations

        try:
            found = expectations.read_expectations(str(self.path))
        except InputError as error:
            raise self.CollectError(_diagnostics(error)) from error
        if not found:
            yield NothingAsked.from_parent(self, name="nothing asked")
        for claim, verdict, line in found:
            yield ClaimItem.from_parent(self, name=claim, verdict=verdict, line=line)


class ClaimItem(pytest.Item):
    """One expectation: a claim and the verdict that the spec file gives it."""

    def __init__(self, name: str, parent: pytest.Collector, *, verdict: str, line: int) -> None:
        super().__init__(name, parent)
        self.verdict = verdict
        self.line = line

    def runtest(self) -> None:
        """Decide the claim; raise a `ClaimError` unless the verdict is the expected one."""
        assert isinstance(self.parent, SpecFile)
        report = self.parent.check(self.name)
        result = report.results[0]
        if not result.as_expected:
            raise _failure(report, result, self.verdict)

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> object:
        """Return the report of the claim, or the diagnostic, rather than a traceback."""
        match excinfo.value:
            case ClaimError() as failure:
                return str(failure)
            case InputError() as error:
                return _diagnostics(error)
            case _:
                return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the place of the expectation, and what it says."""
        return self.path, self.line - 1, f"{self.name}: {self.verdict}"


class NothingAsked(pytest.Item):
    """A spec file without expectations; it fails, since it would check nothing."""

    def runtest(self) -> None:
        """Raise a `NothingAskedError`."""
        raise NothingAskedError(f"{self.path}: {NOTHING_ASKED}: {ADVICE}")

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> object:
        """Return the message alone."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file, and that it asks nothing."""
        return self.path, 0, self.name


def _options(config: pytest.Config) -> Options:
    """Return what the project configures."""
    kept = config.getoption("--flushproof-cache") or config.getini("flushproof_cache")
    options = options_of(find_project_file(config.rootpath))
    return replace(options, sweeping=Sweeping(verdict_folder() if kept else None))


def _failure(report: Report, result: ClaimResult, expected: str) -> ClaimError:
    sources = load_sources(text.list_excerpt_files((report,)))
    shown = text.result_text(report, result, sources)
    if result.verdict is Verdict.BOUNDED and result.outcome is ExpectationOutcome.UNDECIDED:
        return UndecidedError(
            f"{shown}\nno proof where `{escape_unprintable(expected)}` was expected"
        )
    match result.verdict:
        case Verdict.UNKNOWN | Verdict.NOT_ASKED:
            return UndecidedError(
                f"{shown}\nno verdict where `{escape_unprintable(expected)}` was expected"
            )
        case Verdict.VACUOUS:
            return VacuousError(f"{shown}\nthe claim could not fail, so its verdict says nothing")
        case Verdict.PROVED | Verdict.BOUNDED | Verdict.REFUTED:
            return OtherwiseError(f"{shown}\nexpected: {escape_unprintable(expected)}")


def _diagnostics(error: InputError) -> str:
    sources = load_sources(diagnostics.list_diagnostic_files(error.diagnostics))
    return diagnostics.render(error.diagnostics, sources).rstrip("\n")

"""The pytest plugin, run in pytest itself with expectations that are answered by heart."""

from __future__ import annotations

import pytest

from support.places import TESTS

CONFTEST = f"""
import sys, types
sys.path.insert(0, {str(TESTS)!r})
import flushproof.runner
from flushproof.support.diagnostics import InputError
from flushproof.results.verdict import Verdict
from support.report_samples import COVERAGE_TRACE, DIAGNOSTIC, EVERY_NUMBER, PROVED, REFUTED
from support.report_samples import Made, report, result

RESULTS = {{
    "good": result(Verdict.PROVED, "good", Made(expected=PROVED)),
    "coverage": result(Verdict.REFUTED, "coverage", Made(expected=PROVED), COVERAGE_TRACE),
    "unfound": result(Verdict.PROVED, "unfound", Made(expected=REFUTED)),
    "no_race": result(Verdict.UNKNOWN, "no_race", Made(expected=PROVED, reason="out of steps")),
    "converges": result(Verdict.VACUOUS, "converges", Made(expected=PROVED)),
    "few": result(Verdict.BOUNDED, "few", Made(expected=PROVED)),
    "many": result(Verdict.BOUNDED, "many", Made(expected=EVERY_NUMBER)),
}}

def read_expectations(path):
    lines = open(path).read().split()
    if "broken" in lines:
        raise InputError(DIAGNOSTIC)
    assert "z3" not in sys.modules
    return tuple((claim, "proved", at + 1) for at, claim in enumerate(lines))

class ExpectationChecker:
    def __init__(self, path, options):
        print("options", options.sweeping.cache, options.project.loads, options.rounds)
        self.path = path

    def check(self, claim):
        if claim == "bad_c":
            raise InputError(DIAGNOSTIC)
        return report(RESULTS[claim], spec=self.path)

fake = types.ModuleType("flushproof.runner.expectations")
fake.read_expectations = read_expectations
fake.ExpectationChecker = ExpectationChecker
sys.modules["flushproof.runner.expectations"] = fake
flushproof.runner.expectations = fake
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a folder whose pytest has the plugin and the fake answers, and loads no others."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(CONFTEST)
    return pytester


def _run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "flushproof.pytest_plugin", *arguments)


def _write(project: pytest.Pytester, *claims: str) -> None:
    (project.path / "x.spec").write_text("\n".join(claims))


def test_one_item_per_expectation(project: pytest.Pytester) -> None:
    """Names are what `-k`, reruns and reports refer to; collecting may not load the solver."""
    _write(project, "good", "coverage")
    listed = _run(project, "--collect-only", "-q")
    listed.stdout.fnmatch_lines(["x.spec::good", "x.spec::coverage"])


def test_selection(project: pytest.Pytester) -> None:
    """`-k` picks claims."""
    _write(project, "good", "coverage", "few")
    _run(project, "-k", "few").assert_outcomes(passed=1, deselected=2)
    _write(project, "good", "coverage")
    _run(project, "-k", "good").assert_outcomes(passed=1, deselected=1)


def test_the_items_of_a_file_share_what_is_found(project: pytest.Pytester) -> None:
    """Each would read the file anew, and prove anew that its code is defined."""
    _write(project, "good", "coverage")
    (project.path / "y.spec").write_text("good")
    done = _run(project, "-s")
    assert sum("options" in line for line in done.outlines) == 2


@pytest.mark.slow
def test_parallel(project: pytest.Pytester) -> None:
    """Workers must collect the same items in the same order."""
    _write(project, "good", "coverage", "no_race")
    done = _run(project, "-p", "xdist", "-n", "2")
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(["refuted  coverage *"])


@pytest.mark.sample("coverage", "bad_c")
@pytest.mark.parametrize(
    ("claim", "first", "last"),
    [
        ("coverage", "refuted  coverage   2 vCPUs", "expected: proved"),
        ("unfound", "proved for every number of vCPUs  unfound", "expected: proved"),
        ("no_race", "unknown  no_race", "no verdict where `proved` was expected"),
        ("many", "bounded: holds for 1..4 vCPUs  many", "no proof where `proved` was expected"),
        (
            "converges",
            "vacuous  converges",
            "the claim could not fail, so its verdict says nothing",
        ),
        ("bad_c", "enum_status.c:9:2: error: no variable `ret`", "  help: did you mean `i`?"),
    ],
)
def test_failure_report(project: pytest.Pytester, claim: str, first: str, last: str) -> None:
    """The reader sees the verdict first and no traceback; nothing undecided is a skip."""
    _write(project, claim)
    done = _run(project)
    done.assert_outcomes(failed=1)
    lines = done.outlines
    title = next(at for at, line in enumerate(lines) if line.strip("_ ") == f"{claim}: proved")
    assert lines[title + 1] == first
    assert last in lines
    assert not any("Traceback" in line or ".py" in line for line in lines[title:])


def test_nothing_asked(project: pytest.Pytester) -> None:
    """A spec whose expectations are gone would be green for ever."""
    _write(project)
    done = _run(project)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*x.spec: nothing was asked: the spec has no `expect` block"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_junit(project: pytest.Pytester) -> None:
    """The trace reaches the machine that shows test results."""
    _write(project, "good", "coverage")
    _run(project, "--junitxml=out.xml")
    written = (project.path / "out.xml").read_text()
    assert 'failures="1"' in written
    assert "VIOLATION" in written
    assert 'name="coverage"' in written


def test_parse_error_is_a_collection_error(project: pytest.Pytester) -> None:
    """A spec that cannot be read must not vanish, and shows its diagnostic."""
    _write(project, "broken")
    done = _run(project)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["enum_status.c:9:2: error: no variable `ret`"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_other_files_are_left_alone(project: pytest.Pytester) -> None:
    """The plugin is active in every project of an environment."""
    (project.path / "x.speck").write_text("good")
    (project.path / "spec").write_text("good")
    assert _run(project).ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.sample("None", "ini")
@pytest.mark.parametrize(
    ("arguments", "ini", "cache"),
    [((), "", "None"), (("--flushproof-cache",), "", "/c"), ((), "flushproof_cache = true", "/c")],
    ids=["None", "option", "ini"],
)
def test_verdicts_are_kept_on_demand_only(
    project: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    ini: str,
    cache: str,
) -> None:
    """A kept verdict would hide that the engine no longer finds it; the settings count as ever."""
    monkeypatch.setenv("FLUSHPROOF_CACHE", "/c")
    settings = "[tool.flushproof]\nloads = 3\nrounds = 4\n"
    project.makepyprojecttoml(f"[tool.pytest.ini_options]\n{ini}\n{settings}")
    _write(project, "good")
    done = _run(project, "-s", *arguments)
    done.stdout.fnmatch_lines([f"*options {cache} 3 4*"])
    done.assert_outcomes(passed=1)


def test_a_setting_that_is_refused(project: pytest.Pytester) -> None:
    """The place is shown, not a traceback."""
    project.makepyprojecttoml("[tool.flushproof]\nloads = 'x'\n")
    _write(project, "good")
    done = _run(project)
    done.stdout.fnmatch_lines(["*pyproject.toml:2:9: error[[]FP0115]: `loads` must be a number*"])
    done.stdout.no_fnmatch_line("*Traceback*")
    assert done.ret == 1

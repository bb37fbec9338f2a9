"""The command line, with a pipeline that answers by heart."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jsonschema
import pytest

import flushproof
from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.cli.arguments import SHOWING
from flushproof.cli.progress_line import ProgressLine, progress_line
from flushproof.cli.spec_files import find_specs
from flushproof.cli.terminal import Terminal
from flushproof.frontend.kernel.choices import Choices
from flushproof.results.comparison import Compared, Comparison, Relation, Since, VariantVersion
from flushproof.results.recognition import FunctionPart, Recognition, SharedField
from flushproof.results.review import Review
from flushproof.results.verdict import ClaimResult, Report, Verdict
from flushproof.runner import run
from flushproof.runner.jobs import Decision, Task
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.record import replace
from flushproof.support.source import Span
from flushproof.support.user_dirs import verdict_folder
from flushproof.verify.expectation import with_expected
from flushproof.verify.options import OPTIONS, Comparing, Options, Reviewing, Sweeping
from support.report_samples import (
    CHECKED,
    COVERAGE_TRACE,
    DIAGNOSTIC,
    FILE,
    SCOPE,
    Made,
    report,
    result,
)

SCHEMA = Path(flushproof.__file__).parent / "report" / "schema.json"
PROVED = result(Verdict.PROVED, "range_kept")
BOUNDED = result(Verdict.BOUNDED, "failure_kept")
NOT_ASKED = result(Verdict.NOT_ASKED, "cache_sound")
REFUTED = result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)
UNKNOWN = result(Verdict.UNKNOWN, "no_race", Made(reason="out of steps"))
VACUOUS = result(Verdict.VACUOUS, "converges")
VERSION = VariantVersion("a.c", "", "flush")
COMPARISON = Comparison(
    VERSION, VERSION, Relation.EQUAL, Compared.SEQUENCE, Since.BOOT, SCOPE, (), 0.1
)


LISTING = Recognition(
    path="a.c",
    sha256="",
    profile="5.13",
    functions=(
        FunctionPart("f", "flush", Span("a.c", 3, 1, 3, 2)),
        FunctionPart("g", "load", Span("a.c", 9, 1, 9, 2)),
    ),
    fields=(SharedField("s.m", "vcpu", lock=False, boot="0"),),
    cache=None,
    assumptions=("this is so",),
    missing=("b.h",),
)


@dataclass
class Fake:
    """What answers by heart in place of the pipeline, and stops with `stop` after one result."""

    reports: tuple[Report, ...] = (report(PROVED),)
    stop: BaseException | None = None
    seen: tuple[object, ...] = ()

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Answer all that the commands ask of the runner and of the pipeline."""
        patch.setattr(run, "run_task", self.run_task)
        patch.setattr(run, "run_tasks", self.run_tasks)
        answers = {
            "nfc": COMPARISON,
            "review": Review("p.patch", ()),
            "emit_stage": "(assert\tx)\x1b",
            "list_atomic_steps": (),
            "recognise_file": LISTING,
        }
        for name, answer in answers.items():
            patch.setattr(pipeline, name, partial(self._answer, name, answer))

    def run_task(self, task: Task, on_result: Callable[[ClaimResult], None]) -> Report:
        self.seen = (task,)
        results = [with_expected(r, task.command, task.options) for r in self.reports[0].results]
        for made in results:
            on_result(made)
            self._halt()
        return replace(self.reports[0], results=tuple(results))

    def run_tasks(
        self, tasks: Sequence[Task], on_report: Callable[[Report], None], _: object = None
    ) -> tuple[Report, ...]:
        self.seen = tuple(tasks)
        for made in self.reports:
            on_report(made)
            self._halt()
        return self.reports

    def _answer(self, name: str, answer: object, *asked: object) -> object:
        self.seen = (name, *asked)
        self._halt()
        return answer

    def _halt(self) -> None:
        if self.stop is not None:
            raise self.stop


def _run(fake: Fake, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        fake.stand_in(patch)
        return cli.main(arguments)


@pytest.mark.parametrize(
    ("command", "results", "code"),
    [
        ("prove", (PROVED,), 0),
        ("prove", (PROVED, REFUTED), 1),
        ("prove", (PROVED, UNKNOWN), 3),
        ("prove", (PROVED, VACUOUS), 3),
        ("prove", (PROVED, BOUNDED), 3),
        ("prove --vcpus 2", (PROVED, BOUNDED), 0),
        ("prove --loads 2", (BOUNDED,), 0),
        ("prove --flushes 2", (BOUNDED,), 0),
        ("prove --rounds 2", (BOUNDED,), 3),
        ("prove --engine bounded", (BOUNDED,), 3),
        ("prove --vcpus 2", (BOUNDED, REFUTED), 1),
        ("prove", (BOUNDED, REFUTED), 1),
        ("prove", (PROVED, NOT_ASKED), 0),
        ("prove --claim cache_sound", (PROVED, NOT_ASKED), 3),
        ("refute", (NOT_ASKED,), 0),
        ("refute --claim cache_sound", (NOT_ASKED,), 3),
        ("refute", (BOUNDED,), 1),
        ("prove", (REFUTED, UNKNOWN), 1),
        ("refute", (REFUTED,), 0),
        ("refute", (PROVED,), 1),
        ("refute", (UNKNOWN,), 3),
    ],
)
def test_exit_codes(
    command: str, results: tuple[object, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script relies on the code alone, and 0 must mean that all was decided as hoped."""
    fake = Fake((report(*results),))  # type: ignore[arg-type]
    name, *options = command.split()
    assert _run(fake, name, FILE, "--claim", "x", *options) == code
    assert capsys.readouterr().err == ""


def test_arguments_reach_the_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    """A bound that is dropped on the way would silently widen or narrow the verdict."""
    fake = Fake()
    bounds = ["--vcpus", "2..3", "--loads", "1", "--flushes", "2", "--rounds", "3"]
    names = ["--claim", "a", "--claim", "b", "--claim", "a"]
    choices = ["--engine", "bounded", "--jobs", "4"]
    _run(fake, "prove", FILE, "--spec", "s.spec", *choices, *bounds, *names)
    options = Options((2, 3), 1, 2, ("a", "b"), "bounded", 4, 3)
    assert fake.seen == (Task("prove", FILE, "s.spec", options),)
    assert "range_kept" in capsys.readouterr().out


def test_every_choice_can_be_typed() -> None:
    """An option that is read and not handed on changes nothing, and nobody is told."""
    fake = Fake()
    bounds = ["--vcpus", "2", "--loads", "1", "--flushes", "2", "--rounds", "3", "--memory", "tso"]
    limits = ["--max-steps", "9", "--max-memory", "9999", "--jobs", "4", "--no-cache"]
    others = [
        "--require",
        "every",
        "--engine",
        "bounded",
        "--agree",
        "cvc5",
        "--sanity",
        "full",
        "--show-invariant",
    ]
    _run(fake, "prove", FILE, "-I", "d", "--claim", "a", *bounds, *limits, *others)
    (task,) = fake.seen
    assert isinstance(task, Task)
    options = task.options
    same = {f for f in Options.__struct_fields__ if getattr(options, f) == getattr(Options(), f)}
    assert same == {"project", "sweeping"}


MEANS_MORE = {
    ("compare", "vcpus"),
    ("reproduce", "claim"),
    ("reproduce", "output"),
}
"""Where a command says otherwise what an option means in it."""


def test_an_option_means_the_same_everywhere() -> None:
    """An option that a command declares anew drifts away from its like in the others."""
    declared = {flag: option for option in (*OPTIONS, *SHOWING) for flag in option.typed}
    other = set()
    for command, parser in cli.build_command_line().commands().items():
        for action in parser.listed():
            option = next((declared[f] for f in action.option_strings if f in declared), None)
            if option is not None and (action.help, action.dest) != (option.help, option.dest):
                other.add((command, option.name))
    assert other == MEANS_MORE


@pytest.mark.parametrize(
    "arguments",
    [
        ["prove"],
        ["refute", FILE],
        ["prove", FILE, "--width", "3"],
        ["prove", FILE, "--width", "x"],
        ["prove", FILE, "--emit", "elf"],
        ["prove", FILE, "--claims", "x"],
        ["prove", FILE, "--\x1b[2J"],
        ["check"],
        ["check", "x", "--spec", "y"],
    ],
)
def test_usage_errors_of_the_parser(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage is code 2 with an explanation on stderr."""
    with pytest.raises(SystemExit) as stopped:
        _run(Fake(), *arguments)
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ": error: " in captured.err
    assert captured.err.endswith(" --help`\n")
    assert "\x1b" not in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prove", FILE, "--vcpus", "4..1"], "the range `4..1` of vCPUs is empty"),
        (["prove", FILE, "--vcpus", "0"], "`--vcpus` cannot be 0"),
        (["prove", FILE, "--vcpus", "many"], "`many` is not a number of vCPUs"),
        (["check", "no/such/place"], "no such file or folder: `no/such/place`"),
    ],
)
def test_usage_errors_of_ours(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bounds that contradict themselves are code 2, and nothing is decided."""
    assert _run(Fake(), *arguments) == 2
    assert re.search(rf"^error\[FP\d+\]: {re.escape(message)}\n", capsys.readouterr().err)


def test_input_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input is code 4, shown with its place and without a traceback."""
    assert _run(Fake(stop=InputError(DIAGNOSTIC)), "prove", FILE, "--emit", "ir") == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("enum_status.c:9:2: error: no variable `ret`\n")


@pytest.mark.parametrize("error", [InternalError("does not replay"), ZeroDivisionError("x")])
def test_internal_error(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own mistakes are code 70, give no verdict, and show a traceback only on demand."""
    monkeypatch.delenv("FLUSHPROOF_DEBUG", raising=False)
    assert _run(Fake(stop=error), "prove", FILE) == 70
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "please report it" in captured.err
    assert "Traceback" not in captured.err
    monkeypatch.setenv("FLUSHPROOF_DEBUG", "1")
    assert _run(Fake(stop=error), "prove", FILE) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", ["prove", "check"])
def test_interrupt_shows_what_is_finished(
    command: str, form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An hour's work must not be lost by Ctrl-C, nor look complete."""
    (tmp_path / "a.spec").touch()
    fake = Fake(CHECKED if command == "check" else (report(PROVED, REFUTED),), KeyboardInterrupt())
    place = str(tmp_path) if command == "check" else FILE
    assert _run(fake, command, place, "--format", form) == 130
    shown = capsys.readouterr().out
    if form == "json":
        assert json.loads(shown)["exit"] == 130
    else:
        assert shown.endswith("interrupted: only what was finished is shown\n")
        assert "mismatch_flag" not in shown


def test_check_exit_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`check` answers for all specs together."""
    (tmp_path / "a.spec").touch()
    fake = Fake(CHECKED)
    assert _run(fake, "check", str(tmp_path), "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert [r["exit"] for r in document["reports"]] == [0, 1, 3]
    assert document["exit"] == 1


def test_find_specs(tmp_path: Path) -> None:
    """Folders are searched below, the order is fixed, and no spec is checked twice."""
    (tmp_path / "sub").mkdir()
    for name in ("b.spec", "a.spec", "a.c", "sub/c.spec"):
        (tmp_path / name).touch()
    found = find_specs([str(tmp_path), str(tmp_path / "a.spec")])
    assert found == tuple(str(tmp_path / n) for n in ("a.spec", "b.spec", "sub/c.spec"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no `\*\.spec` file in"):
        find_specs([str(tmp_path / "empty")])


def test_emit(capsys: pytest.CaptureFixture[str]) -> None:
    """A stage is printed as it is, though never with control characters."""
    assert _run(Fake(), "prove", FILE, "--emit", "smt2") == 0
    assert capsys.readouterr().out == "(assert x)\\x1b\n"


def test_colour(capsys: pytest.CaptureFixture[str]) -> None:
    """Colour is added on demand only, and to nothing but escape sequences."""
    _run(Fake(), "prove", FILE, "--color", "never")
    plain = capsys.readouterr().out
    _run(Fake(), "prove", FILE, "--color", "always")
    painted = capsys.readouterr().out
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain != painted


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """A report of a defect needs both versions."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert re.fullmatch(r"flushproof \S+ \(z3 \S+\)\n", capsys.readouterr().out)


LIGHT = """
import sys
from flushproof.cli import main as cli
{statement}
heavy = {{"z3", "lark", "rich"}} & set(sys.modules)
assert not heavy, heavy
"""
HELP = """
try:
    cli.main(['prove', '--help'])
except SystemExit as stop:
    assert not stop.code
"""


@pytest.mark.parametrize("statement", ["", HELP])
def test_help_loads_nothing_heavy(statement: str) -> None:
    """`--help` would take seconds if it loaded the solver."""
    code = LIGHT.format(statement=statement)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


PIPED = """
import sys
from flushproof.results.review import Review
from flushproof.cli.terminal import Terminal
Terminal(sys.stdout, sys.stderr, {}).raw("line\\n" * 1_000_000)
sys.exit(3)
"""


def test_reader_that_goes_away() -> None:
    """`flushproof ... | head` must not end in a traceback, nor change the exit code."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", PIPED], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")


def test_progress_line() -> None:
    """An estimate must not divide by zero nor be negative."""
    assert progress_line(3, 7, "specs", 3.0) == "3 of 7 specs, 3 s, about 4 s left"
    assert progress_line(0, 7, "specs", 3.0) == "0 of 7 specs, 3 s"
    counted = progress_line(3, 7, "claims", 3.0, 9)
    assert counted == "3 of 7 claims, 9 vCPU counts, 3 s, about 4 s left"
    assert progress_line(9, 7, "specs", 3.0) == "9 of 7 specs, 3 s, about 0 s left"
    assert progress_line(2, None, "claims", 3.0) == "2 claims done, 3 s"


@pytest.mark.parametrize(("shown", "after"), [(True, 0.2), (False, 9.0)])
def test_progress_is_quiet(shown: bool, after: float) -> None:
    """Nothing is written in the first second, and nothing ever into a file."""
    out = io.StringIO()
    times = iter([0.0, after])
    progress = ProgressLine(out, shown=shown, noun="specs", total=3, clock=lambda: next(times))
    progress.advance()
    progress.clear()
    assert out.getvalue() == ""


def test_progress_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report must not start in the middle of the progress line, nor the line be broken."""
    monkeypatch.setenv("COLUMNS", "30")
    out = io.StringIO()
    times = iter([0.0, 2.0, 4.0])
    progress = ProgressLine(out, shown=True, noun="specs", total=2, clock=lambda: next(times))
    progress.advance()
    progress.advance()
    shown = [line for line in re.split(r"\r|\x1b\[\??\d+\w|\n", out.getvalue()) if line]
    assert list(dict.fromkeys(shown)) == [
        "1 of 2 specs, 2 s, about 2 s l",
        "2 of 2 specs, 4 s, about 0 s l",
    ]
    progress.clear()
    assert out.getvalue().endswith("\x1b[1A\x1b[2K")
    assert "\x1b[?25l" not in out.getvalue(), "the cursor is hidden, and lost by a kill"


def test_not_live_in_a_dumb_terminal() -> None:
    """A dumb terminal cannot rewrite a line."""
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    assert Terminal(out, out, {"TERM": "xterm"}).live
    assert not Terminal(out, out, {"TERM": "dumb"}).live


def test_nfc_asks_for_what_was_typed() -> None:
    """An option of `nfc` is lost on its way, or its exit code."""
    fake = Fake()
    words = ("--as", "set", "--after-load", "--expect", "refines", "--vcpus", "3", "--spec", "s")
    arguments = ["nfc", "a.c", "b.c", *words]
    assert _run(fake, *arguments) == 0
    wanted = Comparing(Compared.SET, Since.LOAD, Relation.REFINES)
    assert fake.seen == ("nfc", "a.c", "b.c", "s", Options(vcpus=(1, 3)), wanted)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("p", "--base", "a.c"), Reviewing("a.c", "p")),
        (("p", "--base", "a.c", "--path", "x/a.c"), Reviewing("a.c", "p", "", "x/a.c")),
        (("--git", "A..B", "--path", "x/a.c"), Reviewing("x/a.c", "", "A..B", "x/a.c")),
    ],
)
def test_review_asks_for_what_was_typed(words: tuple[str, ...], wanted: Reviewing) -> None:
    """An option of `review` is lost on its way."""
    fake = Fake()
    assert _run(fake, "review", *words) == 0
    assert fake.seen[:4] == ("review", wanted, None, Options())


def test_list_text(capsys: pytest.CaptureFixture[str]) -> None:
    """What was recognised is printed by kind, and no claim is decided."""
    fake = Fake()
    assert _run(fake, "prove", "a.c", "--list", "--flush", "f", "-I", "inc") == 0
    out = capsys.readouterr().out
    for text in ("5.13", "f()  a.c:3", "s.m  of each vCPU, 0 at boot", "this is so", "b.h"):
        assert text in out
    assert fake.seen[0] == "recognise_file"
    options = fake.seen[3]
    assert isinstance(options, Options)
    assert options.choices == Choices(flush="f", folders=("inc",))


def test_list_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as a document that the schema describes."""
    assert _run(Fake(), "prove", "a.c", "--list", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["recognised"]["functions"][0] == {
        "name": "f",
        "role": "flush",
        "file": "a.c",
        "line": 3,
    }


def test_names_and_a_spec(capsys: pytest.CaptureFixture[str]) -> None:
    """A spec says what is what, so nothing else may."""
    assert _run(Fake(), "prove", "a.c", "--spec", "a.spec", "--flush", "f") == 2
    assert "cannot stand beside a spec" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", ["prove", "refute"])
def test_several_files(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Several variants are one table, and one exit code."""
    fake = Fake(CHECKED)
    assert _run(fake, command, "a.c", "b.c", "a.c", "--spec", "s.spec", "--claim", "x") == 1
    decision: Decision = "prove" if command == "prove" else "refute"
    cache = Sweeping(verdict_folder())
    options = Options(claims=("x",), sweeping=cache)
    asked = [Task(decision, path, "s.spec", options) for path in ("a.c", "b.c")]
    assert fake.seen == tuple(asked)
    assert "as expected" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--emit=ir", "--list", "--explain-atomicity"])
def test_one_file_is_shown(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two listings in one would not tell which is which."""
    assert _run(Fake(), "prove", "a.c", "b.c", option) == 2
    error = capsys.readouterr().err
    assert f"`{option.partition('=')[0]}` shows one file at a time" in error

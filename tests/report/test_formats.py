"""The forms for machines: whole outputs beside this file, and the rules of each format."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from flushproof.report import github, itf, jsonl, sarif
from flushproof.report import json_report as report_json
from flushproof.report.findings import Results, list_findings
from flushproof.report.formats import FORMATS, list_shown_files
from flushproof.results.trace import Trace
from flushproof.results.verdict import Report, Verdict
from flushproof.support.record import replace
from flushproof.support.source import Span
from flushproof.verify.expectation import with_expected
from flushproof.verify.options import Options
from support.report_samples import (
    CHECKED,
    COVERAGE_TRACE,
    MIXED,
    PROVED,
    REFUTED,
    SOURCES,
    Made,
    report,
    result,
)

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "formats"
SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
SARIF = json.loads((HERE / "sarif-2.1.0.json").read_text(encoding="utf-8"))


def _expecting(made: Report) -> Report:
    results = (with_expected(r, "prove", Options()) for r in made.results)
    return replace(made, results=tuple(results))


RUNS = {
    "prove": Results((_expecting(MIXED),), 1, SOURCES),
    "refute": Results(
        (report(result(Verdict.REFUTED, "coverage", Made(expected=REFUTED), COVERAGE_TRACE)),),
        0,
        SOURCES,
    ),
    "check": Results(CHECKED, 1, SOURCES, expectations=True, many=True),
}
CASES = [(run, form) for run in RUNS for form in FORMATS]


@pytest.fixture(autouse=True)
def _versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goldens may not change with every release."""
    monkeypatch.setattr(report_json, "z3_version", lambda: "Z")
    for module in (report_json, sarif, itf):
        monkeypatch.setattr(module, "__version__", "V")


@pytest.mark.parametrize(("run", "form"), CASES)
def test_golden(run: str, form: str) -> None:
    """Any change of what programs read shows up as a difference of a whole output."""
    expected = (GOLDEN / f"{run}.{form}").read_text(encoding="ascii")
    assert FORMATS[form](RUNS[run]) == expected


@pytest.mark.parametrize("run", RUNS)
def test_sarif_is_valid_under_the_official_schema(run: str) -> None:
    """Code scanning refuses a file that is not."""
    log = json.loads(FORMATS["sarif"](RUNS[run]))
    jsonschema.Draft4Validator(SARIF).validate(log)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SARIF).validate({**log, "version": "2.0"})


def test_sarif_shows_the_global_order_first() -> None:
    """Viewers show only the first thread flow; a flow of one thread would hide the others."""
    log = sarif.sarif_document(RUNS["refute"])
    text = json.loads(report_json.dump_document(log))
    (found,) = text["runs"][0]["results"]
    whole, *own = found["codeFlows"][0]["threadFlows"]
    assert [at["executionOrder"] for at in whole["locations"]] == [1, 2, 3, 4, 5]
    assert [flow["id"] for flow in own] == ["vCPU1", "flusher"]
    orders = sorted(at["executionOrder"] for flow in own for at in flow["locations"])
    assert orders == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("path", "reference"),
    [("a b.c", "a%20b.c"), ("a/b.c", "a/b.c"), ("/x/a#b.c", "file:///x/a%23b.c")],
)
def test_sarif_references(path: str, reference: str) -> None:
    """A path that is no reference is no place at all for a viewer."""
    assert sarif.uri_reference(path) == reference


@pytest.mark.parametrize("run", RUNS)
def test_jsonl_lines_are_valid(run: str) -> None:
    """Each line is read by itself, so each must be valid by itself."""
    check = jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": "#/$defs/jsonl"})
    *results, last = (json.loads(line) for line in FORMATS["jsonl"](RUNS[run]).splitlines())
    for line in (*results, last):
        check.validate(line)
    assert last["kind"] == "end"
    assert len(results) == sum(len(r.results) or 1 for r in RUNS[run].reports)
    broken = {k: v for k, v in last.items() if k != "exit"}
    assert not check.is_valid(broken)


def _plan(lines: list[str]) -> None:
    """Check one level of KTAP: a plan, then as many numbered results."""
    plan = re.fullmatch(r"1\.\.(\d+)", lines[0])
    assert plan is not None
    results = [re.fullmatch(r"(ok|not ok) (\d+) ([^#]*)( # .*)?", x) for x in lines[1:]]
    numbers = [int(r[2]) for r in results if r is not None]
    assert numbers == list(range(1, int(plan[1]) + 1))
    assert all(
        r is not None or line.startswith("#") for r, line in zip(results, lines[1:], strict=True)
    )


@pytest.mark.parametrize("run", RUNS)
def test_ktap_is_well_formed(run: str) -> None:
    """A parser of the kernel's tools drops what does not follow plan and number."""
    version, *lines = FORMATS["ktap"](RUNS[run]).splitlines()
    assert version == "KTAP version 1"
    if run != "check":
        _plan(lines)
        return
    _plan([line for line in lines if not line.startswith("  ")])
    inner = "\n".join(line.removeprefix("  ") for line in lines if line.startswith("  "))
    for block in inner.split("KTAP version 1\n")[1:]:
        _plan(block.splitlines())


def test_ktap_never_skips() -> None:
    """A skip is green; less was shown than asked of what is unknown, vacuous or bounded."""
    text = FORMATS["ktap"](RUNS["prove"])
    assert "not ok 5 no_race # ERROR unknown\n" in text
    assert "not ok 6 converges # ERROR vacuous\n" in text
    assert "not ok 2 failure_kept # ERROR bounded: holds for 1..4 vCPUs\n" in text
    assert text.count("SKIP") == 1
    assert "ok 7 cache_sound # SKIP no cache named\n" in text
    checked = FORMATS["ktap"](RUNS["check"])
    assert "not ok 3 specs/asks_nothing.spec # ERROR nothing was asked\n" in checked


def _hostile() -> Results:
    span = Span("a,b:c%.c", 3, 4, 3, 9)
    blame = (replace(COVERAGE_TRACE.blame[0], span=span),)
    trace: Trace = replace(COVERAGE_TRACE, headline="50% of\nlines\x1b[2J", blame=blame)
    made = report(result(Verdict.REFUTED, "cover#age", Made(expected=PROVED), trace))
    return Results((made,), 1, {})


def test_github_escapes() -> None:
    """An unescaped newline or `::` in a name would be a command of its own to the runner."""
    text = github.render(_hostile())
    assert text.count("\n") == 1
    assert text.startswith("::error file=a%2Cb%3Ac%25.c,line=3,")
    assert "::50%25 of%0Alines\\x1b[2J, with 2 vCPUs%0Abecause " in text


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"text"}))
def test_hostile_names(form: str) -> None:
    """Control characters from a file may steer neither a terminal nor a parser."""
    text = FORMATS[form](_hostile())
    assert text.isascii()
    assert "\x1b" not in text


def test_report_lines() -> None:
    """Editors jump to what stands before the second colon."""
    lines = FORMATS["report"](RUNS["prove"]).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "enum_status.c:9:8",
        *["enum_status.c:1:1"] * 4,
    ]


def test_findings_of_a_check_are_what_was_not_expected() -> None:
    """A refutation that a spec expects is no news, a proof that it does not expect is."""
    found = [f.name for f in list_findings(RUNS["check"])]
    assert found == [
        *("no_repeat", "coverage", "no_race", "converges", "range_kept"),
        "nothing_asked",
    ]


def test_lines_as_they_are_decided_make_the_whole() -> None:
    """Streaming and rendering at the end must not differ."""
    made = RUNS["prove"].reports[0]
    lines = [jsonl.result_line(made, r) for r in made.results]
    assert "".join((*lines, jsonl.last_line(1))) == FORMATS["jsonl"](RUNS["prove"])


def test_places() -> None:
    """A trace is saved with every file that it points into."""
    assert list_shown_files(RUNS["refute"].reports) == ("enum_status.c",)

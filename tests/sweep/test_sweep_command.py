"""`flushproof sweep`: files under several bounds, as a table and as JSON."""

from __future__ import annotations

import json

import pytest

from flushproof.cli import main as cli
from flushproof.cli.commands.sweep.text import Swept, exit_code, render
from flushproof.results.verdict import Verdict
from support.places import SPECS
from support.report_samples import COVERAGE_TRACE, Made, report, result

TABLE = """\
counter_first.spec
            1..1 x 1 x 1  1..1 x 0 x 1
no_bogus    N=1           N=1
range_kept  holds         holds

columns: vCPUs x loads x flushes, - as the spec says;
holds within these bounds, N=3 refuted at 3 vCPUs

2 bounded, 2 refuted
"""


def test_bounds_are_combined(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A combination that is dropped would look as if it had been decided."""
    monkeypatch.chdir(SPECS)
    words = ["sweep", "counter_first.spec", "--claim", "no_bogus", "--claim", "range_kept"]
    bounds = ["--vcpus", "1", "--loads", "1", "--loads", "0", "--flushes", "1", "--jobs", "1"]
    assert cli.main([*words, *bounds]) == 0
    shown = capsys.readouterr().out
    assert shown == TABLE
    assert cli.main([*words, *bounds, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [s["bounds"] for s in document["sweep"]] == ["1..1 x 1 x 1", "1..1 x 0 x 1"]
    assert [c["scope"]["loads"] for s in document["sweep"] for c in s["claims"]] == [1, 1, 0, 0]


def _swept(*verdicts: Verdict) -> list[Swept]:
    made = [
        result(v, "coverage", Made(reason="r"), COVERAGE_TRACE if v is Verdict.REFUTED else None)
        for v in verdicts
    ]
    return [Swept(f"1..{n} x 2 x 2", report(r)) for n, r in enumerate(made, 1)]


def test_every_verdict_has_a_word() -> None:
    """An open claim must be seen, and asked for by the exit code."""
    swept = _swept(*Verdict)
    text = render(swept, 200)
    assert text.splitlines()[2].split() == ["coverage", "holds", "holds", "N=2", "?", "vac", "n/a"]
    assert exit_code(swept) == 3
    assert exit_code(_swept(Verdict.BOUNDED, Verdict.REFUTED)) == 0


@pytest.mark.parametrize("width", [40, 75, 200])
def test_the_width_is_kept(width: int) -> None:
    """A table in a mail must not wrap."""
    text = render(_swept(*[Verdict.BOUNDED] * 9), width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("holds") == 10


def test_a_bound_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is code 2 before anything is decided."""
    assert cli.main(["sweep", str(SPECS / "counter_first.c"), "--vcpus", "0"]) == 2
    assert "cannot be 0" in capsys.readouterr().err

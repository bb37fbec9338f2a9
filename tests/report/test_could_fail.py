"""What stands beside a proof: an edit that breaks the claim, in text and in JSON."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from flushproof.report import json_report as report_json
from flushproof.report import text
from flushproof.results.verdict import Breaker, Sane, Verdict
from flushproof.support.record import replace
from support.report_samples import FILE, SOURCES, report, result

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
HERE = Breaker(FILE, 44, "drop `continue;`", ("continue;",), (";",), 2)
ROWS = {
    "here": (Sane(HERE, 3), "  breaks   with 2 vCPUs if line 44 is edited: drop `continue;`"),
    "elsewhere": (
        Sane(replace(HERE, file="x.c", vcpus=1), 3),
        "  breaks   with 1 vCPU if x.c:44 is edited: drop `continue;`",
    ),
    "none": (Sane(None, 12), "  breaks   after none of 12 edits tried"),
}


@pytest.mark.parametrize("name", ROWS)
def test_line(name: str) -> None:
    """The line stands under its proof, and there is none where nobody asked."""
    sane, line = ROWS[name]
    proved = result(Verdict.PROVED, "coverage")
    shown = text.render(report(replace(proved, sane=sane)), SOURCES).splitlines()
    assert shown[shown.index("proved for every number of vCPUs  coverage") + 1] == line
    assert not any("breaks" in x for x in text.render(report(proved), SOURCES).splitlines())


@pytest.mark.parametrize("name", ROWS)
def test_document(name: str) -> None:
    """Programs find the edit itself, not only its words."""
    proved = replace(result(Verdict.PROVED, "coverage"), sane=ROWS[name][0])
    document = json.loads(report_json.dump_document(report_json.report_document(report(proved))))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    found = document["claims"][0]["could_fail"]
    assert (found["mutant"] is None) == (name == "none")
    if name == "here":
        assert (found["mutant"]["before"], found["mutant"]["after"]) == (["continue;"], [";"])
    bare = report_json.report_document(report(result(Verdict.PROVED, "coverage")))
    assert json.loads(report_json.dump_document(bare))["claims"][0]["could_fail"] is None

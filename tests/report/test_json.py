"""Reports as JSON: valid under the schema that ships, and complete."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from flushproof.report import json_report as report_json
from flushproof.results.verdict import Verdict
from flushproof.support.memory_model import MemoryModel
from support.report_samples import CHECKED, MANY_TRACE, MIXED, report, result

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
MANY = report(result(Verdict.REFUTED, "coverage", trace=MANY_TRACE))
DOCUMENTS = {
    "one": report_json.report_document(MIXED),
    "trace": report_json.report_document(MANY),
    "interrupted": report_json.report_document(report(), 130),
    "several": report_json.reports_document(CHECKED),
    "none": report_json.reports_document(()),
}


def _check(document: object) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_the_schema_has_every_memory_model() -> None:
    """A report under a model that the schema lacks would be refused by who reads it."""
    assert SCHEMA["$defs"]["scope"]["properties"]["memory"]["enum"] == list(MemoryModel)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_valid_under_the_schema(name: str) -> None:
    """Programs that read the document rely on the schema."""
    _check(json.loads(report_json.dump_document(DOCUMENTS[name])))


@pytest.mark.parametrize("key", ["schema_version", "tool", "claims", "source", "exit"])
def test_schema_refuses_missing_keys(key: str) -> None:
    """A schema that accepts everything would test nothing."""
    document = {k: v for k, v in DOCUMENTS["one"].items() if k != key}
    with pytest.raises(jsonschema.ValidationError):
        _check(document)


def test_vcpus() -> None:
    """A bounded proof must not look like one for every number of vCPUs."""
    claims = json.loads(report_json.dump_document(DOCUMENTS["one"]))["claims"]
    assert {c["claim"]: c["vcpus"] for c in claims}["failure_kept"] == [1, 4]
    assert {c["claim"]: c["vcpus"] for c in claims}["no_uninit"] == "all"


def test_step() -> None:
    """The shape of a step is what other tools build on."""
    claims = json.loads(report_json.dump_document(DOCUMENTS["one"]))["claims"]
    step = claims[0]["trace"]["steps"][3]
    assert step["hypercall"] == {"root": "INVALID", "ok": True}
    assert step["thread"] == "flusher0"
    assert step["operation"] == "flush"
    assert step["span"] == {"file": "enum_status.c", "line": 9, "column": 2}
    assert claims[0]["trace"]["steps"][0]["changed"] == {"ept_pointer[1]": "A"}


def test_exit_codes() -> None:
    """Something otherwise wins over something undecided, and that wins over success."""
    assert DOCUMENTS["several"]["exit"] == 1
    assert report_json.reports_document(CHECKED[:1])["exit"] == 0
    assert DOCUMENTS["interrupted"]["exit"] == 130

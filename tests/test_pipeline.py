"""The pipeline on the corpus: every stage, and what it says of what it was asked."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.runner.expectations import read_expectations
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options
from support.places import SPECS

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
SMALL = Options(vcpus=(1, 2), loads=1, flushes=1)
VARIANTS = sorted(p.stem for p in SPECS.glob("*.spec"))


def _variant(name: str) -> str:
    return str(SPECS / f"{name}.c")


def _only(*claims: str) -> Options:
    return Options(vcpus=(1, 2), loads=1, flushes=1, claims=claims)


@pytest.mark.slow
def test_results_come_one_by_one() -> None:
    """Progress and partial results of an interrupted run are made of these."""
    seen: list[ClaimResult] = []
    report = pipeline.prove(
        _variant("dedup_all"), None, _only("no_wasted", "coverage"), seen.append
    )
    assert tuple(seen) == report.results
    assert [r.claim for r in seen] == ["no_wasted", "coverage"]
    assert all(r.verdict is Verdict.BOUNDED for r in seen)
    assert report.exit_code == 0


def test_bounds_of_the_command_line_win() -> None:
    """A verdict for other bounds than were asked for would be the answer to another question."""
    report = pipeline.prove(_variant("dedup_all"), None, _only("coverage"), lambda _: None)
    scope = report.results[0].scope
    assert (scope.vcpus, scope.loads, scope.flushes) == ((1, 2), 1, 1)


def test_refute_expects_refutations() -> None:
    """`refute` succeeds where `prove` fails, on the same verdict."""
    options = _only("coverage")
    path = _variant("enum_status")
    assert pipeline.refute(path, None, options, lambda _: None).exit_code == 0
    assert pipeline.prove(path, None, options, lambda _: None).exit_code == 1


def test_too_few_vcpus() -> None:
    """A counterexample of two vCPUs is not one of one."""
    options = Options(vcpus=(1, 1), loads=1, flushes=1, claims=("coverage",))
    report = pipeline.prove(_variant("enum_status"), None, options, lambda _: None)
    assert report.results[0].verdict is Verdict.BOUNDED


@pytest.mark.sample("vcpu0_first")
@pytest.mark.parametrize("name", VARIANTS[::4])
def test_bare_file_and_spec_agree(name: str) -> None:
    """The built-in set-up is that of the specs, so `prove x.c` and `check x.spec` say the same."""
    bare = pipeline.prove(_variant(name), None, _only("coverage", "no_bogus"), lambda _: None)
    spec = str(SPECS / f"{name}.spec")
    given = pipeline.prove(_variant(name), spec, _only("coverage", "no_bogus"), lambda _: None)
    assert [(r.claim, r.verdict, r.smallest_vcpus) for r in bare.results] == [
        (r.claim, r.verdict, r.smallest_vcpus) for r in given.results
    ]


def test_unknown_claim_is_refused_before_anything_is_decided() -> None:
    """An hour of solving before a complaint about a name would be unkind."""
    seen: list[ClaimResult] = []
    with pytest.raises(InputError, match="there is no claim `coverag`"):
        pipeline.prove(_variant("dedup_all"), None, _only("coverage", "coverag"), seen.append)
    assert seen == []


def test_expectations() -> None:
    """Items of pytest are made of these, with the line to jump to."""
    listed = read_expectations(str(SPECS / "counter_first.spec"))
    assert len(listed) == 13
    assert listed[0][:2] == ("coverage", "proved for every")
    assert listed[1][:2] == ("no_repeat", "refuted at 3")
    text = (SPECS / "counter_first.spec").read_text().splitlines()
    assert all(claim in text[line - 1] for claim, _, line in listed)


@pytest.mark.sample(every=8)
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("stage", ["ast", "ir", "smt2"])
def test_stages(name: str, stage: str) -> None:
    """Each stage can be looked at, and looks the same each time."""
    text = pipeline.emit_stage(_variant(name), None, stage, SMALL)
    telling = {"ast": "vmx_load_mmu_pgd", "ir": "hypercall", "smt2": "(check-sat)"}
    assert telling[stage] in text
    if stage != "smt2":  # z3 numbers its terms for as long as the process lives
        assert pipeline.emit_stage(_variant(name), None, stage, SMALL) == text


def test_emitted_tree_is_c_again(tmp_path: Path) -> None:
    """What `--emit ast` prints means what was read."""
    shown = pipeline.emit_stage(_variant("counter_first"), None, "ast", SMALL)
    assert "kvm_for_each_vcpu" in shown
    assert "(u64)" in shown or "->" in shown


def test_json_of_a_real_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Samples of a report may lag behind what the pipeline makes."""
    spec = str(SPECS / "enum_status.spec")
    wanted = ("--claim", "coverage", "--claim", "failure_kept")
    bounds = ("--vcpus", "2", "--loads", "1", "--flushes", "1")
    code = cli.main(["check", spec, *wanted, *bounds, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert document["exit"] == code == 0
    claims = {c["claim"]: c for c in document["reports"][0]["claims"]}
    assert claims["coverage"]["verdict"] == "refuted"
    assert claims["coverage"]["smallest_vcpus"] == 2
    assert claims["coverage"]["trace"]["steps"]
    assert claims["failure_kept"]["verdict"] == "bounded"


@pytest.mark.parametrize(
    ("spec", "option", "code", "memory"),
    [("sb_tso", "sc", 1, "sc"), ("sb_sc", "tso", 1, "tso"), ("mp", None, 0, "tso")],
)
def test_memory_model(
    spec: str, option: str | None, code: int, memory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line wins over the spec, and a verdict says which memory it is about."""
    given = ["check", str(SPECS / "litmus" / f"{spec}.spec")]
    given += [] if option is None else ["--memory", option]
    assert cli.main([*given, "--format", "json"]) == code
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    scope = document["reports"][0]["claims"][0]["scope"]
    assert (scope["memory"], scope["store_buffer"]) == (memory, None)


def test_scope_names_the_memory_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A verdict without its memory model would be taken for one of the other."""
    litmus = SPECS / "litmus"
    given = [str(litmus / "n6.c"), "--spec", str(litmus / "n6_tso.spec"), "--claim", "order"]
    shown = []
    for memory in ("tso", "sc"):
        cli.main(["refute", *given, "--memory", memory])
        shown.append(" ".join(capsys.readouterr().out.split()))
    assert "under tso with store buffers of up to 2 entries" in shown[0]
    assert "x drains" in shown[0]
    assert "under tso" not in shown[1]


def test_output_is_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """A counterexample that changes from run to run cannot be discussed on a list."""
    shown = []
    for _ in range(2):
        cli.main(["refute", _variant("enum_status"), "--claim", "coverage", "--vcpus", "2"])
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != ""

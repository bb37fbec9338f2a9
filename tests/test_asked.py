"""What was asked and what was found: no verdict says more than was shown, and none says nothing."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flushproof.cli import main as cli
from flushproof.report.formats import FORMATS, TRACE
from support.places import SPECS

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
SPEC = """\
spec mine {{
	variant "{variant}.c";
	operations {{
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}}
	boot {{ to_vmx(vcpu)->hv_tlb_pgd = INVALID_PAGE; }}
	bounds {{ vcpus 1..{vcpus}; loads 1; flushes 1; }}
	{clauses}
}}
"""
HARMLESS = "claim {name} {{ on return flush(ret) {{ assert(ret <= 0 || ret > 0); }} }}"
OFF = ("--no-sanity", "--no-cache", "--jobs", "1")


def _spec(folder: Path, clauses: str = "", *, vcpus: int = 1, extra: str = "") -> str:
    """Write a spec about a copy of a variant of the corpus, with `extra` text behind it."""
    text = (SPECS / "counter_first.c").read_text(encoding="utf-8")
    (folder / "counter_first.c").write_text(text + extra, encoding="utf-8")
    path = folder / "mine.spec"
    path.write_text(SPEC.format(variant="counter_first", vcpus=vcpus, clauses=clauses))
    return str(path)


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = cli.main([*arguments, *OFF, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return code, document


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {TRACE}))
def test_a_spec_that_asks_nothing(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Expectations that are lost would leave a check that is green whatever the code does."""
    assert cli.main(["check", _spec(tmp_path), "--format", form, *OFF]) == 3
    assert "nothing was asked" in capsys.readouterr().out


def test_one_that_asks_nothing_among_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be hidden by those whose verdicts are as expected."""
    path = _spec(tmp_path)
    (tmp_path / "other.spec").write_text(
        Path(path).read_text().replace("mine", "other")[:-2] + "expect { lock_balanced holds; } }\n"
    )
    assert cli.main(["check", str(tmp_path), *OFF]) == 3
    assert "1 with nothing asked" in " ".join(capsys.readouterr().out.split())


@pytest.mark.sample(every=4)
@pytest.mark.parametrize(
    ("command", "code", "verdict"),
    [
        ("prove", 3, "bounded"),
        ("prove --vcpus 1..2", 0, "bounded"),
        ("prove --loads 1", 0, "bounded"),
        ("prove --flushes 1", 0, "bounded"),
        ("prove --rounds 2", 3, "bounded"),
        ("prove --rounds 2 --engine auto", 3, "bounded"),
        ("prove --vcpus 1 --rounds 2", 0, "bounded"),
        ("refute", 1, "bounded"),
    ],
)
def test_what_holds_within_bounds(
    command: str, code: int, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was shown for few vCPUs would pass for a proof; with fewer rounds it is none at all."""
    name, *options = command.split()
    spec = str(SPECS / "litmus" / "mp.spec")
    found, document = _json(capsys, name, spec, "--claim", "passed", *options)
    (claim,) = document["claims"]
    assert (found, claim["verdict"]) == (code, verdict)
    assert claim["vcpus"] != "all"


@pytest.mark.slow
def test_fewer_rounds_than_enough_prove_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A claim that is proved for every number is not, where the user leaves out interleavings."""
    asked = ("prove", str(SPECS / "counter_first.c"), "--claim", "lock_balanced")
    code, document = _json(capsys, *asked)
    (claim,) = document["claims"]
    assert (code, claim["verdict"]) == (0, "proved")
    code, document = _json(capsys, *asked, "--rounds", "1")
    (claim,) = document["claims"]
    assert (code, claim["verdict"]) == (3, "bounded")
    assert cli.main([*asked, "--rounds", "1", "--engine", "unbounded"]) == 2
    assert "FP0128" in capsys.readouterr().err


@pytest.mark.sample("bounded--0")
@pytest.mark.parametrize(
    ("expect", "options", "code"),
    [
        ("lock_balanced proved for every", "", 0),
        ("lock_balanced proved", "", 0),
        ("lock_balanced holds", "", 0),
        ("lock_balanced bounded", "", 0),
        ("no_repeat bounded", "", 0),
        ("no_repeat proved", "", 0),
        ("no_repeat proved for every", "", 1),
        ("no_repeat proved for every", "--vcpus 1..2", 0),
        ("lock_balanced proved for every", "--engine bounded", 3),
    ],
)
def test_expectations(
    expect: str, options: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three vCPUs show what two do not: who expects a proof is not content with two."""
    spec = _spec(tmp_path, f"expect {{ {expect}; }}", vcpus=2)
    found, document = _json(capsys, "check", spec, *options.split())
    assert found == code
    ((claim,),) = (r["claims"] for r in document["reports"])
    assert (claim["trace"] is not None) == (code == 1)
    assert claim["smallest_vcpus"] == (3 if code == 1 else None)


@pytest.mark.slow
@pytest.mark.parametrize(("options", "code"), [("", 1), ("--engine auto --vcpus 2", 0)])
def test_a_failure_beyond_the_bounds_of_a_spec(
    options: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A known counterexample would be told as a remark beside a claim that seems to hold."""
    spec = _spec(tmp_path, vcpus=2)
    found, document = _json(capsys, "prove", spec, "--claim", "no_repeat", *options.split())
    (claim,) = document["claims"]
    assert (found, claim["verdict"]) == (code, "refuted" if code else "bounded")
    assert claim["smallest_vcpus"] == (3 if code else None)
    assert code or "it fails with 3 vCPUs" in claim["reason"]


@pytest.mark.sample("claims1")
@pytest.mark.parametrize(
    ("claims", "code", "verdicts"),
    [
        ((), 1, {"not asked"}),
        (("cache_sound",), 3, {"not asked"}),
        (("cache_sound", "lock_balanced"), 3, {"not asked", "proved"}),
    ],
)
def test_a_cache_that_no_one_named(
    claims: tuple[str, ...],
    code: int,
    verdicts: set[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A claim that says nothing of a variant is no gap in what is shown of it, unless asked for."""
    named = [x for name in claims for x in ("--claim", name)] or ["--engine", "bounded"]
    found, document = _json(capsys, "prove", _spec(tmp_path), *named)
    listed = {c["claim"]: c for c in document["claims"]}
    assert found == code
    assert verdicts <= {c["verdict"] for c in listed.values()}
    assert listed["cache_sound"]["as_expected"] is (not claims)
    assert listed["cache_sound"]["reason"].startswith("no cache named")


@pytest.mark.sample("False")
@pytest.mark.parametrize("kept", [False, True])
def test_a_kept_verdict_is_not_asked_either(
    kept: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is kept of all claims must not answer otherwise when one is asked for by its name."""
    spec = _spec(tmp_path)
    cache = ("--cache-dir", str(tmp_path / "kept"), "--engine", "bounded", *OFF[:1], *OFF[2:])
    if kept:
        cli.main(["prove", spec, *cache])
    assert cli.main(["prove", spec, "--claim", "cache_sound", *cache]) == 3
    capsys.readouterr()


@pytest.mark.parametrize(
    ("clauses", "title"),
    [
        (HARMLESS.format(name="coverage"), "claim `coverage` comes with the program"),
        ("override " + HARMLESS.format(name="coverag"), "no claim `coverag` comes with the"),
        (HARMLESS.format(name="own"), ""),
        ("override " + HARMLESS.format(name="coverage"), ""),
    ],
)
def test_a_claim_of_the_same_name(
    clauses: str, title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`coverage` that asserts nothing would be proved, and nobody would see which one it is."""
    name = "own" if " own " in clauses else "coverage"
    code = cli.main(["prove", _spec(tmp_path, clauses), "--claim", name, "--vcpus", "1", *OFF])
    printed = capsys.readouterr()
    assert code == (4 if title else 0)
    assert title in " ".join(printed.err.split())


def test_two_claims_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One beside the spec and one in it: the first would be decided, and the other one expected."""
    path = _spec(tmp_path, HARMLESS.format(name="own"))
    with Path(path).open("a") as stream:
        stream.write(HARMLESS.format(name="own"))
    assert cli.main(["prove", path, "--claim", "own", *OFF]) == 4
    assert "claim `own` stands twice" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["the variant", "the spec"])
def test_functions_of_the_claims_are_not_replaced(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`range_kept` would be proved of any code that defines the function that it asks."""
    own = "bool inside(bool all, u64 start, u64 pages, u64 gfn) { return true; }\n"
    path = _spec(tmp_path, extra=own if where == "the variant" else "")
    if where == "the spec":
        Path(path).write_text(own + Path(path).read_text())
    assert cli.main(["prove", path, "--claim", "range_kept", *OFF]) == 4
    assert "`inside` is a function of the program's own claims" in " ".join(
        capsys.readouterr().err.split()
    )

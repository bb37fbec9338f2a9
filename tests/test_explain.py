"""`flushproof explain`, the codes of diagnostics and the table of claims."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.frontend.c.load import load_source
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.resolve import only_spec
from flushproof.report.explanations import (
    ClaimExplained,
    diagnostic_class,
    diagnostic_codes,
    known_explanations,
)
from flushproof.support.resources import HERE, SPECS

CLAIMS = known_explanations(None).claims
OWN = """\
spec own {
\tvariant "v.c";
\toperations {
\t\tflush hv_remote_flush_tlb_with_range(kvm, range);
\t\tload vmx_load_mmu_pgd(vcpu, root, free);
\t}
\tbounds { vcpus 1..3; loads 1; flushes 1; flushers 1; }
}
claim none_at_all "no hypercall is issued" {
\tbool seen;
\ton hypercall(r) { assert(seen); }
\theadline "a hypercall is issued on {r}";
}
"""


def _defined() -> dict[str, str]:
    """Return the code of every class of a diagnostic in the source, by full name."""
    found = {}
    for path in HERE.rglob("*.py"):
        module = ".".join(("flushproof", *path.relative_to(HERE).with_suffix("").parts))
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and "Diagnostic" in map(ast.unparse, node.bases):
                name = f"{module}.{node.name}"
                found[name] = diagnostic_class(name).CODE
    return found


def test_every_diagnostic_has_a_code_of_its_own() -> None:
    """A message without a code cannot be looked up, and two of one code are mixed up."""
    defined = _defined()
    assert [name for name, code in defined.items() if not re.fullmatch(r"FP\d{4}", code)] == []
    assert len(set(defined.values())) == len(defined)


def test_every_code_is_explained() -> None:
    """A code whose explanation is missing, or about another class, is a dead end."""
    assert {c.code for c in diagnostic_codes()} == set(_defined().values())
    for told in diagnostic_codes():
        assert len(told.means.split()) >= 8, told.code
        assert not re.search(r"[{}]", told.title + told.help), told.code


def test_codes_are_those_of_their_class() -> None:
    """A table that is one row off explains another message."""
    import tomllib

    table = tomllib.loads((HERE / "messages.toml").read_text(encoding="utf-8"))
    assert {e["class"]: code for code, e in table.items()} == _defined()


def test_every_claim_is_explained() -> None:
    """A claim that comes with the program must not be a riddle."""
    assert [c.name for c in CLAIMS] == [c.name for c in load_builtin().claims]
    for claim in CLAIMS:
        assert min(len(claim.means.split()), len(claim.guests.split())) >= 8, claim.name
        assert claim.lines[0].startswith(f"claim {claim.name} ")
        assert claim.lines[-1] == "}"


def _least() -> dict[str, int]:
    """Return with how few vCPUs the corpus breaks each claim, as its specs expect."""
    least: dict[str, int] = {}
    for path in SPECS.glob("*.spec"):
        for e in only_spec(load_source(str(path)))[0].expectations:
            if e.verdict == "refuted" and e.vcpus is not None:
                least[e.claim] = min(e.vcpus, least.get(e.claim, e.vcpus))
    return least


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_the_example_is_a_smallest_one_of_the_corpus(claim: ClaimExplained) -> None:
    """A larger example than need be hides the point; one that is not refuted has none."""
    path = Path(claim.example)
    assert path.exists()
    if path.suffix == ".spec":
        expected = {e.claim: e for e in only_spec(load_source(str(path)))[0].expectations}[
            claim.name
        ]
        assert (expected.verdict, expected.vcpus) == ("refuted", _least()[claim.name])
    else:
        assert claim.name not in _least()


@pytest.mark.parametrize(
    "claim", [c for c in CLAIMS if c.example.endswith(".c")], ids=lambda c: c.name
)
def test_examples_without_a_spec_are_refuted(
    claim: ClaimExplained, capsys: pytest.CaptureFixture[str]
) -> None:
    """The promised counterexample must come."""
    assert cli.main(["explain", claim.name]) == 0
    out = capsys.readouterr().out
    assert f"\nrefuted  {claim.name}   " in out
    assert "VIOLATION" in out
    # A path is never broken, and how long it is depends on where the program is installed.
    assert max(len(line) for line in out.splitlines() if claim.example not in line) <= 75


def test_a_claim_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a user states must be explained from its text, with a counterexample to it."""
    variant = (SPECS / "vcpu0_first.c").read_text(encoding="utf-8")
    (tmp_path / "v.c").write_text(variant, encoding="utf-8")
    spec = tmp_path / "own.spec"
    spec.write_text(OWN, encoding="utf-8")
    assert cli.main(["explain", "none_at_all", "--spec", str(spec)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("none_at_all: no hypercall is issued\n")
    assert "on hypercall(r) { assert(seen); }" in out
    assert "\nrefuted  none_at_all   1 vCPU\n" in out


@pytest.mark.parametrize("word", ["FP0411", "fp0411"])
def test_a_code(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader who pastes the code gets the cause and the mend."""
    assert cli.main(["explain", word, "--width", "60"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("FP0411: function `<name>` is not defined\n")
    assert "\n  help     define it in the file" in out
    assert max(map(len, out.splitlines())) <= 60


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that can be explained is listed, within the width."""
    assert cli.main(["explain"]) == 0
    out = capsys.readouterr().out
    listed = re.findall(r"^  (\w+)  ", out, re.MULTILINE)
    assert listed == [c.name for c in CLAIMS] + [c.code for c in diagnostic_codes()]
    assert max(map(len, out.splitlines())) <= 75


def test_nothing_known(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip gets a hint and the usage exit code."""
    assert cli.main(["explain", "coverag"]) == 2
    expected = "error[FP0109]: `coverag` is no claim and no code (did you mean `coverage`?)"
    assert capsys.readouterr().err.startswith(expected)

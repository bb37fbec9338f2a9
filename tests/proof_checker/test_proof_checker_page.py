"""What docs/proof-checker.md says of rules, lines and its certificate is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flushproof.verify.certificate.certificate_file import read_certificate
from flushproof.verify.certificate.proof_blocks import claim_title
from support.certificate_files import body
from support.places import TOP

PAGE = (TOP / "docs" / "proof-checker.md").read_text(encoding="utf-8")
SOURCE = TOP / "src" / "flushproof"
CHECKER = sorted((SOURCE / "verify" / "proof_checker").glob("*.py"))
PROVED = TOP / "specs" / "counter_first.c"
CLAIM = "lock_balanced"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate that the page reads.

    Its process is its own: which of several invariants is found depends on what was proved before.
    """
    out = tmp_path_factory.mktemp("page") / "out.txt"
    asked = ("--claim", CLAIM, "--no-sanity", "--jobs", "1", "--certificate", str(out))
    command = [sys.executable, "-m", "flushproof", "prove", str(PROVED), *asked]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


def _lines(paths: list[Path]) -> int:
    return sum(len(p.read_text(encoding="utf-8").splitlines()) for p in paths)


def test_it_can_be_read() -> None:
    """It is to be read beside the code, in an evening."""
    assert len(PAGE.splitlines()) <= 200


def test_its_rules_are_those_of_the_questions() -> None:
    """Whoever meets a rule in a refusal looks for it here."""
    text = "".join(p.read_text(encoding="utf-8") for p in CHECKER)
    asked = set(re.findall(r'(?:\.ask|ProofObligation)\(\s*"([a-z ]+)"', text))
    assert asked == set(re.findall(r"^\| `([a-z ]+)` \|", PAGE, re.MULTILINE))


def test_its_numbers_of_lines_are_near() -> None:
    """They say how much has to be trusted, and how long an audit takes."""
    whole, forms = re.findall(r"(?:has about|facts add) ([\d,]+)", PAGE.replace("\n  ", " "))
    assert abs(_lines(CHECKER) - int(whole.replace(",", ""))) < 100
    names = ("ir/invariant.py", "ir/invariant_text.py", "verify/certificate/proof_text.py")
    assert abs(_lines([SOURCE / n for n in names]) - int(forms)) < 50


def test_what_it_names_is_there() -> None:
    """An auditor who does not find a file gives up."""
    named = set(re.findall(r"`([a-z_/]+\.py)`", PAGE))
    folders = (SOURCE, SOURCE / "verify" / "proof_checker", TOP, TOP / "tests" / "proof_checker")
    assert len(named) > 15
    assert [n for n in named if not any((f / n).is_file() for f in folders)] == []


@pytest.mark.slow
def test_its_certificate_is_what_is_written(certificate: Path) -> None:
    """What is explained line by line has to be what a reader gets."""
    text = body(certificate)
    of_code, _, of_claim = text.partition(claim_title(CLAIM))
    found = [json.loads(x[x.index("{") :]) for x in (of_code, of_claim.rpartition(";")[0])]
    parts = [x for p in found for x in (*p["cuts"], *p["values"], *p["cases"][0]["locations"])]
    shown = [json.loads(x) for x in re.findall(r"^    (\{.*\})$", PAGE, re.MULTILINE)]
    assert len(shown) == 7
    assert [x for x in shown if x not in parts] == []
    head = certificate.read_text(encoding="utf-8").removesuffix(text).splitlines()
    assert set(re.findall(r"^    (; (?!end).*)$", PAGE, re.MULTILINE)) <= set(head)


@pytest.mark.slow
def test_its_script_asks_aloud(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way to see what is asked is not an option, so it has to work as typed."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(TOP)
    known: dict[str, object] = {}
    exec(code.replace("out.txt", str(certificate)), known)
    said = capsys.readouterr().out
    for rule in ("values", "rank", "mover", "consecution", "sums"):
        assert f"\n; {rule}: " in said, rule
    assert len(read_certificate(str(certificate)).proofs) == 1
